"""A message as the events of its stream, and the events as a message."""

from collections.abc import Iterator

from msgspec import Raw, Struct

from chatcompat.events import IN_MESSAGE, SkippedBlock, merge_usage, missing_start, second_start, unopened_block
from chatcompat.messages import (
    Block,
    CitationsDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    InputJSONDelta,
    Message,
    MessageDelta,
    MessageHead,
    MessageStart,
    MessageStop,
    SignatureDelta,
    StopDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolUseBlock,
)


def to_events(message: Message) -> Iterator[Event]:
    """A whole message as the events of its stream, for clients that asked for one."""
    yield MessageStart(MessageHead(message.id, message.model, message.usage))
    for index, block in enumerate(message.content):
        match block:
            case TextBlock(text, citations):
                yield ContentBlockStart(index, TextBlock("", citations))
                yield ContentBlockDelta(index, TextDelta(text))
            case ToolUseBlock(id=call, name=name, input=arguments):
                yield ContentBlockStart(index, ToolUseBlock(call, name))
                yield ContentBlockDelta(index, InputJSONDelta(bytes(arguments).decode()))
            case _:
                yield ContentBlockStart(index, block)
        yield ContentBlockStop(index)
    yield MessageDelta(StopDelta(message.stop_reason, message.stop_sequence, message.stop_details))
    yield MessageStop()


class _Growing(Struct):
    block: Block
    pieces: list[str]


class MessageBuilder:
    """Collects the events of a stream into the message, for clients that asked for a whole one."""

    def __init__(self) -> None:
        self._message: Message | None = None
        self._content: list[_Growing] = []
        self._open: dict[int, _Growing | None] = {}  # None: a block of an unknown type

    @property
    def started(self) -> bool:
        """Whether the message has begun."""
        return self._message is not None

    def add(self, event: Event | SkippedBlock | None) -> Message | None:
        """Take the next event; gives the message once it is whole. Raises `InvalidReply`."""
        message = self._message
        if isinstance(event, MessageStart):
            if message is not None:
                raise second_start()
            head = event.message
            self._message = Message(head.id, head.model, [], usage={**(head.usage or {})})
        elif message is None:
            if isinstance(event, IN_MESSAGE):
                raise missing_start()
        elif isinstance(event, MessageStop):
            message.content = [_built(growing) for growing in self._content]
            return message
        elif isinstance(event, MessageDelta):
            _end(message, event)
        else:
            self._add_to_block(event)
        return None

    def _add_to_block(self, event: Event | SkippedBlock | None) -> None:
        match event:
            case ContentBlockStart(index, block):
                begun = _Growing(block, [])
                self._content.append(begun)
                self._open[index] = begun
            case SkippedBlock(index):
                self._open[index] = None
            case ContentBlockDelta(index, TextDelta(text)):
                self._add_text(index, text)
            case ContentBlockDelta(index, delta):
                if index not in self._open and isinstance(delta, InputJSONDelta):
                    raise unopened_block()
                if growing := self._open.get(index):
                    _grow(growing, delta)
            case ContentBlockStop(index):
                self._open.pop(index, None)

    def _add_text(self, index: int, text: str) -> None:
        growing = self._open.get(index)
        if growing is not None and isinstance(growing.block, TextBlock):
            growing.pieces.append(text)
        elif index not in self._open or (growing is not None and isinstance(growing.block, ToolUseBlock)):
            self._content.append(_Growing(TextBlock(text), []))  # text that is in no text block is not lost either


def _grow(
    growing: _Growing, delta: InputJSONDelta | ThinkingDelta | SignatureDelta | CitationsDelta | TextDelta
) -> None:
    """Add a delta to its block; one of another kind of block is skipped."""
    match growing.block, delta:
        case ToolUseBlock(), InputJSONDelta(partial_json):
            growing.pieces.append(partial_json)
        case ThinkingBlock(), ThinkingDelta(thinking):
            growing.pieces.append(thinking)
        case ThinkingBlock() as block, SignatureDelta(signature):
            block.signature = signature
        case TextBlock() as block, CitationsDelta(citation):
            block.citations = block.citations or []
            block.citations.append(citation)


def _end(message: Message, event: MessageDelta) -> None:
    if event.delta.stop_reason is not None:
        message.stop_reason = event.delta.stop_reason
        message.stop_sequence = event.delta.stop_sequence
        message.stop_details = event.delta.stop_details
    message.usage = message.usage or {}
    merge_usage(message.usage, event.usage)


def _built(growing: _Growing) -> Block:
    joined = "".join(growing.pieces)
    match growing.block:
        case TextBlock(text, citations):
            return TextBlock(text + joined, citations)
        case ThinkingBlock(thinking, signature):
            return ThinkingBlock(thinking + joined, signature)
        case ToolUseBlock(id=call, name=name, input=start):
            return ToolUseBlock(call, name, Raw(joined.encode()) if joined else start)
        case block:
            return block
