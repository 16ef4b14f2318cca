"""What a reply was: kept while the reply is written, so that nothing reads its own output again."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from chatcompat.chat import ReasoningDetail
from chatcompat.errors import InvalidReply
from chatcompat.messages import Usage
from chatcompat.usage import to_chat_usage, to_plain_usage

_encode = msgspec.json.Encoder().encode


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
    first_call: str = ""
    """The id of the first of the `tool_calls`."""
    details: Sequence[ReasoningDetail] = ()
    """The `reasoning_details`."""

    @property
    def usage(self) -> dict[str, Any] | None:
        """The usage under chat names, as plain values; None after an error, or if it cannot be read."""
        if not self.id or self.error_type:
            return None
        try:
            return to_plain_usage(to_chat_usage(self.native_usage))
        except InvalidReply:
            return None  # the client of the stream did not ask for it

    @property
    def thinking(self) -> tuple[str, bytes] | None:
        """The id of the first call and the details to keep under it; None while the reply is not whole."""
        if self.first_call and self.finish_reason and self.details:
            return self.first_call, _encode(self.details)
        return None
