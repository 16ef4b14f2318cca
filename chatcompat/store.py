"""Where thinking that clients lose is kept, for the turn in which its calls come back.

A model that thinks before it calls tools wants its signed thinking back with the results, and nearly all clients lose
it. So the `reasoning_details` of a reply with calls are kept, under a key that `chatcompat.reply.turn_keys` makes.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["MAX_ENTRY_BYTES", "MemoryStore", "ThinkingStore"]

MAX_ENTRY_BYTES: Final = 1024 * 1024
"""The largest value that any store is given."""


class ThinkingStore(Protocol):
    """Where thinking is kept: a few kilobytes a key and at most 1 MiB, for about an hour.

    What it raises counts as a miss. After `store_timeout` it is cancelled, so a call in a thread must be one that can
    be abandoned: with anyio, `to_thread.run_sync(..., abandon_on_cancel=True)`.
    """

    async def get(self, key: bytes) -> bytes | None:
        """The value under a key of 32 bytes, or None."""

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep a value under a key of 32 bytes."""


class MemoryStore:
    """Keeps thinking in this process, bounded in entries, bytes and age; what was used longest ago goes first.

    The bounds are shared by all who use it. A value above `max_entry_bytes` is not kept, so that no single one takes
    the place of all others; a client that makes very many does so in time, and costs the others thinking, not requests.
    """

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        max_entry_bytes: int = MAX_ENTRY_BYTES,
        max_age: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        bounds = {
            "max_entries": max_entries,
            "max_bytes": max_bytes,
            "max_entry_bytes": max_entry_bytes,
            "max_age": max_age,
        }
        for name, bound in bounds.items():
            if not bound > 0:  # nor is NaN
                raise ValueError(f"{name} must be above 0, not {bound}")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_entry_bytes = min(max_entry_bytes, max_bytes)
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._size = 0

    async def get(self, key: bytes) -> bytes | None:
        """The value, if it is there and not too old."""
        return self.find(key)

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep the value, in place of what was longest not used."""
        self.keep(key, value)

    def find(self, key: bytes) -> bytes | None:
        """`get`, for callers that do not wait."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        kept_at, value = entry
        if self._clock() - kept_at > self._max_age:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    def keep(self, key: bytes, value: bytes) -> None:
        """`put`, for callers that do not wait."""
        self._drop(key)
        if len(value) > self._max_entry_bytes:
            return
        self._entries[key] = (self._clock(), value)
        self._size += len(value)
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry[1])
