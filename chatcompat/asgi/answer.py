"""A complete reply for the client."""

from msgspec import Struct

from chatcompat.errors import ErrorReply
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary


class Answer(Struct, frozen=True):
    """A complete reply for the client. With `stream`, `body` is a complete stream."""

    status: int
    body: bytes
    summary: ReplySummary
    stream: ChunkStream | None = None


def to_answer(error: ErrorReply) -> Answer:
    """The client's reply for an error."""
    return Answer(error.status, error.body, ReplySummary(error=error))
