"""The interface between an exchange and the request that it serves."""

from typing import Protocol

from chatcompat.errors import ErrorReply
from chatcompat.record import Operation
from chatcompat.reply.collector import CompletionCollector
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary


class ServedRequest(Protocol):
    """A translated request, and the translation of its reply. `Translation` and `TokenCount` implement it."""

    @property
    def body(self) -> bytes:
        """The body for the inner app."""

    @property
    def model(self) -> str:
        """The model id that the client sent."""

    @property
    def streaming(self) -> bool:
        """Whether the client asked for a stream."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Paths of the fields that were ignored."""

    @property
    def may_be_unchanged(self) -> bool:
        """Whether the request is conditional, so that a 304 is a valid reply."""

    @property
    def operation(self) -> Operation:
        """What the request asks for."""

    def whole_reply(self, body: bytes) -> tuple[bytes, ReplySummary]:
        """The client's body for a complete reply, and its summary. Raises `InvalidReply`."""

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        """The client's error for an error of the inner app."""

    def event_reader(self, *, max_event_bytes: int, max_held_bytes: int) -> ChunkStream | CompletionCollector | None:
        """The reader of an event stream: for a streaming client a `ChunkStream`. None if the reply cannot be one."""
