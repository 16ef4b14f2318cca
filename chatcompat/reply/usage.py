"""Translate native usage into chat usage."""

import math
from collections.abc import Iterable
from contextlib import suppress
from functools import reduce
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.reply.raw_blocks import decode_fields
from chatcompat.wire.chat_reply import PlainChatUsage
from chatcompat.wire.invalid_reply import MAX_USAGE_FIELDS, too_large_usage
from chatcompat.wire.message_reply import NULL, OutputTokensDetails, Usage

CHAT_SERVICE_TIERS: Final[dict[str, str]] = {"standard": "default", "priority": "priority"}
"""Chat names of native service tiers. A tier that is not here, such as `batch`, becomes null."""

_WRITTEN: Final = "cache_creation_input_tokens"
_READ: Final = "cache_read_input_tokens"
_DETAILS: Final = "output_tokens_details"

_encode = msgspec.json.Encoder().encode
# Python does not convert integers of more than 4,300 digits to text, so a sum must stay below that.
_MAX_BITS: Final = 14_000
_MAX_NUMBER: Final = 2**63

_count = msgspec.json.Decoder(int | None).decode
_any = msgspec.json.Decoder().decode
_text = msgspec.json.Decoder(str | None).decode
_output_details = msgspec.json.Decoder(OutputTokensDetails | None).decode


def to_service_tier(usage: Usage | PlainChatUsage) -> str | None:
    """Return the chat name of the tier in a usage, or None."""
    tier = usage.service_tier if isinstance(usage, PlainChatUsage) else usage.get("service_tier", UNSET)
    try:
        return None if tier is UNSET else CHAT_SERVICE_TIERS.get(_text(tier) or "")
    except DECODE_ERRORS:
        return None


def to_chat_usage(usage: Usage) -> dict[str, Any]:
    """Translate usage into chat names. Fields without a chat name are added unchanged.

    Native `input_tokens` exclude cached tokens, read or written. `prompt_tokens` include them.

    Raises `InvalidReply` for counts that are not integers or too large.
    """
    if len(usage) > MAX_USAGE_FIELDS:
        raise too_large_usage()
    try:
        extras = dict(usage)
        fresh, output = _count(extras.pop("input_tokens", NULL)), _count(extras.pop("output_tokens", NULL))
        # Many replies lack these. Not decoding a null for each takes half of the time.
        written = _count(extras.pop(_WRITTEN)) if _WRITTEN in extras else None
        read = _count(extras.pop(_READ)) if _READ in extras else None
        details = None
        if _DETAILS in extras:
            details = _output_details(extras[_DETAILS])
            if details is None or not _has_others(extras[_DETAILS]):
                del extras[_DETAILS]
    except DECODE_ERRORS:
        raise _unreadable() from None
    prompt, completion = (fresh or 0) + (read or 0) + (written or 0), output or 0
    if prompt.bit_length() > _MAX_BITS or completion.bit_length() > _MAX_BITS:
        raise _unreadable()
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


def _has_others(details: Raw) -> bool:
    """Whether `output_tokens_details` has fields that have no chat name, so that it is kept."""
    return not decode_fields(details).keys() <= {"thinking_tokens"}


def readable_usage(usage: Usage) -> dict[str, Any] | None:
    """Translate usage into chat names with plain values. Returns None if the token counts are invalid.

    Invalid fields are left out. So are fields with an integer of more than 64 bits, since observers cannot add up
    numbers of thousands of digits.
    """
    readable: dict[str, Any] = {}
    try:
        for name, value in to_chat_usage(usage).items():
            with suppress(*DECODE_ERRORS):
                field = _any(value) if isinstance(value, Raw) else value
                if _is_moderate(field):
                    readable[name] = field
    except InvalidReply:
        return None
    return readable


def _is_moderate(value: Any) -> bool:
    """Return whether each integer in a decoded value fits in 64 bits."""
    if isinstance(value, dict):
        return all(map(_is_moderate, value.values()))
    if isinstance(value, list):
        return all(map(_is_moderate, value))
    return not isinstance(value, int) or -_MAX_NUMBER <= value < _MAX_NUMBER


def add_counts(total: Usage, more: Usage) -> Usage:
    """Add two usages. Numbers are summed at any depth. A newer value of another type wins, unless it is null.

    Raises `InvalidReply` if numbers have no finite sum.
    """
    summed = dict(total)
    try:
        for name, count in more.items():
            before = summed.get(name)
            summed[name] = count if before is None else Raw(_encode(_sum(_any(before), _any(count))))
    except (*DECODE_ERRORS, ArithmeticError, ValueError):
        raise _unreadable() from None
    return summed


def join_usages(usages: Iterable[Usage]) -> Usage:
    """Sum chat usages, like `add_counts`. Of values that have no finite sum, the last is kept."""
    joined: Usage = {}
    for usage in usages:
        for name, count in usage.items():
            try:
                joined.update(add_counts({name: joined[name]} if name in joined else {}, {name: count}))
            except InvalidReply:
                joined[name] = count
    return joined


def sum_usages(usages: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Sum chat usages with plain values, like `add_counts`. Returns None without usages or a finite sum."""
    try:
        return reduce(_sum, usages, {}) or None
    except ArithmeticError:
        return None


def _sum(before: Any, count: Any) -> Any:
    if isinstance(count, dict) and isinstance(before, dict):
        added = {name: _sum(before[name], value) if name in before else value for name, value in count.items()}
        return before | added
    if _is_number(count) and _is_number(before):
        if not math.isfinite(before + count):
            raise ArithmeticError  # JSON has no infinity
        return before + count
    return before if count is None else count


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unreadable() -> InvalidReply:
    return InvalidReply("The messages service sent a usage that cannot be read.")
