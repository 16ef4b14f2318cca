"""The open blocks of a message, and how each handles its deltas.

A block skips deltas that do not belong to its type, with one exception: text in a `tool_use` block is kept.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.chunk_writer import ChunkWriter
from chatcompat.reply.citations import to_annotation
from chatcompat.reply.completion import (
    CompletionWriter,
    to_completion_id,
    to_finish_reason,
    to_refusal,
)
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.held_text import HeldText
from chatcompat.reply.prefill import PrefillFilter
from chatcompat.reply.raw_blocks import GrowingBlock, decode_fields
from chatcompat.reply.reasoning_details import ReasoningDetailsBuilder, without_thinking
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import KeptText
from chatcompat.reply.turn_keys import SaidTurn
from chatcompat.reply.usage import to_chat_usage
from chatcompat.wire.chat_reply import Annotation, CitedSpan
from chatcompat.wire.ids import UniqueIds
from chatcompat.wire.invalid_reply import too_large_reply
from chatcompat.wire.message_reply import (
    Citation,
    Message,
    MessageHead,
    OpaqueBlock,
    StopDelta,
    TextBlock,
    ThinkingBlock,
)

Writer = ChunkWriter | CompletionWriter
"""Writes a reply, as the chunks of a stream or as one completion."""

ENTRY: Final = 100  # bytes that each block or citation counts, in addition to its content


class StreamedReply:
    """The state of one reply, and the writer of its output."""

    __slots__ = (
        *("_details", "calls", "context", "held_annotations", "held_text", "ids", "json_seen"),
        *("left", "native_ids", "prefill_filter", "started", "summary", "writer"),
    )

    def __init__(self, writer: Writer, context: ReplyContext, max_held_bytes: int = sys.maxsize) -> None:
        self.writer: Writer = writer
        self.context: ReplyContext = context
        self.left: int = max_held_bytes  # bytes that may still be held until a block or the message is complete
        self.summary: ReplySummary = ReplySummary()
        self._details = ReasoningDetailsBuilder()
        self.ids: UniqueIds = UniqueIds()
        self.native_ids: list[str] = []
        self.prefill_filter: PrefillFilter = PrefillFilter(context.prefill)
        self.started: bool = False
        self.calls: int = 0
        self.json_seen: bool = False
        self.held_text: KeptText = KeptText()
        self.held_annotations: list[Annotation | CitedSpan] = []

    def begin(self, message: MessageHead | Message) -> None:
        """Open the reply; raises `InvalidReply`."""
        summary = self.summary
        summary.id, summary.model = to_completion_id(message.id), message.model
        summary.native_usage = message.usage or {}
        self.writer.begin(summary)
        self.started = True

    def hold(self, size: int) -> None:
        """Count held bytes; raises `InvalidReply` above the bound."""
        self.left -= size
        if self.left < 0:
            raise too_large_reply()

    @property
    def details(self) -> ReasoningDetailsBuilder:
        """The builder of `reasoning_details`, positioned after the text so far."""
        text = self.writer.content if self.context.json_tool is None else self.held_text
        self._details.position = text.length
        return self._details

    def say(self, text: str) -> None:
        """Write text, or hold it if JSON may follow: text in front of the JSON would make it invalid."""
        self._say(self.prefill_filter.feed(text))

    def _say(self, text: str) -> None:
        if self.context.json_tool is not None:
            self.hold(len(text))
            self.held_text.add(text)
        elif text:
            self.writer.say(text)

    def reason(self, thinking: str) -> None:
        """Write a piece of thinking, unless the client wants none."""
        if thinking and not self.context.hides_reasoning:
            self.writer.reason(thinking)

    def annotate(self, annotations: list[Annotation | CitedSpan]) -> None:
        """Hold citations until the end of the message."""
        self.held_annotations += annotations

    def end(self, stop: StopDelta | Message) -> None:
        """Write what was held until the end of the message, and end the reply; raises `InvalidReply`."""
        writer, summary = self.writer, self.summary
        # Read this first: it may raise, and no error may follow the end of a reply.
        usage = to_chat_usage(summary.native_usage) if writer.needs_usage else None
        if rest := self.prefill_filter.flush():
            self._say(rest)
        if not self.json_seen:
            if text := self.held_text.text:
                writer.say(text)
            if self.held_annotations:
                writer.annotate(self.held_annotations)
        details = self.details.build(summary.model, positions=not self.json_seen)
        if shown := without_thinking(details) if self.context.hides_reasoning else details:
            writer.detail(shown)
        if details or self.context.keeps_turn:
            summary.said = SaidTurn(writer.content, writer.said_calls, details, self.native_ids)
        if refusal := to_refusal(stop):
            writer.refuse(refusal)
        summary.finish_reason = to_finish_reason(
            stop.stop_reason, has_calls=self.calls > 0, legacy=self.context.legacy_functions
        )
        writer.finish(stop, usage)


class OpenBlock:
    """A block without output of its own: redacted thinking, or a call that does not fit into the reply."""

    __slots__ = ("_reply",)

    def __init__(self, reply: StreamedReply) -> None:
        self._reply = reply

    def add_text(self, text: str) -> None:
        """Add a piece of text."""

    def add_thinking(self, thinking: str) -> None:
        """Add a piece of thinking."""

    def add_signature(self, signature: str) -> None:
        """Add the signature of the thinking."""

    def add_input(self, partial_json: str) -> None:
        """Add a piece of a tool's input."""

    def add_citation(self, citation: Citation) -> None:
        """Add a citation of the text."""

    def add_unknown(self, delta: Raw) -> None:
        """Add a delta of an unknown type."""

    def end(self) -> None:
        """Write what was held until the end of the block."""


