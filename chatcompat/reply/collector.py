"""Translate a message into one chat completion, whether it is streamed or not."""

from chatcompat.reply.blocks import StreamedReply
from chatcompat.reply.completion import CompletionWriter
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.errors import status_of, to_chat_error
from chatcompat.reply.message_reader import MessageReader, write_message
from chatcompat.reply.stream import StreamError
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import read_events
from chatcompat.wire.invalid_reply import incomplete_stream
from chatcompat.wire.message_reply import Message
from chatcompat.wire.sse import MAX_EVENT_BYTES, EventDecoder


def to_chat_completion(message: Message, context: ReplyContext) -> tuple[bytes, ReplySummary]:
    """Return the completion of a whole message, and its summary; raises `InvalidReply`."""
    writer = CompletionWriter(context)
    reply = StreamedReply(writer, context)
    write_message(message, reply)
    return writer.body, reply.summary


class CompletionCollector:
    """Translates the bytes of a messages stream into one chat completion, for a client that did not ask for a stream.

    `feed` always returns `b""`. `close` returns the completion, or raises `InvalidReply` if the message is incomplete.
    An `error` event sets `error`, and `close` then returns the error body.

    Args:
        context: What the reply needs from the request.
        max_event_bytes: The largest event, in bytes.
    """

    def __init__(self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.error: StreamError | None = None
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._writer = CompletionWriter(context)
        self._reader = MessageReader(self._writer, context)
        self.summary: ReplySummary = self._reader.reply.summary

    @property
    def ended(self) -> bool:
        """Whether the message is complete or has failed. The rest of the stream is ignored."""
        return self.error is not None or self._reader.ended

    @property
    def started(self) -> bool:
        """Whether the message has begun."""
        return self._reader.reply.started

    def feed(self, piece: bytes) -> bytes:
        """Read the next piece of the messages stream.

        Args:
            piece: The bytes, cut anywhere.

        Raises:
            InvalidReply: The stream is not a valid message.
        """
        if self.error is None and not self._reader.ended:
            failure = self._reader.read(read_events(self._decoder, piece))
            if failure is not None:
                self.error = to_chat_error(failure.error, status_of(failure.error))
        return b""

    def close(self) -> bytes:
        """Return the completion, or the error body after an `error` event.

        Raises:
            InvalidReply: The message is incomplete.
        """
        if self.error is not None:
            return self.error.body
        if not self._reader.ended:
            raise incomplete_stream()
        return self._writer.body
