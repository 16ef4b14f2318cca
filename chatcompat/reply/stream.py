"""Translate the events of a messages stream into chunks."""

import sys
from typing import Final

from chatcompat.errors import ErrorReply, InvalidReply
from chatcompat.reply.chunk_writer import ChunkWriter, escape_separators
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.errors import status_of, to_chat_error, to_stream_error
from chatcompat.reply.message_reader import MessageReader, write_message
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import decode_message, read_events
from chatcompat.wire.invalid_reply import incomplete_stream
from chatcompat.wire.message_reply import NativeError
from chatcompat.wire.sse import MAX_EVENT_BYTES, EventDecoder, encode_data

MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""How many bytes of a message may be held until it is complete.

Held are signed thinking, blocks that go back unchanged, and text in front of JSON.
"""

StreamError = ErrorReply
"""Why a stream failed: an HTTP status, and the error body."""


class ChunkStream:
    """Translates the bytes of a messages stream into the bytes of a chat-completions stream.

    Pass the bytes to `feed` as they arrive, cut anywhere, and send what it returns. At the end, send what `close`
    returns. A stream that fails or ends early gets one error frame and no `[DONE]`, and `error` is set. While `started`
    is False, there is no chunk yet, so an `error` can still be answered with its HTTP status. `ended` says whether the
    reply is complete or has failed, and `summary` describes the reply so far.

    Args:
        context: What the reply needs from the request.
        max_event_bytes: The largest event, in bytes. A larger one ends the stream with an error.
        max_held_bytes: How many bytes of the message may be held until it is complete.
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
        """Whether there was a chunk."""
        return self._reader.reply.started

    @property
    def has_content(self) -> bool:
        """Whether there was a chunk after the first: text, thinking, a call or a refusal."""
        return self._writer.has_content

    def feed(self, piece: bytes) -> bytes:
        """Return the bytes to send for the next piece of the messages stream, `b""` if there are none yet.

        Args:
            piece: The bytes, cut anywhere.
        """
        if not self.ended:
            try:
                failure = self._reader.read(read_events(self._decoder, piece))
            except InvalidReply as error:
                self._fail(error.reply)
            else:
                self.ended = self._reader.ended
                if failure is not None:
                    self._end_with(failure.error)
        return self._flush()

    def close(self) -> bytes:
        """Return the bytes to send at the end of the messages stream: an error frame if its message is incomplete."""
        return self.fail(incomplete_stream())

    def fail(self, error: InvalidReply) -> bytes:
        """Return the bytes to send when the messages stream is abandoned: an error frame, unless the reply has ended.

        Args:
            error: Why it is abandoned.
        """
        if not self.ended:
            self._fail(error.reply)
        return self._flush()

    def replay(self, body: bytes) -> bytes:
        """Return the whole chat-completions stream of a messages reply that is not a stream.

        Args:
            body: The reply, as JSON.

        Raises:
            InvalidReply: The reply is not a message.
        """
        message = decode_message(body)
        self._reader.reply.left = sys.maxsize  # the whole message is in memory already
        try:
            write_message(message, self._reader.reply)
            self.ended = True
        except InvalidReply as error:
            self._fail(error.reply)
        return self._flush()

    def _end_with(self, native: NativeError) -> None:
        """End with an error of the service. If nothing was sent yet, it is an HTTP reply."""
        self._fail(to_stream_error(native) if self.started else to_chat_error(native, status_of(native)))

    def _fail(self, error: StreamError) -> None:
        self.error = error
        self.ended = True
        self.summary.error = error
        self._out.append(encode_data(error.body))

    def _flush(self) -> bytes:
        if not self._out:
            return b""
        out = b"".join(self._out)
        self._out.clear()
        return out if out.isascii() else escape_separators(out)
