"""Native keys and hidden reasoning through the middleware: the headers and bytes of both sides."""

import json
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.simulator import create_app
from tests.asgi.driver import Inner, call, chat
from tests.asgi.test_thinking import BLOCKS, TOOLS, WANTED, Thinker, answered, credential
from tests.strategies.client import read_stream

pytestmark = pytest.mark.anyio

SERVERS = [{"type": "url", "url": "https://x", "name": "n"}]


async def betas(dialect: Dialect, headers: list[tuple[bytes, bytes]], **fields: Any) -> list[bytes]:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner, dialect=dialect), chat(**fields), headers=headers)
    assert reply.status == 200
    return [value for name, value in inner.scopes[0]["headers"] if name == b"anthropic-beta"]


async def test_betas_of_all_sides_are_one_header() -> None:
    own = [(b"anthropic-beta", b"a, b"), (b"anthropic-beta", b"c")]
    assert await betas(Dialect(), []) == []
    assert await betas(Dialect(), own) == [b"a,b,c"]
    assert await betas(Dialect(betas=("b", "e")), own, betas=["c", "d"]) == [b"a,b,c,d,e"]
    assert await betas(Dialect(), own, mcp_servers=SERVERS) == [b"a,b,c,mcp-client-2025-11-20"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("field", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}])
async def test_excluded_reasoning_is_in_no_reply_but_in_the_loop(stream: bool, field: Any) -> None:
    inner = Thinker(stream=stream)
    app = ChatCompatMiddleware(inner)
    reply = await call(app, chat(stream=stream, **WANTED, **field), headers=credential(b"key"))
    assert b"tool_calls" in reply.body
    assert b"reasoning" not in reply.body
    assert b"hm" not in reply.body
    await call(app, answered(), headers=credential(b"key"))
    assert inner.bodies[1]["messages"][1]["content"] == BLOCKS


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_chat_cannot_express_is_shown_without_the_reasoning(stream: bool, store: bool) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    redacted = {"type": "redacted_thinking", "data": "{r"}
    blocks = [redacted, BLOCKS[0], search, found, *BLOCKS[1:]]
    inner = Thinker(stream=stream, blocks=blocks)
    app = ChatCompatMiddleware(inner) if store else ChatCompatMiddleware(inner, store=None)
    reply = await call(app, chat(stream=stream, **WANTED, reasoning={"exclude": True}), headers=credential(b"key"))
    assert b"hm" not in reply.body
    assert b"{r" not in reply.body
    message = read_stream(reply.body)["message"] if stream else json.loads(reply.body)["choices"][0]["message"]
    assert [json.loads(entry["data"]) for entry in message["reasoning_details"]] == [search, found]
    body = json.loads(answered())
    body["messages"][1]["reasoning_details"] = message["reasoning_details"]
    await call(app, json.dumps(body).encode(), headers=credential(b"key"))
    assert inner.bodies[1]["messages"][1]["content"] == (blocks if store else blocks[2:])


async def test_a_native_history_gets_its_lost_thinking_back() -> None:
    inner = Thinker()
    app = ChatCompatMiddleware(inner)
    await call(app, chat(**WANTED), headers=credential(b"key"))
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "r"} for number in (1, 2)]
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    messages: list[Any] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": BLOCKS[1:]}]
    messages.append({"role": "user", "content": [*results, image]})
    await call(app, chat(messages=messages, **WANTED), headers=credential(b"key"))
    assert inner.bodies[1]["messages"][1]["content"] == BLOCKS
    messages += [{"role": "assistant", "content": BLOCKS[1:]}, {"role": "user", "content": results}]
    await call(app, chat(messages=messages, **WANTED), headers=credential(b"key"))
    assert inner.bodies[2]["messages"][3]["content"][0] == BLOCKS[0]
    copied = [{"id": f"toolu_{number}", "function": {"name": "f", "arguments": "{}"}} for number in (1, 2)]
    absent = {"type": "tool_use", "id": "toolu_2", "name": "f"}
    messages[1] = {"role": "assistant", "content": [*BLOCKS[1:3], absent], "tool_calls": copied}
    await call(app, chat(messages=messages[:3], **WANTED), headers=credential(b"key"))
    assert inner.bodies[3]["messages"][1]["content"] == BLOCKS


async def test_the_simulator_takes_a_chat_in_native_shapes() -> None:
    app = ChatCompatMiddleware(create_app())
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "r"}]}
    body = {
        "model": "sim-1",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result, {"type": "text", "text": "go on"}]},
        ],
        "tools": [*TOOLS, {"type": "mcp_toolset", "mcp_server_name": "n"}],
        "tool_choice": {"type": "auto"},
        "mcp_servers": SERVERS,
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}, {"type": "compact_20260112"}]},
        "output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 20_000}},
        "speed": "fast",
        "container": {"skills": [{"type": "anthropic", "skill_id": "pdf"}]},
        "top_k": 5,
    }
    reply = await call(app, json.dumps(body).encode())
    assert (reply.status, reply.headers.get("x-chatcompat-ignored")) == (200, None)
    lacking = await call(ChatCompatMiddleware(create_app(), dialect=Dialect(key_betas={})), json.dumps(body).encode())
    assert (lacking.status, lacking.error["message"]) == (400, "mcp_servers: Extra inputs are not permitted")
