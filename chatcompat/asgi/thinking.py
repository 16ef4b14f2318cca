"""Thinking of one client's turns: stored with a reply, and restored when the client sends the tool results.

If the store fails or hangs, a turn loses its thinking. The exchange goes on.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Final

import anyio
import msgspec
from anyio.lowlevel import checkpoint_if_cancelled

from chatcompat.reply.turn_keys import (
    MAX_LOOKUPS,
    Turn,
    last_answered,
    lost_turns,
    to_credential,
    to_key,
    to_link,
    to_turn,
)
from chatcompat.request import Decoded
from chatcompat.request.prefix import digest_of_request
from chatcompat.store import MAX_ENTRY_BYTES, BatchThinkingStore, MemoryStore, ThinkingStore
from chatcompat.wire.chat_request import AssistantMessage, ReasoningDetail

_logger: Final = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class Kept(msgspec.Struct):
    """A stored value: the digest of what stood before the turn, its thinking, and the native ids of its calls.

    `details` is empty for a turn that did not think, and for one whose thinking was too large to keep: `lost`.
    """

    prefix: bytes
    details: list[ReasoningDetail]
    ids: list[str] = []
    lost: bool = False


_decode_kept = msgspec.json.Decoder(Kept).decode


class ThinkingCache:
    """Uses a store for one request and its reply. The credential in `headers` separates clients."""

    def __init__(
        self,
        store: ThinkingStore,
        timeout: float,
        headers: Sequence[tuple[bytes, bytes]],
        decoded: Decoded,
    ) -> None:
        self._store = store
        self._timeout = timeout
        self._headers = headers
        self._decoded = decoded
        self._messages = decoded.chat.messages
        self._before = b""  # the link to the loop's last turn
        self.lost: Sequence[tuple[AssistantMessage, bytes]] = lost_turns(self._messages)
        """The turns that lack their thinking, each with the digest of what it answers."""

    async def keep(self, turn: Turn, body: bytes) -> None:
        """Store the thinking of the reply's turn. `body` is the messages request that it answers."""
        key = to_key(to_credential(self._headers), last_answered(self._messages) + self._before, turn)
        kept = Kept(digest_of_request(body), turn.details, turn.ids)
        value = _encode(kept)
        if key is None or len(value) > MAX_ENTRY_BYTES:
            _logger.warning("thinking could not be kept: its turn is too large")
            kept.details, kept.lost = [], True
            value = _encode(kept)
        if key is None or len(value) > MAX_ENTRY_BYTES:
            return
        if type(self._store) is MemoryStore:  # it never waits, so it needs no task
            self._store.keep(key, value)
        else:
            await self._call_all([partial(self._store.put, key, value)], "thinking could not be kept: %s")

    async def restore(self) -> None:
        """Restore the thinking of the turns that lack it: of the whole loop, or of none.

        The first turns may have had none, which the digests tell. A turn that is missing behind another was lost. The
        thinking of a turn that was too large to keep is missing in all later requests, so theirs is still valid.
        """
        turns = self.lost
        if len(turns) > MAX_LOOKUPS:
            self._decoded.thinking_lost = True
            return
        keys = self._keys(turns)
        values = await self._find({key for key in keys if key is not None})
        kept = [self._read(values[key]) if key in values else None for key in keys]
        self._decoded.thinking_lost = None in keys or any(found is not None and found.lost for found in kept)
        while kept and kept[-1] is None:
            kept.pop()
        whole = [found for found in kept if found is not None]
        if len(whole) < len(kept):
            self._decoded.thinking_lost = True
            return
        index_of = {id(message): index for index, message in enumerate(self._messages)}
        for (turn, _), found in zip(turns, whole, strict=False):
            index = index_of[id(turn)]
            self._decoded.native_ids[index] = found.ids
            if found.details:
                turn.reasoning_details = found.details
                self._decoded.restored[index] = found.prefix

    def _keys(self, turns: Sequence[tuple[AssistantMessage, bytes]]) -> list[bytes | None]:
        """The key of each turn. `turns` goes from the last to the first."""
        credential = to_credential(self._headers)
        keys: list[bytes | None] = []
        for turn, answered in reversed(turns):
            said = to_turn(turn)
            key = to_key(credential, answered + self._before, said)
            if key is not None:
                self._before = to_link(key, said)
            keys.append(key)
        return keys[::-1]

    async def _find(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """The stored values by key, without the missing ones."""
        values: dict[bytes, bytes | None] = {}

        async def get(key: bytes) -> None:
            values[key] = await self._store.get(key)

        async def get_many(store: BatchThinkingStore) -> None:
            values.update(zip(keys, await store.get_many(list(keys)), strict=True))

        warning = "thinking could not be restored: %s"
        if type(self._store) is MemoryStore:
            values = {key: self._store.find(key) for key in keys}
        elif isinstance(self._store, BatchThinkingStore):
            await self._call_all([partial(get_many, self._store)], warning)
        else:
            await self._call_all([partial(get, key) for key in keys], warning)
        return {key: value for key, value in values.items() if value is not None}

    def _read(self, value: bytes) -> Kept | None:
        try:
            return to_kept(value)
        except Exception as error:  # noqa: BLE001 - a store can return anything
            _logger.warning("thinking could not be restored: %s", type(error).__name__)
            return None

    async def _call_all(self, calls: Iterable[Callable[[], Awaitable[None]]], warning: str) -> None:
        """Call the store concurrently, in tasks, so that a cancellation in the store does not cancel the exchange.

        Exceptions are logged by type. A `BaseException` that is not an `Exception` is raised after the last call.
        """
        faults: list[BaseException] = []

        async def collect(call: Callable[[], Awaitable[None]]) -> None:
            try:
                await call()
            except BaseException as error:  # noqa: BLE001 - logged or raised below
                faults.append(error)

        with anyio.move_on_after(self._timeout) as scope:
            async with anyio.create_task_group() as tasks:
                for call in calls:
                    tasks.start_soon(collect, call)
        await checkpoint_if_cancelled()  # raises a cancellation by the server, which `collect` caught
        cancelled = anyio.get_cancelled_exc_class()
        if scope.cancel_called:
            faults = [TimeoutError(), *(fault for fault in faults if not isinstance(fault, cancelled))]
        for fault in faults:
            if not isinstance(fault, (Exception, cancelled)):
                raise fault
        if faults:
            _logger.warning(warning, ", ".join(sorted({type(fault).__name__ for fault in faults})))


def to_kept(value: bytes) -> Kept:
    """The thinking in a stored value. Raises `ValueError` if `ThinkingCache` did not write it."""
    if len(value) > MAX_ENTRY_BYTES:
        raise ValueError("the value is too large")
    kept = _decode_kept(value)
    details = kept.details
    is_thinking = any(detail.type.startswith("reasoning.") for detail in details) or not details
    if not all(map(_is_ours, details)) or not is_thinking:
        raise ValueError("the value is not signed thinking")
    return kept


def _is_ours(detail: ReasoningDetail) -> bool:
    match detail.type:
        case "reasoning.text":
            return bool(detail.signature)
        case "reasoning.encrypted":
            return bool(detail.data)
        case "content":
            return bool(detail.length)
        case kind:
            return kind == "tool_call"
