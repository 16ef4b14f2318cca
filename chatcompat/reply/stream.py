"""Stream events -> chunks."""

import sys
from collections.abc import Iterable
from typing import Final

from chatcompat.errors import ErrorReply, InvalidReply
from chatcompat.reply.blocks import write_message
from chatcompat.reply.chunk_writer import ChunkWriter, escape_separators
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.errors import status_of, to_chat_error, to_stream_error
from chatcompat.reply.message_reader import MessageReader
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import SkippedBlock, decode_message, incomplete_stream, read_events
from chatcompat.wire.messages import Event
from chatcompat.wire.sse import MAX_EVENT_BYTES, EventDecoder, encode_data

MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""The default bound of what is kept of a message until it is whole: signed thinking, text before JSON."""

StreamError = ErrorReply
"""Why a stream failed: the HTTP status that it would have had, and the error body."""


class ChunkStream:
    """Turns the bytes of a messages stream into the bytes of a chat-completions stream.

    Feed the bytes as they come, cut anywhere, and send what `feed` gives; at the end send what `close` gives. A
    stream that fails or ends early gets one error frame and no `[DONE]`; `error` then says why. While `started` is
    false no chunk was made, and an `error` can still be answered with a real HTTP status. `summary` has what the
    reply is so far.
    """

    __slots__ = ("_decoder", "_out", "_reader", "_writer", "ended", "error", "summary")

    def __init__(
        self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        self.error: StreamError | None = None
        self.ended: bool = False
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._writer = ChunkWriter(context)
        self._out = self._writer.out
        self._reader = MessageReader(self._writer, context, max_held_bytes)
        self.summary: ReplySummary = self._reader.reply.summary

    @property
    def started(self) -> bool:
        """Whether a chunk was made."""
        return self._reader.reply.started

    @property
    def has_content(self) -> bool:
        """Whether a chunk was made after the opening one: text, thinking, a call or a refusal."""
        return self._writer.has_content

    def feed(self, piece: bytes) -> bytes:
        """The bytes to send for the next piece of the messages stream; `b""` while there is nothing to say."""
        if not self.ended:
            self._read(read_events(self._decoder, piece))
        return self._flush()

    def close(self) -> bytes:
        """The bytes to send when the messages stream has ended: an error frame if its message was not whole."""
        return self.fail(incomplete_stream())

    def fail(self, error: InvalidReply) -> bytes:
        """The bytes to send when the messages stream is given up: an error frame, unless it had ended."""
        if not self.ended:
            self._fail(error.reply)
        return self._flush()

    def replay(self, body: bytes) -> bytes:
        """The whole stream of a messages reply that came in one piece; raises `InvalidReply` if it is no message."""
        message = decode_message(body)
        self._reader.reply.left = sys.maxsize  # all of it is there
        try:
            write_message(message, self._reader.reply)
            self.ended = True
        except InvalidReply as error:
            self._fail(error.reply)
        return self._flush()

    def _read(self, events: Iterable[Event | SkippedBlock | None]) -> None:
        try:
            failure = self._reader.read(events)
        except InvalidReply as error:
            self._fail(error.reply)
            return
        self.ended = self._reader.ended
        if failure is not None:
            native = failure.error
            # Where nothing was sent yet, the error is that of an HTTP reply.
            self._fail(to_stream_error(native) if self.started else to_chat_error(native, status_of(native)))

    def _fail(self, error: StreamError) -> None:
        self.error = error
        self.ended = True
        self._reader.splices = False
        self.summary.error_type = error.type
        self._out.append(encode_data(error.body))

    def _flush(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out if out.isascii() else escape_separators(out)
