"""Thinking that clients lose, kept for the turn in which its calls come back.

A model that thinks before it calls tools wants its signed thinking back with the results, and nearly all clients lose
it. So the `reasoning_details` of a reply with calls are kept under the credential and the id of its first call. A store
that misses or fails costs the thinking of that turn, never the request.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from chatcompat.chat import AssistantMessage, ChatCompletionRequest, ReasoningDetail, ToolMessage

MAX_LOOKUPS: Final = 64
"""How many turns of one tool loop are looked up, the last ones."""


class ThinkingStore(Protocol):
    """Where thinking is kept: a few kilobytes a key, for about an hour. What it raises counts as a miss."""

    async def get(self, key: bytes) -> bytes | None:
        """The value under a key of 32 bytes, or None."""

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep a value under a key of 32 bytes."""


class MemoryStore:
    """Keeps thinking in this process, bounded in entries, bytes and age; what was used longest ago goes first."""

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        max_age: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, bound in {"max_entries": max_entries, "max_bytes": max_bytes, "max_age": max_age}.items():
            if bound <= 0:
                raise ValueError(f"{name} must be above 0, not {bound}")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._size = 0

    async def get(self, key: bytes) -> bytes | None:
        """The value, if it is there and not too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        kept_at, value = entry
        if self._clock() - kept_at > self._max_age:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep the value, in place of what was longest not used."""
        self._drop(key)
        if len(value) > self._max_bytes:
            return
        self._entries[key] = (self._clock(), value)
        self._size += len(value)
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry[1])


def to_key(credential: bytes, call_id: str) -> bytes:
    """32 bytes that no other credential and call have; neither can be read from them."""
    return blake2b(call_id.encode(), key=blake2b(credential, digest_size=32).digest(), digest_size=32).digest()


# ---------------------------------------------------------------- what is kept, and what is missed

decode_details = msgspec.json.Decoder(list[ReasoningDetail]).decode


def lost_turns(chat: ChatCompletionRequest) -> Iterator[tuple[AssistantMessage, str]]:
    """The turns of the running tool loop that came back without their thinking, and the id of each one's first call.

    From the end back to a user turn without results: only up to there does the native side want the thinking.
    """
    found, has_results, in_assistant_turn = 0, False, False
    for message in reversed(chat.messages):
        if isinstance(message, AssistantMessage):
            if not has_results or found == MAX_LOOKUPS:
                return
            in_assistant_turn = True
            if message.tool_calls and not message.reasoning_details:
                found += 1
                yield message, message.tool_calls[0].id
            continue
        if in_assistant_turn:
            has_results = in_assistant_turn = False
        has_results = has_results or isinstance(message, ToolMessage)
