"""What a reply was: kept while the reply is written, so that nothing reads its own output again."""

from typing import Any

from msgspec import Struct

from chatcompat.reply.turn_keys import Turn
from chatcompat.reply.usage import readable_usage
from chatcompat.wire.messages import Usage


class ReplySummary(Struct, gc=False):
    """What a reply was, or is so far. What is not known yet is empty."""

    id: str = ""
    """The completion's id."""
    model: str = ""
    """The model that the messages service named."""
    finish_reason: str = ""
    """Empty while the reply is not whole."""
    native_usage: Usage = {}
    error_type: str = ""
    """`type` of the error that ended the reply, or that the client got in place of one."""
    thinking: Turn | None = None
    """The turn of a reply that is whole, if there is thinking to keep for its calls."""

    @property
    def usage(self) -> dict[str, Any] | None:
        """The usage as `readable_usage` gives it; None after an error."""
        return readable_usage(self.native_usage) if self.id and not self.error_type else None
