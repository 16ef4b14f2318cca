"""Thinking that clients lose: kept by credential and turn, put back in its place, and never another tenant's."""

import json
import math
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, MemoryStore
from chatcompat.reply.turn_keys import MAX_LOOKUPS, lost_turns
from chatcompat.request import decode_chat_request
from tests.asgi.driver import REPLY, call, chat, frame

pytestmark = pytest.mark.anyio

TOOLS = [{"type": "function", "function": {"name": "f"}}]
BLOCKS = [
    {"type": "thinking", "thinking": "hm", "signature": "s1"},
    {"type": "text", "text": "so"},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
]
WANTED: dict[str, Any] = {"tools": TOOLS, "reasoning_effort": "low", "max_tokens": 9000}


class Thinker:
    """A messages app that thinks and calls tools, whole or streamed, and keeps what it got."""

    def __init__(self, *, stream: bool = False, blocks: list[Any] = BLOCKS) -> None:
        self.stream = stream
        self.blocks = blocks
        self.bodies: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(json.loads((await receive())["body"]))
        message = {**REPLY, "content": self.blocks, "stop_reason": "tool_use"}
        media = b"text/event-stream" if self.stream else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
        body = b"".join(map(frame, events(message))) if self.stream else json.dumps(message).encode()
        await send({"type": "http.response.body", "body": body})


def events(message: Any) -> list[Any]:
    made: list[Any] = [{"type": "message_start", "message": {**message, "content": []}}]
    for index, block in enumerate(message["content"]):
        made.append({"type": "content_block_start", "index": index, "content_block": block})
        made.append({"type": "content_block_stop", "index": index})
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}
    return [*made, end, {"type": "message_stop"}]


def answered(*, content: Any = "so") -> bytes:
    """The next request of a client that lost the thinking."""
    calls = [{"id": f"toolu_{number}", "function": {"name": "f", "arguments": "{}"}} for number in (1, 2)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "r"} for call in calls]
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    return chat(messages=[{"role": "user", "content": "hi"}, message, *results], **WANTED)


