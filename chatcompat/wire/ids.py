"""Unique ids of tool calls. Some servers repeat an id within one reply, or in every turn."""

import re
from hashlib import blake2b
from typing import Final

_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


def to_native_id(chat_id: str) -> str:
    """An id that the native API accepts; the same `chat_id` always gives the same id."""
    if _ID.fullmatch(chat_id):
        return chat_id
    return "call_" + blake2b(chat_id.encode(), digest_size=12).hexdigest()


class UniqueIds:
    """Makes the ids of one conversation or reply unique."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # for each id in use, the last number appended to it

    def unique(self, call_id: str) -> str:
        """`call_id`, or if it is in use already, `call_id` with a number appended."""
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
