"""Choose how a reply is read, and read those that are translated when they are complete."""

from chatcompat.asgi.answer import Answer, to_answer
from chatcompat.asgi.headers import EVENT_STREAM, HeaderMap, is_encoded, is_json, media_type
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.served_request import ServedRequest
from chatcompat.errors import InvalidReply
from chatcompat.reply.collector import CompletionCollector
from chatcompat.reply.errors import ERROR_TYPES, status_of, to_chat_error
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import to_native_error


class WholeReply:
    """Collects the inner app's reply.

    Args:
        served: The request.
        limits: The limits of the exchange.
        status: The status of the reply.
        media: Its media type.
        encoded: Whether it has a content coding.
    """

    __slots__ = ("_encoded", "_limits", "_media", "_pieces", "_served", "_status", "collector", "started")

    def __init__(self, served: ServedRequest, limits: Limits, status: int, media: bytes | None, encoded: bool) -> None:
        self.collector: CompletionCollector | None = None  # set if the reply is an event stream
        self.started: bool = False  # white space and pings before a reply do not count
        self._served = served
        self._limits = limits
        self._status = status
        self._media = media
        self._encoded = encoded
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes, more_body: bool) -> Answer | None:
        """Add a piece. Returns the client's reply if this was the last piece, or is invalid."""
        try:
            collector = self.collector
            if collector is not None:
                collector.feed(piece)
                self.started = self.started or collector.started
                more_body = more_body and not collector.ended
            else:
                self._pieces.append(piece)
                self.started = self.started or bool(piece.strip())
            return None if more_body else self._answer()
        except InvalidReply as error:
            return self.refuse(error)

    def refuse(self, error: InvalidReply) -> Answer:
        """The client's error for an invalid reply."""
        native = to_native_error(b"".join(self._pieces))
        is_error = native.type in ERROR_TYPES  # a native error with a wrong status or content type
        return to_answer(to_chat_error(native, status_of(native)) if is_error else error.reply)

    def _answer(self) -> Answer:
        """Translate the complete reply. Raises `InvalidReply`."""
        served, body = self._served, b"".join(self._pieces)
        if self.collector is not None:
            if self.collector.error is not None:
                return to_answer(self.collector.error)
            return Answer(200, self.collector.close(), self.collector.summary)
        if self._status >= 400:  # noqa: PLR2004
            return to_answer(served.error_reply(self._status, b"" if self._encoded else body))
        if self._status == 304 and served.may_be_unchanged:  # noqa: PLR2004
            return Answer(304, b"", ReplySummary())
        if self._status != 200 or not is_json(self._media):  # noqa: PLR2004
            raise InvalidReply("The messages service sent a reply that is neither JSON nor an event stream.")
        if self._encoded:
            raise InvalidReply("The messages service sent a compressed reply. It must send uncompressed replies.")
        if served.streaming:
            return self._replay(body)
        completion, summary = served.whole_reply(body)
        return Answer(200, completion, summary)

    def _replay(self, body: bytes) -> Answer:
        """Send a complete reply as a stream, for a client that asked for one. Raises `InvalidReply`."""
        bound = self._limits.max_reply_bytes
        stream = self._served.event_reader(max_event_bytes=bound, max_held_bytes=bound)
        assert isinstance(stream, ChunkStream)  # noqa: S101 - the client asked for one
        chunks = stream.replay(body)
        return Answer(200, chunks, stream.summary, stream) if stream.error is None else to_answer(stream.error)


def to_reader(served: ServedRequest, limits: Limits, status: int, headers: HeaderMap) -> ChunkStream | WholeReply:
    """The reader of a reply, by its actual type: a `ChunkStream` if it is sent on piece by piece."""
    media, encoded = media_type(headers), is_encoded(headers)
    collector = None
    if status == 200 and not encoded and media == EVENT_STREAM:  # noqa: PLR2004
        reader = served.event_reader(max_event_bytes=limits.max_event_bytes, max_held_bytes=limits.max_reply_bytes)
        if isinstance(reader, ChunkStream):
            return reader
        collector = reader
    whole = WholeReply(served, limits, status, media, encoded)
    whole.collector = collector
    return whole