def credential(key: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Bearer " + key)]


async def loop(app: Any, inner: Thinker, *, stream: bool = False, second: bytes = b"key") -> tuple[Any, Any]:
    """Two turns; gives the second one's native body and its reply."""
    await call(app, chat(stream=stream, **WANTED), headers=credential(b"key"))
    reply = await call(app, answered(), headers=credential(second))
    return inner.bodies[1], reply


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_lost_thinking_is_put_back_in_its_place(stream: bool, streams: bool) -> None:
    inner = Thinker(stream=streams)
    body, reply = await loop(ChatCompatMiddleware(inner), inner, stream=stream)
    assert body["messages"][1]["content"] == BLOCKS
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert "x-chatcompat-ignored" not in reply.headers


async def test_a_model_that_thinks_once_in_a_loop_keeps_its_effort() -> None:
    inner = Thinker(blocks=[*BLOCKS[:2], {"type": "tool_use", "id": "toolu_0", "name": "f", "input": {"n": 0}}])
    app = ChatCompatMiddleware(inner)
    await call(app, chat(**WANTED))
    messages = [USER, *turn(0, content="so")]
    for number in (1, 2):
        inner.blocks = [{"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {"n": number}}]
        reply = await call(app, chat(messages=messages, **WANTED))
        assert "x-chatcompat-ignored" not in reply.headers
        assert inner.bodies[-1]["thinking"] == {"type": "enabled", "budget_tokens": 2048}
        assert inner.bodies[-1]["messages"][1]["content"][0] == BLOCKS[0]
        messages += turn(number)


@pytest.mark.parametrize("beside", [{}, {"x": 1}], ids=["known", "unknown"])
async def test_lost_thinking_is_put_back_among_native_blocks(beside: Any) -> None:
    inner = Thinker()
    app = ChatCompatMiddleware(inner)
    await call(app, chat(**WANTED), headers=credential(b"key"))
    results = [{"role": "tool", "tool_call_id": f"toolu_{number}", "content": "r"} for number in (1, 2)]
    blocks: list[Any] = BLOCKS[1:]
    said = {"role": "assistant", "content": [{**block, **beside} for block in blocks], **beside}
    user = {"role": "user", "content": "hi"}
    await call(app, chat(messages=[user, said, *results], **WANTED), headers=credential(b"key"))
    assert inner.bodies[1]["messages"][1]["content"] == BLOCKS


@pytest.mark.parametrize("beside", [{}, {"x": 1}], ids=["known", "unknown"])
def test_thinking_among_native_blocks_is_not_lost(beside: Any) -> None:
    thinking = [{"type": "thinking", "thinking": "hm", "signature": "s1"}]
    messages = [USER, *turn(0, content=thinking, **beside)]
    assert lost_turns(decode_chat_request(chat(messages=messages)).chat.messages) == []


async def test_another_credential_gets_none_of_it() -> None:
    inner = Thinker()
    body, reply = await loop(ChatCompatMiddleware(inner), inner, second=b"other")
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
    assert "thinking" not in body
    assert reply.headers["x-chatcompat-ignored"] == "reasoning_effort"


@pytest.mark.parametrize("shared", [False, True])
async def test_another_process_finds_thinking_in_a_shared_store_alone(shared: bool) -> None:
    """The second turn reaches a middleware that has seen nothing of the first."""
    inner, store = Thinker(), MemoryStore()
    first, second = (ChatCompatMiddleware(inner, store=store if shared else MemoryStore()) for _ in range(2))
    await call(first, chat(**WANTED), headers=credential(b"key"))
    reply = await call(second, answered(), headers=credential(b"key"))
    assert reply.status == 200
    assert reply.headers.get("x-chatcompat-ignored") == (None if shared else "reasoning_effort")
    assert (inner.bodies[1]["messages"][1]["content"] == BLOCKS) == shared
    assert ("thinking" in inner.bodies[1]) == shared


async def test_without_a_credential_or_a_store_nothing_is_kept() -> None:
    store = MemoryStore()
    await call(ChatCompatMiddleware(Thinker(), store=store), chat(**WANTED), headers=[])
    assert not store._entries
    inner = Thinker()
    body, _ = await loop(ChatCompatMiddleware(inner, store=None), inner)
    assert "thinking" not in body


async def test_a_reply_without_thinking_or_calls_is_not_kept() -> None:
    store = MemoryStore()
    for blocks in (BLOCKS[:2], BLOCKS[1:]):
        for stream in (False, True):
            app = ChatCompatMiddleware(Thinker(stream=stream, blocks=blocks), store=store)
            await call(app, chat(stream=stream, **WANTED))
    assert not store._entries


USER = {"role": "user", "content": "hi"}
PROSE = {"role": "assistant", "content": "so"}


def turn(number: int, **fields: Any) -> list[Any]:
    """A turn with a call, and its result."""
    one = {"id": f"c{number}", "function": {"name": "f", "arguments": json.dumps({"n": number})}}
    message = {"role": "assistant", "tool_calls": [one], **fields}
    return [message, {"role": "tool", "tool_call_id": one["id"], "content": "r"}]


TURNS = [message for number in range(100) for message in turn(number)]
LEGACY = [
    {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "r"},
]
KEPT = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}


@pytest.mark.parametrize(
    ("messages", "lost"),
    [
        pytest.param([USER], [], id="no turn"),
        pytest.param([USER, *TURNS[:4], PROSE, USER, *TURNS[4:8]], [3, 2], id="two loops"),
        pytest.param([USER, *TURNS[:3], USER, TURNS[3], USER], [1, 0], id="said between the results"),
        pytest.param([USER, *TURNS[:2], PROSE, *TURNS[2:4]], [1, 0], id="prose in the loop"),
        pytest.param(TURNS[:4], [1, 0], id="a chat that no user began"),
        pytest.param([USER, *turn(0, **KEPT), *TURNS[2:4]], [1], id="thinking that came back"),
        pytest.param([USER, TURNS[0], *TURNS[2:4]], [1, 0], id="two turns in a row"),
        pytest.param([USER, *TURNS[:2], PROSE], [], id="a prefill"),
        pytest.param([USER, *TURNS[:2], *LEGACY, *TURNS[2:4]], [1, None, 0], id="a legacy call"),
        pytest.param([USER, *TURNS], [*range(99, -1, -1)], id="many turns"),
        pytest.param([USER, *TURNS[0::2], TURNS[-1]], [*range(99, -1, -1)], id="many in a row"),
    ],
)
async def test_only_the_running_loop_is_looked_up(messages: list[Any], lost: list[Any]) -> None:
    asked: list[bytes] = []

    class Counting(MemoryStore):
        async def get(self, key: bytes) -> bytes | None:
            asked.append(key)
            return None

    body = chat(messages=messages, **WANTED)
    found = [message.tool_calls for message, _ in lost_turns(decode_chat_request(body).chat.messages)]
    assert [int(calls[0].id[1:]) if calls else None for calls in found] == lost
    await call(ChatCompatMiddleware(Thinker(), store=Counting()), body)
    assert len(asked) == len(set(asked)) == len(lost)


async def test_of_a_loop_that_is_too_long_nothing_is_looked_up() -> None:
    class Counting(MemoryStore):
        async def get(self, key: bytes) -> bytes | None:
            raise AssertionError("looked up")

    long = [message for number in range(MAX_LOOKUPS + 1) for message in turn(number)]
    reply = await call(ChatCompatMiddleware(Thinker(), store=Counting()), chat(messages=[USER, *long], **WANTED))
    assert reply.status == 200
    assert reply.headers["x-chatcompat-ignored"] == "reasoning_effort, messages[].reasoning_details"


# ---------------------------------------------------------------- the store in memory


async def test_entries_bytes_and_age_are_bounded() -> None:
    now = 0.0
    store = MemoryStore(max_entries=3, max_bytes=10, max_age=5, clock=lambda: now)
    for key in (b"a", b"b", b"c"):
        await store.put(key, b"1")
    assert await store.get(b"a") == b"1"
    await store.put(b"d", b"1")  # one too many: what was used longest ago goes
    assert [await store.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"1", None, b"1", b"1"]
    await store.put(b"e", b"x" * 9)  # too large beside the others
    assert (await store.get(b"e"), await store.get(b"a"), await store.get(b"d")) == (b"x" * 9, None, b"1")
    await store.put(b"d", b"x" * 11)  # too large at all; the older value is gone too
    assert await store.get(b"d") is None
    now = 5.0
    assert await store.get(b"e") == b"x" * 9
    now = 5.1
    assert await store.get(b"e") is None
    assert (len(store._entries), store._size) == (0, 0)


async def test_one_entry_is_bounded_so_that_it_evicts_no_other() -> None:
    store = MemoryStore(max_entry_bytes=2)
    await store.put(b"a", b"1")
    await store.put(b"b", b"123")
    assert (await store.get(b"a"), await store.get(b"b")) == (b"1", None)


@pytest.mark.parametrize("value", [0, -1, math.nan])
@pytest.mark.parametrize("bound", ["max_entries", "max_bytes", "max_entry_bytes", "max_age"])
async def test_the_bounds_are_checked(bound: str, value: float) -> None:
    with pytest.raises(ValueError, match=bound):
        MemoryStore(**{bound: value})  # type: ignore[arg-type]
