"""Native usage -> chat usage."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.messages import Usage

SERVICE_TIERS: Final[dict[str, str]] = {"standard": "default", "priority": "priority"}
"""The tier that a request was served in; others, and `batch`, have no chat name: null."""

_NULL: Final = Raw(b"null")

_count = msgspec.json.Decoder(int | None).decode
_text = msgspec.json.Decoder(str | None).decode


class _OutputTokensDetails(Struct):
    thinking_tokens: int | None = None


_output_details = msgspec.json.Decoder(_OutputTokensDetails | None).decode


def to_service_tier(usage: Usage) -> str | None:
    """The chat name of the tier in a usage."""
    try:
        return SERVICE_TIERS.get(_text(usage.get("service_tier", _NULL)) or "")
    except DECODE_ERRORS:
        return None


def to_chat_usage(usage: Usage) -> dict[str, Any]:
    """Usage under chat names; what has no such name is added as it came.

    Native `input_tokens` leave out what was read from the cache or written to it; `prompt_tokens` are all of them.
    """
    try:
        extras = dict(usage)
        fresh, output = _count(extras.pop("input_tokens", _NULL)), _count(extras.pop("output_tokens", _NULL))
        written = _count(extras.pop("cache_creation_input_tokens", _NULL))
        read = _count(extras.pop("cache_read_input_tokens", _NULL))
        details = _output_details(extras.pop("output_tokens_details", _NULL))
    except DECODE_ERRORS:
        raise InvalidReply("The messages service sent a usage that cannot be read.") from None
    prompt, completion = (fresh or 0) + (read or 0) + (written or 0), output or 0
    counted: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if read is not None and written is not None:
        counted["prompt_tokens_details"] = {"cached_tokens": read, "cache_write_tokens": written}
    elif read is not None:
        counted["prompt_tokens_details"] = {"cached_tokens": read}
    elif written is not None:
        counted["prompt_tokens_details"] = {"cache_write_tokens": written}
    if details is not None and details.thinking_tokens is not None:
        counted["completion_tokens_details"] = {"reasoning_tokens": details.thinking_tokens}
    return counted | extras if counted.keys().isdisjoint(extras) else extras | counted


def to_plain_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """A chat usage with the values of native fields decoded."""
    return {name: msgspec.json.decode(value) if isinstance(value, Raw) else value for name, value in usage.items()}
