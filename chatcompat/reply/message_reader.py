"""Read the events of a message, and pass the content to a writer."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

from chatcompat.reply.blocks import OpenBlock, StreamedReply, Writer
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.open_block import open_block
from chatcompat.wire.decode import OpaqueBlockStart, OpaqueDelta, StreamEvent, merge_usage
from chatcompat.wire.invalid_reply import missing_start, second_start, unopened_block
from chatcompat.wire.message_reply import (
    NULL,
    CitationsDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    ErrorEvent,
    InputJSONDelta,
    Message,
    MessageDelta,
    MessageHead,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    StopDelta,
    TextDelta,
    ThinkingDelta,
)


class MessageReader:
    """Reads the events of one message and writes the reply, as chunks or as one completion."""

    __slots__ = (
        "_stop",
        "_writer",
        "ended",
        "open",
        "reply",
    )

    def __init__(self, writer: Writer, context: ReplyContext, max_held_bytes: int = sys.maxsize) -> None:
        self.reply: StreamedReply = StreamedReply(writer, context, max_held_bytes)
        self.ended: bool = False  # whether the message is complete
        self.open: dict[int, OpenBlock] = {}
        self._writer = writer
        self._stop = StopDelta()

    def read(self, events: Iterable[StreamEvent | None]) -> ErrorEvent | None:
        """Read events up to the end of the message. Returns the `error` event that ended it, if any.

        Raises `InvalidReply`.
        """
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                if not self.reply.started:
                    raise missing_start()
                handler(self, event)
                if self.ended:
                    break
            elif isinstance(event, MessageStart):
                self._start(event.message)
            elif isinstance(event, ErrorEvent):
                return event
            elif isinstance(event, Ping) and self.reply.started:
                self._writer.ping()
            elif isinstance(event, OpaqueDelta) and (block := self.open.get(event.index)):
                block.add_unknown(event.delta)
        return None

    def _start(self, message: MessageHead) -> None:
        if self.reply.started:
            raise second_start()
        self.reply.begin(message)
        self._stop.container = message.container

    def on_delta(self, event: ContentBlockDelta) -> None:
        """Read a delta after the start of the message; raises `InvalidReply`."""
        block, delta = self.open.get(event.index), event.delta
        if block is None:  # keep text and thinking even if their block was never opened
            if isinstance(delta, TextDelta):
                self.reply.say(delta.text)
            elif isinstance(delta, ThinkingDelta):
                self.reply.reason(delta.thinking)
            elif isinstance(delta, InputJSONDelta):
                raise unopened_block()
            return
        if isinstance(delta, InputJSONDelta):  # faster than `match`, and the most common ones first
            block.add_input(delta.partial_json)
        elif isinstance(delta, ThinkingDelta):
            block.add_thinking(delta.thinking)
        elif isinstance(delta, TextDelta):
            block.add_text(delta.text)
        elif isinstance(delta, SignatureDelta):
            block.add_signature(delta.signature)
        elif isinstance(delta, CitationsDelta):
            block.add_citation(delta.citation)
        else:
            assert_never(delta)

    def _on_block_start(self, event: ContentBlockStart | OpaqueBlockStart) -> None:
        self._end_block(event.index)  # a block of this index that was not closed
        self.open[event.index] = open_block(self.reply, event.content_block)

    def _end_block(self, index: int) -> None:
        if block := self.open.pop(index, None):
            block.end()

    def _on_block_stop(self, event: ContentBlockStop) -> None:
        self._end_block(event.index)

    def _on_message_delta(self, event: MessageDelta) -> None:
        self.reply.hold(sum(len(name) + memoryview(count).nbytes for name, count in (event.usage or {}).items()))
        if event.delta.container == NULL:
            event.delta.container = self._stop.container
        if event.delta.stop_reason is not None:
            self._stop = event.delta
        else:
            self._stop.container = event.delta.container
        merge_usage(self.reply.summary.native_usage, event.usage)

    def _on_message_stop(self, _: MessageStop) -> None:
        for block in self.open.values():
            block.end()
        self.open.clear()
        self.reply.end(self._stop)
        self.ended = True


_HANDLERS: Final[dict[type, Callable[[MessageReader, Any], None]]] = {
    ContentBlockDelta: MessageReader.on_delta,
    ContentBlockStart: MessageReader._on_block_start,
    ContentBlockStop: MessageReader._on_block_stop,
    MessageDelta: MessageReader._on_message_delta,
    MessageStop: MessageReader._on_message_stop,
    OpaqueBlockStart: MessageReader._on_block_start,
}


def write_message(message: Message, reply: StreamedReply) -> None:
    """Write a whole message; raises `InvalidReply`."""
    reply.begin(message)
    for block in message.content:
        open_block(reply, block).end()
    reply.end(message)
