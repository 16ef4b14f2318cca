"""Reading messages and their stream events tolerantly; a message as events, and events as a message.

A newer server may send blocks, deltas and events of types that we do not know: these are skipped. What has a known
type and not its form is an `InvalidReply`: leaving it out would make a reply with a hole in it look whole.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.messages import (
    Block,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    ErrorEvent,
    Event,
    InputJSONDelta,
    Message,
    MessageDelta,
    MessageHead,
    MessageStart,
    MessageStop,
    NativeError,
    StopDelta,
    StopDetails,
    TextBlock,
    TextDelta,
    ToolUseBlock,
    Usage,
)


class SkippedBlock(Struct, gc=False):
    """The start of a block of an unknown type: its deltas are skipped too."""

    index: int


class _Tag(Struct):
    type: str


class _UntypedError(Struct):
    """`{"error": {...}}` without a type, as some servers and proxies send it."""

    error: NativeError


class _LooseBlockStart(Struct):
    index: int
    content_block: _Tag


class _LooseDelta(Struct):
    delta: _Tag


class _LooseMessage(Struct):
    id: str
    model: str
    content: list[Raw]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: Usage | None = None


_event: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)
_message = msgspec.json.Decoder(Message)
_block = msgspec.json.Decoder(Block)
_tag = msgspec.json.Decoder(_Tag)
_untyped_error = msgspec.json.Decoder(_UntypedError)
_loose_block_start = msgspec.json.Decoder(_LooseBlockStart)
_loose_delta = msgspec.json.Decoder(_LooseDelta)
_loose_message = msgspec.json.Decoder(_LooseMessage)


def _tags(union: Any) -> frozenset[str]:
    return frozenset(struct.__struct_config__.tag for struct in union.__args__)


_EVENT_TYPES: Final = _tags(Event)
_BLOCK_TYPES: Final = _tags(Block)
_DELTA_TYPES: Final = _tags(ContentBlockDelta.__annotations__["delta"])


def decode_event(payload: bytes) -> Event | SkippedBlock | None:
    """The event in one frame's data; None for a type that we do not know. Raises `InvalidReply`."""
    try:
        return _event.decode(payload)
    except DECODE_ERRORS:
        pass
    try:
        return _decode_unknown_event(payload)
    except DECODE_ERRORS:
        raise InvalidReply("The messages service sent an event that cannot be read.") from None


def _decode_unknown_event(payload: bytes) -> Event | SkippedBlock | None:
    try:
        kind = _tag.decode(payload).type
    except msgspec.ValidationError:
        return ErrorEvent(_untyped_error.decode(payload).error)
    if kind == "content_block_start":
        start = _loose_block_start.decode(payload)
        if start.content_block.type not in _BLOCK_TYPES:
            return SkippedBlock(start.index)
    elif kind == "content_block_delta" and _loose_delta.decode(payload).delta.type not in _DELTA_TYPES:
        return None
    return _event.decode(payload) if kind in _EVENT_TYPES else None


def decode_message(body: bytes) -> Message:
    """The message in a whole reply, without blocks of unknown types; raises `InvalidReply`."""
    try:
        return _message.decode(body)
    except DECODE_ERRORS:
        pass
    try:
        loose = _loose_message.decode(body)
        known = [_block.decode(raw) for raw in loose.content if _tag.decode(raw).type in _BLOCK_TYPES]
    except DECODE_ERRORS:
        raise InvalidReply("The messages service sent a reply that is not a message.") from None
    return Message(
        loose.id, loose.model, known, loose.stop_reason, loose.stop_sequence, loose.stop_details, loose.usage
    )


def merge_usage(usage: Usage, newer: Usage | None) -> None:
    """Counts in a stream are cumulative: a newer one replaces the older, field by field, and null says nothing."""
    for name, count in (newer or {}).items():
        if name not in usage or count != b"null":
            usage[name] = count


def to_events(message: Message) -> Iterator[Event]:
    """A whole message as the events of its stream, for clients that asked for one."""
    yield MessageStart(MessageHead(message.id, message.model, message.usage))
    for index, block in enumerate(message.content):
        match block:
            case TextBlock(text):
                yield ContentBlockStart(index, TextBlock(""))
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

    def add(self, event: Event | SkippedBlock | None) -> Message | None:
        """Take the next event; gives the message once it is whole. Raises `InvalidReply`."""
        match event:
            case MessageStart(head):
                self._message = Message(head.id, head.model, [], usage={**(head.usage or {})})
            case ContentBlockStart(index, block):
                self._start(index, block)
            case SkippedBlock(index):
                self._open[index] = None
            case ContentBlockDelta():
                self._grow(event)
            case MessageDelta() if self._message:
                _end(self._message, event)
            case MessageStop() if self._message:
                self._message.content = [_built(growing) for growing in self._content]
                return self._message
        return None

    def _start(self, index: int, block: Block) -> _Growing:
        growing = _Growing(block, [])
        self._content.append(growing)
        self._open[index] = growing
        return growing

    def _grow(self, event: ContentBlockDelta) -> None:
        match event.delta:
            case TextDelta(text):
                if event.index not in self._open:
                    self._start(event.index, TextBlock(""))
                if growing := self._open[event.index]:
                    growing.pieces.append(text)
            case InputJSONDelta(partial_json):
                if event.index not in self._open:
                    raise unopened_block()
                if growing := self._open[event.index]:
                    growing.pieces.append(partial_json)


def unopened_block() -> InvalidReply:
    """The error for a piece of a tool's input that belongs to no block."""
    return InvalidReply("The messages service sent a part of a block that it had not begun.")


def _end(message: Message, event: MessageDelta) -> None:
    message.stop_reason = event.delta.stop_reason or message.stop_reason
    message.stop_sequence = event.delta.stop_sequence or message.stop_sequence
    message.stop_details = event.delta.stop_details or message.stop_details
    message.usage = message.usage or {}
    merge_usage(message.usage, event.usage)


def _built(growing: _Growing) -> Block:
    joined = "".join(growing.pieces)
    match growing.block:
        case TextBlock(text):
            return TextBlock(text + joined)
        case ToolUseBlock(id=call, name=name, input=start):
            return ToolUseBlock(call, name, Raw(joined.encode()) if joined else start)
        case block:
            return block
