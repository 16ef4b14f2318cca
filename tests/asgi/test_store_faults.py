"""A store that fails or hangs costs the thinking of a turn: no exchange, no byte of a reply, and little time."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from chatcompat import ChatCompatMiddleware, Dialect, ExchangeRecord, MemoryStore
from chatcompat.store import MAX_ENTRY_BYTES
from tests.asgi.driver import Reply, call, chat
from tests.asgi.test_thinking import BLOCKS, TURNS, USER, WANTED, Thinker, answered

pytestmark = pytest.mark.anyio


class Stop(BaseException):
    """What no program is to catch."""


class Faulty(MemoryStore):
    """A store in which something happens at `put` or at `get`."""

    def __init__(self, *, put: "Fault | None" = None, get: "Fault | None" = None) -> None:
        super().__init__()
        self.faults = {"put": put, "get": get}
        self.asked: list[str] = []

    async def _meet(self, where: str) -> None:
        self.asked.append(where)
        if (fault := self.faults[where]) is not None:
            await fault()

    async def put(self, key: bytes, value: bytes) -> None:
        await self._meet("put")
        await super().put(key, value)

    async def get(self, key: bytes) -> bytes | None:
        await self._meet("get")
        return await super().get(key)


Fault = Callable[[], Awaitable[None]]


async def raises() -> None:
    raise ConnectionError("SECRET")


async def is_cancelled() -> None:
    """A task of its own was, as when it closes a connection; on trio nothing of that comes out of its scope."""
    if (cancelled := anyio.get_cancelled_exc_class()) is asyncio.CancelledError:
        raise cancelled
    raise ConnectionError("SECRET")


async def stops() -> None:
    raise Stop


FAULTS = pytest.mark.parametrize("fault", [anyio.sleep_forever, raises, is_cancelled], ids=lambda fault: fault.__name__)
FORMS = [pytest.mark.parametrize("stream", [False, True]), pytest.mark.parametrize("streams", [False, True])]


def each_form(test: Any) -> Any:
    """Whether the client asked for a stream, and whether the inner app sends one."""
    return FORMS[0](FORMS[1](test))


def is_whole(reply: Reply, *, stream: bool) -> bool:
    """Whether a client reads a finish reason and the end of the reply."""
    if not stream:
        return bool(reply.status == 200 and reply.json()["choices"][0]["finish_reason"] == "tool_calls")
    data = reply.data()
    return reply.complete and data[-1] == "[DONE]" and data[-2]["choices"][0]["finish_reason"] == "tool_calls"


@FAULTS
@each_form
async def test_a_reply_is_whole_whatever_put_does(fault: Fault, stream: bool, streams: bool) -> None:
    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(
        Thinker(stream=streams), store=Faulty(put=fault), store_timeout=0.05, on_exchange=records.append
    )
    with anyio.fail_after(2):
        reply = await call(app, chat(stream=stream, **WANTED))
    assert is_whole(reply, stream=stream)
    assert (records[0].finish_reason, records[0].error_type) == ("tool_calls", None)


@each_form
async def test_a_reply_is_whole_before_the_process_is_stopped(stream: bool, streams: bool) -> None:
    replies: list[Reply] = []

    async def note(reply: Reply) -> None:
        replies.append(reply)

    with pytest.raises(BaseException) as raised:  # noqa: PT011 - trio gives it in a group
        await call(
            ChatCompatMiddleware(Thinker(stream=streams), store=Faulty(put=stops)),
            chat(stream=stream, **WANTED),
            on_send=note,
        )
    assert isinstance(raised.value, Stop) or raised.group_contains(Stop)
    assert is_whole(replies[-1], stream=stream)


@each_form
async def test_a_reply_is_whole_when_its_server_stops_in_put(stream: bool, streams: bool) -> None:
    replies: list[Reply] = []

    async def note(reply: Reply) -> None:
        replies.append(reply)

    app = ChatCompatMiddleware(Thinker(stream=streams), store=Faulty(put=anyio.sleep_forever), store_timeout=math.inf)
    with anyio.move_on_after(0.1) as server:
        await call(app, chat(stream=stream, **WANTED), on_send=note)
    assert server.cancelled_caught
    assert is_whole(replies[-1], stream=stream)


@each_form
async def test_time_in_a_store_is_no_silence_of_the_inner_app(stream: bool, streams: bool) -> None:
    async def is_slow() -> None:
        await anyio.sleep(0.3)

    store = Faulty(put=is_slow)
    app = ChatCompatMiddleware(
        Thinker(stream=streams), store=store, store_timeout=5, idle_timeout=0.1, first_byte_timeout=0.1
    )
    reply = await call(app, chat(stream=stream, **WANTED))
    assert is_whole(reply, stream=stream)
    assert len(store._entries) == 1


@FAULTS
async def test_a_request_is_served_whatever_get_does(
    fault: Fault, anyio_backend_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store, inner = Faulty(get=fault), Thinker()
    app = ChatCompatMiddleware(inner, store=store, store_timeout=0.05)
    await call(app, chat(**WANTED))
    with anyio.fail_after(2), caplog.at_level(logging.DEBUG, "chatcompat"):
        reply = await call(app, answered())
    assert store.asked == ["put", "get", "put"]
    assert reply.status == 200
    assert reply.headers["x-chatcompat-ignored"] == "reasoning_effort"
    assert "thinking" not in inner.bodies[1]
    assert "SECRET" not in caplog.text
    told = "TimeoutError" if fault is anyio.sleep_forever else "ConnectionError"
    if fault is is_cancelled and anyio_backend_name == "asyncio":
        told = "CancelledError"
    assert caplog.messages == [f"thinking could not be restored: {told}"]


async def test_what_get_raises_to_stop_the_process_stops_it() -> None:
    app = ChatCompatMiddleware(Thinker(), store=Faulty(get=stops))
    with pytest.raises(Stop):
        await call(app, answered())


async def test_all_turns_are_looked_up_at_once_and_none_of_a_loop_with_a_hole() -> None:
    """Fifty turns of 0.1 s each, and one that never comes."""

    class Slow(MemoryStore):
        asked = 0

        async def get(self, key: bytes) -> bytes | None:
            Slow.asked += 1
            await anyio.sleep(0.1 if Slow.asked != 7 else math.inf)
            details = [{"type": "reasoning.text", "text": "", "signature": "s"}, {"type": "tool_call"}]
            return json.dumps({"prefix": "", "details": details}).encode()

    inner = Thinker()
    app = ChatCompatMiddleware(inner, store=Slow(), store_timeout=1)
    began = time.monotonic()
    reply = await call(app, chat(messages=[USER, *TURNS[:100]], **WANTED))
    assert time.monotonic() - began < 3
    assert "messages[].reasoning_details" in reply.headers["x-chatcompat-ignored"]
    starts = {turn["content"][0]["type"] for turn in inner.bodies[0]["messages"] if turn["role"] == "assistant"}
    assert starts == {"tool_use"}


async def test_a_client_that_leaves_while_get_hangs_ends_its_request() -> None:
    leave = anyio.Event()
    records: list[ExchangeRecord] = []

    async def leaves() -> None:
        leave.set()
        await anyio.sleep_forever()

    class Silent(Thinker):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await anyio.sleep_forever()

    app = ChatCompatMiddleware(
        Silent(), store=Faulty(get=leaves), store_timeout=0.1, disconnect_grace=0.1, on_exchange=records.append
    )
    with anyio.fail_after(2):
        reply = await call(app, answered(), leave=leave)
    assert not reply.messages
    assert [record.error_type for record in records] == ["client_disconnected"]


@pytest.mark.parametrize("value", [b"nope", b"[]", b'[{"type":"x"}]', b'[{"type":"tool_call"}]', 7, "[1]"])
async def test_a_value_that_was_not_written_here_counts_as_a_miss(value: Any) -> None:
    class Odd(MemoryStore):
        async def get(self, key: bytes) -> bytes | None:
            return value  # type: ignore[no-any-return]

    reply = await call(ChatCompatMiddleware(Thinker(), store=Odd(), strict=True), answered())
    assert reply.error["param"] == "reasoning_effort", "of what is ignored, the first is what a lost turn costs"


@pytest.mark.parametrize(
    "value",
    [
        b'[{"type":"reasoning.text","text":"x"}]',
        b'[{"type":"reasoning.encrypted"}]',
        b'[{"type":"reasoning.text","text":"","signature":"s"},{"type":"content"}]',
        b'[{"type":"reasoning.text","text":"","signature":"s"},{"type":"content","length":-1}]',
        b'[{"type":"reasoning.text","signature":"' + b"s" * MAX_ENTRY_BYTES + b'"}]',
    ],
    ids=range(5),
)
async def test_thinking_that_is_damaged_counts_as_a_miss(value: bytes) -> None:
    class Damaged(MemoryStore):
        async def get(self, key: bytes) -> bytes | None:
            return value

    inner = Thinker()
    await call(ChatCompatMiddleware(inner, store=Damaged()), answered())
    assert [block["type"] for block in inner.bodies[0]["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "x" * MAX_ENTRY_BYTES, "signature": "s"},
        {"type": "tool_use", "id": "x", "name": "f", "input": {"x": "x" * MAX_ENTRY_BYTES}},
    ],
    ids=["thinking", "arguments"],
)
@each_form
async def test_no_store_is_given_the_thinking_of_a_turn_too_large(
    shared: bool, block: Any, stream: bool, streams: bool
) -> None:
    store = Faulty() if shared else MemoryStore()
    app = ChatCompatMiddleware(Thinker(stream=streams, blocks=[*BLOCKS, block]), store=store)
    assert is_whole(await call(app, chat(stream=stream, **WANTED)), stream=stream)
    values = [value for _, value in store._entries.values()]
    assert [json.loads(value)["details"] for value in values] == ([[]] if block["type"] == "thinking" else [])


@pytest.mark.parametrize("wanted", [Dialect(reasoning="none"), lambda model: Dialect(reasoning="none")])
async def test_a_model_without_thinking_costs_no_store(wanted: Any) -> None:
    """Nor does a second turn fail where nothing is to be ignored, since what it cannot take is not put back."""
    store, inner = Faulty(), Thinker()
    fields = {name: value for name, value in WANTED.items() if name != "reasoning_effort"}
    await call(ChatCompatMiddleware(inner, store=store), chat(**fields))
    assert store.asked == ["put"]
    app = ChatCompatMiddleware(inner, store=store, dialect=wanted, strict=True)
    body = {name: value for name, value in json.loads(answered()).items() if name != "reasoning_effort"}
    reply = await call(app, chat(**body))
    assert (reply.status, store.asked) == (200, ["put"])


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
async def test_the_time_of_a_store_is_checked(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"store_timeout must be (above 0|a number)"):
        ChatCompatMiddleware(Thinker(), store_timeout=seconds)


async def test_a_request_without_lost_turns_asks_nothing_and_starts_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Faulty(get=anyio.sleep_forever)
    monkeypatch.setattr("chatcompat.asgi.thinking.anyio", None)
    for blocks in (BLOCKS[:2], BLOCKS[1:]):
        assert (await call(ChatCompatMiddleware(Thinker(blocks=blocks), store=store), chat(**WANTED))).status == 200
    assert not store.asked


async def test_the_store_in_memory_is_asked_without_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Thinker()
    monkeypatch.setattr("chatcompat.asgi.thinking.anyio", None)
    app = ChatCompatMiddleware(inner)
    await call(app, chat(**WANTED))
    await call(app, answered())
    assert inner.bodies[1]["messages"][1]["content"] == BLOCKS


async def test_a_call_that_calls_nothing_is_refused_as_without_a_store() -> None:
    turn = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]}
    body = chat(messages=[USER, turn, {"role": "tool", "tool_call_id": "c", "content": "r"}], **WANTED)
    replies = [await call(ChatCompatMiddleware(Thinker(), store=store), body) for store in (MemoryStore(), None)]
    assert [reply.status for reply in replies] == [400, 400]
    assert replies[0].error == replies[1].error
