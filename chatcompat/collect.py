"""Stream events -> one chat completion, for clients that asked for a whole reply of an app that streams."""

from chatcompat.builder import MessageBuilder
from chatcompat.events import SkippedBlock, incomplete_stream, read_events
from chatcompat.messages import ErrorEvent, Event, Message
from chatcompat.origin import Origin
from chatcompat.response import to_chat_completion
from chatcompat.sse import MAX_EVENT_BYTES, EventDecoder
from chatcompat.stream import StreamError, to_failure


class CompletionCollector:
    """Turns the bytes of a messages stream into one chat completion, for clients that asked for a whole reply.

    `feed` gives nothing; `close` gives the completion's bytes, or raises `InvalidReply` if it was not whole. After an
    `error` event `error` is set, and `close` gives the error body.
    """

    def __init__(self, origin: Origin, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.error: StreamError | None = None
        self._origin = origin
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._builder = MessageBuilder()
        self._message: Message | None = None

    @property
    def ended(self) -> bool:
        """Whether all has been said: the rest of the messages stream is of no account."""
        return self.error is not None or self._message is not None

    @property
    def started(self) -> bool:
        """Whether the message has begun."""
        return self._builder.started

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece; raises `InvalidReply`."""
        if not self.ended:
            # Reading stops at the end: what a server sends behind it cannot spoil the reply.
            any(self._ends(event) for event in read_events(self._decoder, piece))
        return b""

    def close(self) -> bytes:
        """The completion; raises `InvalidReply`."""
        if self.error is not None:
            return self.error.body
        if self._message is None:
            raise incomplete_stream()
        return to_chat_completion(self._message, self._origin)

    def _ends(self, event: Event | SkippedBlock | None) -> bool:
        if isinstance(event, ErrorEvent):
            self.error = to_failure(event, started=False)
        else:
            self._message = self._builder.add(event)
        return self.ended