class OpenText(OpenBlock):
    """A block of text."""

    __slots__ = ("_citations", "_start")

    def __init__(self, reply: StreamedReply, block: TextBlock) -> None:
        self._reply = reply
        details = reply.details
        details.end_text()
        self._start = details.position
        self._citations = list(block.citations or ())
        reply.say(block.text)

    def add_text(self, text: str) -> None:
        self._reply.say(text)

    def add_citation(self, citation: Citation) -> None:
        self._reply.hold(ENTRY + sum(len(name) + memoryview(value).nbytes for name, value in citation.items()))
        self._citations.append(citation)

    def end(self) -> None:
        if self._citations:
            details = self._reply.details
            end = details.position
            if end > self._start:  # first, since this takes twice the memory of its result for a moment
                details.add_citations(self._citations)
            self._reply.annotate([to_annotation(citation, self._start, end) for citation in self._citations])


class OpenThinking(OpenBlock):
    """A block of thinking. Its text is written as it arrives, and its signed copy at the end of the message."""

    __slots__ = ("_entry", "_signature", "kept")

    def __init__(self, reply: StreamedReply, block: ThinkingBlock) -> None:
        self._reply = reply
        self._entry = reply.details.add_thinking()  # its place is here, even if the block ends late
        self.kept: HeldText = HeldText(reply)
        self._signature = block.signature
        self.add_thinking(block.thinking)

    def add_thinking(self, thinking: str) -> None:
        if thinking:
            self.kept.add(thinking)
            self._reply.reason(thinking)

    def add_signature(self, signature: str) -> None:
        self._signature = signature

    def end(self) -> None:
        if self._signature:  # without one, the service does not take it back
            self._entry.text, self._entry.signature = self.kept.text, self._signature


class OpenCall(OpenBlock):
    """A function call, or the JSON that the client asked for. Each piece of input is written as it arrives."""

    __slots__ = ("_fallback", "sent", "write")

    def __init__(self, reply: StreamedReply, write: Callable[[str], None], fallback: Raw) -> None:
        self._reply = reply
        self.write: Callable[[str], None] = write
        self.sent: bool = False
        self._fallback = fallback

    def add_text(self, text: str) -> None:
        self._reply.say(text)

    def add_input(self, partial_json: str) -> None:
        if partial_json:
            self.sent = self.sent or not partial_json.isspace()
            self.write(partial_json)

    def end(self) -> None:
        if not self.sent:  # a native call without arguments has no input, or blank input, but clients expect an object
            self.add_input(bytes(self._fallback).decode())


class OpenWrapped(OpenCall):
    """Input in a wrapper that the client did not ask for. It is unwrapped and written at the end of the block."""

    __slots__ = ("_pieces", "_unwrap")

    def __init__(
        self, reply: StreamedReply, write: Callable[[str], None], fallback: Raw, unwrap: Callable[[str], str]
    ) -> None:
        super().__init__(reply, write, fallback)
        self._pieces: list[str] = []
        self._unwrap = unwrap

    def add_input(self, partial_json: str) -> None:
        self._reply.hold(len(partial_json))
        self._pieces.append(partial_json)

    def end(self) -> None:
        said = "".join(self._pieces)
        super().add_input(self._unwrap(bytes(self._fallback).decode() if not said or said.isspace() else said))


class OpenOpaque(OpenBlock):
    """A block of an unknown type. Its JSON goes to the client, which sends it back with the history."""

    __slots__ = ("_entry", "_growing")

    def __init__(self, reply: StreamedReply, block: OpaqueBlock) -> None:
        self._reply = reply
        self._growing = GrowingBlock(block.raw)
        self._entry = reply.details.add_opaque()
        reply.hold(memoryview(block.raw).nbytes)

    def add_text(self, text: str) -> None:
        self._add("text", text)

    def add_thinking(self, thinking: str) -> None:
        self._add("thinking", thinking)

    def add_signature(self, signature: str) -> None:
        self._add("signature", signature)

    def add_input(self, partial_json: str) -> None:
        self._reply.hold(ENTRY + len(partial_json))
        self._growing.add_input(partial_json)

    def add_unknown(self, delta: Raw) -> None:
        self._reply.hold(ENTRY + memoryview(delta).nbytes)
        with suppress(*DECODE_ERRORS):  # it is valid JSON, but perhaps not an object
            self._growing.add_unknown(decode_fields(delta))

    def _add(self, name: str, piece: str) -> None:
        self._reply.hold(ENTRY + len(piece))
        self._growing.add_text(name, piece)

    def end(self) -> None:
        try:
            self._entry.data = bytes(self._growing.built()).decode()
        except DECODE_ERRORS:  # a block that was cut off is not sent back
            return
