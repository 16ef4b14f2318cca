"""The blocks of a message while they are open: what each makes of its deltas.

A delta that does not belong to its kind of block is skipped, but text that comes in a tool's block is not lost.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from chatcompat.chunks import ChunkWriter
from chatcompat.completion import Annotation
from chatcompat.echo import Echo
from chatcompat.events import too_large_reply
from chatcompat.ids import UniqueIds
from chatcompat.layout import Layout
from chatcompat.messages import (
    Block,
    Citation,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from chatcompat.origin import Origin
from chatcompat.response import to_annotations, to_free_text, to_unwrapped
from chatcompat.said import SaidCalls, SaidText
from chatcompat.turns import Turn

Note = Callable[[bytes], None]
"""Takes what a call says, as JSON text."""

_ENTRY: Final = 100  # bytes that are kept of a block or a citation, whatever it says

_encode = msgspec.json.Encoder().encode


class Reply:
    """What has been said of a streamed message so far."""

    __slots__ = (
        "_layout",
        "calls",
        "content",
        "echo",
        "held_annotations",
        "held_text",
        "ids",
        "json_text",
        "left",
        "origin",
        "said_calls",
        "writer",
    )

    def __init__(self, writer: ChunkWriter, origin: Origin, max_held_bytes: int) -> None:
        self.writer: ChunkWriter = writer
        self.origin: Origin = origin
        self.left: int = max_held_bytes  # what of the message may still be kept until its block, or all of it, is whole
        self._layout = Layout()
        self.content: SaidText = SaidText()
        self.said_calls: SaidCalls = SaidCalls()
        self.ids: UniqueIds = UniqueIds()
        self.echo: Echo = Echo(origin.prefill)
        self.calls: int = 0
        self.json_text: SaidText | None = None  # the content, once there is JSON
        self.held_text: list[str] = []
        self.held_annotations: list[Annotation] = []

    def hold(self, size: int) -> None:
        """Count what is kept; raises `InvalidReply` above the bound."""
        self.left -= size
        if self.left < 0:
            raise too_large_reply()

    @property
    def layout(self) -> Layout:
        """Where things stand, with the text so far."""
        self._layout.position = self.content.length
        return self._layout

    @property
    def thinking(self) -> Turn | None:
        """The turn, if there is thinking to keep for its calls."""
        details = self.layout.details(places=self.json_text is None)
        calls = self.said_calls.whole() if details else None
        return Turn((self.json_text or self.content).digest, calls, details) if calls else None

    def say(self, text: str) -> None:
        """Send text, or hold it where JSON may follow that it would spoil."""
        self._say(self.echo.cut(text))

    def _say(self, text: str) -> None:
        if self.origin.json_tool is not None:
            self.hold(len(text))
            self.held_text.append(text)
            self.content.add(_encode(text)[1:-1])
        elif text:
            self.content.add(self.writer.say(text))

    def annotate(self, annotations: list[Annotation]) -> None:
        """Send citations, or hold them with their text."""
        if self.origin.json_tool is not None:
            self.held_annotations += annotations
        elif annotations:
            self.writer.annotate(annotations)

    def end(self) -> None:
        """Send what stood back until the whole message was there."""
        self._say(self.echo.rest())
        if self.json_text is None:
            if text := "".join(self.held_text):
                self.writer.say(text)
            if self.held_annotations:
                self.writer.annotate(self.held_annotations)
        if details := self.layout.details(places=self.json_text is None):
            self.writer.detail(details)


class OpenBlock:
    """A block that says nothing: of a type that we do not know, or thinking that nobody can read."""

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def add_text(self, text: str) -> None:
        """Take a piece of text."""

    def add_thinking(self, thinking: str) -> None:
        """Take a piece of thinking."""

    def add_signature(self, signature: str) -> None:
        """Take the signature of thinking."""

    def add_input(self, partial_json: str) -> None:
        """Take a piece of a tool's input."""

    def add_citation(self, citation: Citation) -> None:
        """Take a citation of the text."""

    def end(self) -> None:
        """Send what could not be sent before the block was whole."""


class OpenText(OpenBlock):
    """A block of text."""

    __slots__ = ("_citations", "_start")

    def __init__(self, reply: Reply, block: TextBlock) -> None:
        super().__init__(reply)
        reply.layout.end_text()
        self._start = reply.layout.position
        self._citations = list(block.citations or ())
        reply.say(block.text)

    def add_text(self, text: str) -> None:
        self._reply.say(text)

    def add_citation(self, citation: Citation) -> None:
        self._reply.hold(_ENTRY + len(citation.url or "") + len(citation.title or ""))
        self._citations.append(citation)

    def end(self) -> None:
        self._reply.annotate(to_annotations(self._citations, self._start, self._reply.layout.position))


