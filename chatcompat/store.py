"""Stores for signed thinking, which most clients do not send back.

A model that thinks before it calls tools expects its signed thinking back with the results. Most clients drop it. So
the `reasoning_details` of a reply with calls are stored with a digest of its prefix, under a key from
`chatcompat.reply.turn_keys`.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from chatcompat._options import check_number, wrong_type

__all__ = ["MAX_ENTRY_BYTES", "BatchThinkingStore", "MemoryStore", "ThinkingStore"]

MAX_ENTRY_BYTES: Final = 1024 * 1024
"""The largest value that any store receives, in bytes."""


class ThinkingStore(Protocol):
    """Stores signed thinking. A value has a few kilobytes, at most 1 MiB, and is needed for about an hour.

    An exception counts as a miss. A call is cancelled after `store_timeout` seconds, so a call in a thread must be
    abandonable: with anyio, `to_thread.run_sync(..., abandon_on_cancel=True)`.
    """

    async def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None.

        Args:
            key: The key, 32 bytes.
        """

    async def put(self, key: bytes, value: bytes) -> None:
        """Store a value.

        Args:
            key: The key, 32 bytes.
            value: The value, at most `MAX_ENTRY_BYTES` bytes.
        """


@runtime_checkable
class BatchThinkingStore(ThinkingStore, Protocol):
    """A `ThinkingStore` that looks up all turns of a request at once."""

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return the value of each key, or None, in the order of the keys.

        Args:
            keys: The keys, 32 bytes each.
        """


class MemoryStore:
    """A `ThinkingStore` in this process. When it is full, the least recently used values are evicted.

    All clients share its bounds. A client that stores very many values evicts those of others. Their requests still
    succeed, without the stored thinking.

    Args:
        max_entries: The highest number of values.
        max_bytes: The total size of all values, in bytes.
        max_entry_bytes: The largest value, in bytes. A larger one is not stored.
        max_age: Seconds until a value expires.
        clock: Returns the current time in seconds.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: A bound is not above 0.
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
        check_number("max_entries", max_entries, int, above=0)
        check_number("max_bytes", max_bytes, int, above=0)
        check_number("max_entry_bytes", max_entry_bytes, int, above=0)
        check_number("max_age", max_age, float, above=0)
        if not callable(clock) or isinstance(clock, type):
            raise wrong_type("clock", "a function that returns the time in seconds", clock)
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_entry_bytes = min(max_entry_bytes, max_bytes)
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._size = 0

    async def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None if it is absent or expired."""
        return self.find(key)

    async def put(self, key: bytes, value: bytes) -> None:
        """Store a value. If there is no room, evict the least recently used ones."""
        self.keep(key, value)

    def find(self, key: bytes) -> bytes | None:
        """Like `get`, for callers that cannot await."""
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
        """Like `put`, for callers that cannot await."""
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
