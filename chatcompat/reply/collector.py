"""Messages, whole or as a stream -> one chat completion."""

from chatcompat.reply.blocks import StreamedReply, write_message
from chatcompat.reply.completion import CompletionWriter
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.errors import status_of, to_chat_error
from chatcompat.reply.message_reader import MessageReader
from chatcompat.reply.stream import StreamError
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import incomplete_stream, read_events
from chatcompat.wire.messages import Message
from chatcompat.wire.sse import MAX_EVENT_BYTES, EventDecoder


def to_chat_completion(message: Message, context: ReplyContext) -> tuple[bytes, ReplySummary]:
    """The completion of a whole message, and its summary; raises `InvalidReply`."""
    writer = CompletionWriter(context)
    reply = StreamedReply(writer, context)
    write_message(message, reply)
    return writer.body, reply.summary


class CompletionCollector:
    """Turns the bytes of a messages stream into one chat completion, for clients that asked for a whole reply.

    `feed` gives nothing; `close` gives the completion's bytes, or raises `InvalidReply` if it was not whole. After an
    `error` event `error` is set, and `close` gives the error body.
    """

    def __init__(self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.error: StreamError | None = None
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._writer = CompletionWriter(context)
        self._reader = MessageReader(self._writer, context)
        self.summary: ReplySummary = self._reader.reply.summary

    @property
    def ended(self) -> bool:
        """Whether all has been said: the rest of the messages stream is of no account."""
        return self.error is not None or self._reader.ended

    @property
    def started(self) -> bool:
        """Whether the message has begun."""
        return self._reader.reply.started

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece; raises `InvalidReply`."""
        if not self.ended:
            failure = self._reader.read(read_events(self._decoder, piece))
            if failure is not None:
                self.error = to_chat_error(failure.error, status_of(failure.error))
        return b""

    def close(self) -> bytes:
        """The completion; raises `InvalidReply`."""
        if self.error is not None:
            return self.error.body
        if not self._reader.ended:
            raise incomplete_stream()
        return self._writer.body
