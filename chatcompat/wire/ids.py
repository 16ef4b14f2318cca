"""Ids of tool calls: for chat clients, for the native API, and unique within a conversation.

Some clients renumber an id that does not begin with `call_`, is longer than 40 characters, or has further underscores.
`to_chat_id` returns an id that they keep, and `to_native_id` converts it back. Neither needs any state.
"""

import re
from typing import Final

from chatcompat.wire import digests

_LONGEST: Final = 40  # characters
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_KEPT_ID: Final = re.compile(r"call_[a-zA-Z0-9-]{1,35}")
# The vendor's ids begin with `toolu_`, `toolu_bdrk_` or `toolu_vrtx_`. Other ids are escaped, see `_ESCAPED_ID`.
_VENDOR_ID: Final = re.compile(r"call_toolu(bdrk|vrtx|)([A-Z0-9][a-zA-Z0-9]{0,29})")
_is_common: Final = re.compile(r"toolu_[A-Z0-9][a-zA-Z0-9]{0,29}").fullmatch  # nearly all ids
_ESCAPED_ID: Final = re.compile(r"call_-((?:[a-zA-Z0-9]|-[01]){1,34}+)")


def to_native_id(chat_id: str) -> str:
    """An id that the native API accepts. The same `chat_id` always gives the same id."""
    if chat_id.isascii() and chat_id.isidentifier() and not chat_id.startswith("call_toolu"):
        return chat_id  # most ids; the patterns below are slower
    if chat_id.startswith("call_toolu") and (vendor := _VENDOR_ID.fullmatch(chat_id)) is not None:
        service, rest = vendor.groups()
        return f"toolu_{service}_{rest}" if service else f"toolu_{rest}"
    if chat_id.startswith("call_-") and (escaped := _ESCAPED_ID.fullmatch(chat_id)) is not None:
        return escaped[1].replace("-1", "_").replace("-0", "-")
    if _ID.fullmatch(chat_id):
        return chat_id
    return _hashed(chat_id)


def to_chat_id(native_id: str) -> str:
    """An id that chat clients keep. `to_native_id` converts it back, unless `native_id` is too long."""
    if _is_common(native_id):
        return "call_toolu" + native_id[6:]  # as below, but three times as fast
    if native_id.startswith("toolu_"):
        chat_id = "call_" + native_id.replace("_", "")
        if _KEPT_ID.fullmatch(chat_id) and to_native_id(chat_id) == native_id:
            return chat_id
    elif native_id.startswith("call_") and _KEPT_ID.fullmatch(native_id) and to_native_id(native_id) == native_id:
        return native_id
    chat_id = "call_-" + native_id.replace("-", "-0").replace("_", "-1")
    return chat_id if len(chat_id) <= _LONGEST and _ID.fullmatch(native_id) else _hashed(native_id)


def _hashed(long_id: str) -> str:
    return "call_" + digests.blake2b(long_id.encode(), digest_size=12).hexdigest()


class UniqueIds:
    """Makes the ids of one conversation or reply unique."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # by id in use: the last number appended to it

    def unique(self, call_id: str) -> str:
        """Return `call_id`, with a number appended if it is already in use."""
        counts = self._counts
        if call_id not in counts:
            counts[call_id] = 1
            return call_id
        count, unique = counts[call_id], call_id
        while unique in counts:
            count += 1
            unique = f"{call_id}_{count}"
        counts[call_id] = count
        counts[unique] = 1
        return unique

    def take_new(self, ids: list[str]) -> bool:
        """Use ids as they are. If they are not all new, return False and use none."""
        counts = self._counts
        if len(ids) > 1:
            if len({*ids}) < len(ids) or not counts.keys().isdisjoint(ids):
                return False
            counts.update(dict.fromkeys(ids, 1))
        elif ids[0] in counts:
            return False
        else:
            counts[ids[0]] = 1
        return True
