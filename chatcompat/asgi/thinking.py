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

from chatcompat.reply.turn_keys import Turn, last_answered, lost_turns, to_credential, to_key, to_turn
from chatcompat.store import MAX_ENTRY_BYTES, BatchThinkingStore, MemoryStore, ThinkingStore
from chatcompat.wire.chat_request import Message, ReasoningDetail

_logger: Final = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode_details = msgspec.json.Decoder(list[ReasoningDetail]).decode


class ThinkingCache:
    """Uses a store for one request and its reply. The credential in `headers` separates clients."""

    def __init__(
        self,
        store: ThinkingStore,
        timeout: float,
        headers: Sequence[tuple[bytes, bytes]],
        messages: Sequence[Message],
    ) -> None:
        self._store = store
        self._timeout = timeout
        self._headers = headers
        self._messages = messages

    async def keep(self, turn: Turn) -> None:
        """Store the thinking of the reply's turn."""
        key = to_key(to_credential(self._headers), last_answered(self._messages), turn)
        details = _encode(turn.details)
        if key is None or len(details) > MAX_ENTRY_BYTES:
            _logger.warning("thinking could not be kept: its turn is too large")
        elif type(self._store) is MemoryStore:  # it never waits, so it needs no task
            self._store.keep(key, details)
        else:
            await self._call_all([partial(self._store.put, key, details)], "thinking could not be kept: %s")

    async def restore(self) -> None:
        """Restore the thinking of each turn that lacks it."""
        turns = lost_turns(self._messages)
        if not turns:
            return
        credential = to_credential(self._headers)
        keys = [to_key(credential, answered, to_turn(turn)) for turn, answered in turns]
        values = await self._find({key for key in keys if key is not None})
        for (turn, _), key in zip(turns, keys, strict=True):
            if key in values:
                turn.reasoning_details = self._read(values[key])

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

    def _read(self, value: bytes) -> list[ReasoningDetail] | None:
        try:
            return to_details(value)
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


def to_details(value: bytes) -> list[ReasoningDetail]:
    """The thinking in a stored value. Raises `ValueError` if `ThinkingCache` did not write it."""
    if len(value) > MAX_ENTRY_BYTES:
        raise ValueError("the value is too large")
    details = _decode_details(value)
    if not all(map(_is_ours, details)) or not any(detail.type.startswith("reasoning.") for detail in details):
        raise ValueError("the value is not signed thinking")
    return details


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
