"""Signed thinking: stored with a reply, and restored when the client sends the tool results.

If the store fails or hangs, a turn loses its thinking, and the exchange goes on.
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
    """A stored value: the digest of what comes before the turn, its thinking, and the native ids of its calls.

    `details` is empty for a turn without thinking. `lost` says that the thinking was too large to store.
    """

    prefix: bytes
    details: list[ReasoningDetail]
    ids: list[str] = []
    lost: bool = False


_decode_kept = msgspec.json.Decoder(Kept).decode


class ThinkingCache:
    """Uses a store for one request and its reply. The credentials in `headers` keep clients apart."""

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
        self._before = b""  # the link to the last turn of the tool loop
        self.lost: Sequence[tuple[AssistantMessage, bytes]] = lost_turns(self._messages)
        """The turns without their thinking, each with the digest of what it answers."""

    async def keep(self, turn: Turn, body: bytes) -> None:
        """Store the thinking of a reply. `body` is the messages request that it answers."""
        key = to_key(to_credential(self._headers), last_answered(self._messages) + self._before, turn)
        kept = Kept(digest_of_request(body), turn.details, turn.ids)
        value = _encode(kept) if _least_size(turn.details) <= MAX_ENTRY_BYTES else b""
        if key is None or not 0 < len(value) <= MAX_ENTRY_BYTES:
            _logger.warning("thinking could not be kept: its turn is too large")
            kept.details, kept.lost = [], True
            value = _encode(kept)
        if key is None or len(value) > MAX_ENTRY_BYTES:
            return
        if type(self._store) is MemoryStore:  # it does not wait, so it needs no task
            self._store.keep(key, value)
        else:
            await self._call_all([partial(self._store.put, key, value)], "thinking could not be kept: %s")

    async def restore(self) -> None:
        """Restore the thinking of all turns of the tool loop that lack it, or of none.

        The first turns of a loop may have had no thinking. But if a turn is missing in the store after one that is
        found, its thinking was lost, and nothing is restored. Thinking that was too large to store is missing in every
        later request too, so the thinking of later turns stays valid.
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
        native_ids, restored = dict[int, list[str]](), dict[int, bytes]()
        for (turn, _), found in zip(turns, whole, strict=False):
            index = index_of[id(turn)]
            native_ids[index] = found.ids
            if found.details:
                turn.reasoning_details = found.details
                restored[index] = found.prefix
        self._decoded.native_ids, self._decoded.restored = native_ids, restored

    def _keys(self, turns: Sequence[tuple[AssistantMessage, bytes]]) -> list[bytes | None]:
        """The key of each turn. `turns` are ordered from last to first."""
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
        """The stored values by key. Missing keys are left out."""
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
        """Call the store in concurrent tasks, so that a cancellation in the store does not cancel the exchange.

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


def _least_size(details: Iterable[ReasoningDetail]) -> int:
    """How many bytes the entries have at least: those of a far too large turn are not even encoded."""
    return sum(len(detail.text or "") + len(detail.data or "") for detail in details)


def to_kept(value: bytes) -> Kept:
    """Decode a stored value. Raises `ValueError` if `ThinkingCache` did not write it."""
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