class OpenThinking(OpenBlock):
    """A block of thinking: its text is sent as it comes, its signed copy in one delta at its end."""

    __slots__ = ("_pieces", "_signature")

    def __init__(self, reply: Reply, block: ThinkingBlock) -> None:
        super().__init__(reply)
        self._pieces: list[str] = []
        self._signature = block.signature
        self.add_thinking(block.thinking)

    def add_thinking(self, thinking: str) -> None:
        if thinking:
            self._reply.hold(len(thinking))
            self._pieces.append(thinking)
            self._reply.writer.reason(thinking)

    def add_signature(self, signature: str) -> None:
        self._signature = signature

    def end(self) -> None:
        self._reply.layout.add_thinking("".join(self._pieces), self._signature)


class OpenCall(OpenBlock):
    """A function call, or the JSON that the client asked for: each piece of input is sent as it comes."""

    __slots__ = ("_fallback", "_head", "_note", "_sent", "_tail")

    def __init__(self, reply: Reply, around: tuple[bytes, bytes], fallback: bytes, note: Note) -> None:
        super().__init__(reply)
        self._head, self._tail = around
        self._fallback = fallback
        self._note = note
        self._sent = False

    def add_text(self, text: str) -> None:
        self._reply.say(text)

    def add_input(self, partial_json: str) -> None:
        if partial_json:
            self._sent = True
            encoded = _encode(partial_json)
            self._note(encoded[1:-1])
            self._reply.writer.out += (self._head, encoded, self._tail)

    def end(self) -> None:
        if not self._sent:  # a call without arguments sends none natively, and clients want an object
            self.add_input(self._fallback.decode())


class OpenWrapped(OpenCall):
    """Input that is not the client's as it stands: it is sent, unwrapped, when it is whole."""

    __slots__ = ("_pieces", "_unwrap")

    def __init__(
        self, reply: Reply, around: tuple[bytes, bytes], fallback: bytes, note: Note, unwrap: Callable[[str], str]
    ) -> None:
        super().__init__(reply, around, fallback, note)
        self._pieces: list[str] = []
        self._unwrap = unwrap

    def add_input(self, partial_json: str) -> None:
        self._reply.hold(len(partial_json))
        self._pieces.append(partial_json)

    def end(self) -> None:
        super().add_input(self._unwrap("".join(self._pieces) or self._fallback.decode()))


def open_block(reply: Reply, block: Block) -> OpenBlock:
    """Begin a block, and send what its beginning says."""
    reply.hold(_ENTRY)
    match block:
        case TextBlock():
            return OpenText(reply, block)
        case ThinkingBlock():
            return OpenThinking(reply, block)
        case RedactedThinkingBlock(encrypted):
            reply.hold(len(encrypted))
            reply.layout.add_redacted(encrypted)
            return OpenBlock(reply)
        case ToolUseBlock() if block.name == reply.origin.json_tool:
            return _open_json(reply, block)
        case _:
            return _open_call(reply, block)


def _open_json(reply: Reply, block: ToolUseBlock) -> OpenBlock:
    if reply.json_text is not None:
        return OpenBlock(reply)  # a second document would spoil the first
    reply.json_text = SaidText()
    around = reply.writer.text_head, reply.writer.text_tail
    if reply.origin.json_wrapped:
        return OpenWrapped(reply, around, bytes(block.input), reply.json_text.add, to_unwrapped)
    return OpenCall(reply, around, bytes(block.input), reply.json_text.add)


def _open_call(reply: Reply, block: ToolUseBlock) -> OpenBlock:
    """Begin a call; its index counts calls, not blocks."""
    origin, index = reply.origin, reply.calls
    reply.calls += 1
    reply.layout.add_call()
    if origin.legacy_functions and index:
        return OpenBlock(reply)  # there is room for one
    call_id, name = reply.ids.unique(block.id), origin.tool_names.get(block.name, block.name)
    if block.name in origin.custom_tools:
        around, note = reply.writer.custom_call(index, call_id, name), reply.said_calls.begin("custom", name)
        return OpenWrapped(reply, around, bytes(block.input), note, to_free_text)
    around, note = reply.writer.call(index, call_id, name), reply.said_calls.begin("function", name)
    return OpenCall(reply, around, bytes(block.input), note)
