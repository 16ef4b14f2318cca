"""What an exchange asks of the request that it serves."""

from typing import Protocol

from chatcompat.errors import ErrorReply
from chatcompat.reply.collector import CompletionCollector
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary


class ServedRequest(Protocol):
    """The request that an exchange serves, and the way of its reply back; a `Translation` is one."""

    @property
    def body(self) -> bytes:
        """What the inner app receives."""

    @property
    def model(self) -> str:
        """As the client named it."""

    @property
    def streaming(self) -> bool:
        """Whether the client asked for a stream."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Places of what was not sent on."""

    @property
    def may_be_unchanged(self) -> bool:
        """Whether the client asks only for what it does not have yet: a 304 is an answer then."""

    def whole_reply(self, body: bytes) -> tuple[bytes, ReplySummary]:
        """The client's body for a reply that came whole, and what it was; raises `InvalidReply`."""

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        """The client's error for an error of the inner app."""

    def event_reader(self, *, max_event_bytes: int, max_held_bytes: int) -> ChunkStream | CompletionCollector | None:
        """What reads an event stream; None where such a reply is none. To a client's stream it is a `ChunkStream`."""
