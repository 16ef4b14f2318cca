"""Ids of calls, each used once: some servers give the same one twice, in one reply or in every turn."""

import re
from hashlib import blake2b
from typing import Final

_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


def to_native_id(chat_id: str) -> str:
    """An id that the native side takes, the same for the same id."""
    if _ID.fullmatch(chat_id):
        return chat_id
    return "call_" + blake2b(chat_id.encode(), digest_size=12).hexdigest()


class UniqueIds:
    """Keeps the ids of one conversation or reply apart."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # each id that was given, and how many numbers were tried behind it

    def unique(self, call_id: str) -> str:
        """`call_id`, or where it was given before one like it that was not."""
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
