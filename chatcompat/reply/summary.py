"""The summary of a reply. It is collected while the reply is written, so nothing reads the output again."""

from typing import Any

from msgspec import Raw, Struct

from chatcompat.errors import ErrorReply
from chatcompat.reply.turn_keys import SaidTurn, Turn
from chatcompat.reply.usage import readable_usage
from chatcompat.wire.message_reply import NULL, Usage
from chatcompat.wire.plain_message import decode_usage


class ReplySummary(Struct, gc=False):
    """The summary of a reply so far.

    Attributes:
        id: The id of the completion. Empty until the reply begins.
        model: The model that the messages service named.
        finish_reason: The finish reason. Empty until the reply is complete.
        native_usage: The usage under its native names,
        raw_usage: or the same as JSON.
        error: The error that ended or replaced the reply.
        said: The content of a complete reply, if its signed thinking may be stored.
    """

    id: str = ""
    model: str = ""
    finish_reason: str = ""
    native_usage: Usage = {}
    raw_usage: Raw = NULL
    error: ErrorReply | None = None
    said: SaidTurn | None = None

    @property
    def thinking(self) -> Turn | None:
        """The turn whose thinking is stored. None unless the reply is complete and has calls and signed thinking."""
        return self.said.to_turn() if self.said is not None else None

    @property
    def usage(self) -> dict[str, Any] | None:
        """The usage under chat names, as plain values. None before the reply begins and after an error."""
        if not self.id or self.error is not None:
            return None
        return readable_usage(self.native_usage or decode_usage(self.raw_usage) or {})
