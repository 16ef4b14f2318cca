"""Blocks that chat completions cannot express: carried as entries, and put back byte for byte in their places."""

import json
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, MemoryStore, translate
from tests.asgi.driver import REPLY, call, chat
from tests.asgi.test_thinking import Thinker
from tests.strategies.client import read_stream, read_whole, stream
from tests.strategies.replies import PLAIN, TOOLS, dumps, frames

HI = [{"role": "user", "content": "hi"}]
CODE = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}


def thinking(text: str) -> Any:
    return {"type": "thinking", "thinking": text, "signature": "c2ln"}


def used(number: int, **fields: Any) -> Any:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {}, **fields}


SERVER = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": '\u2028 "x"', "n": 1.5}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "x", "url": "https://x"}]}
TYPES = [
    SERVER,
    FOUND,
    {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {"stdout": "\n"}, "caller": None},
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "x", "input": {}, "server_name": "s"},
    {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": []},
    {"type": "compaction", "content": "short", "encrypted_content": None},
    {"type": "container_upload", "file_id": "file_1"},
    {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
    {"type": "hologram", "depth": [1.0, 10**30]},
    {"type": "redacted_thinking", "data": '{"odd": 1}'},
]
TURNS = [
    *([thinking("a"), block, thinking("b"), {"type": "text", "text": "c"}] for block in TYPES),
    [{"type": "text", "text": "a"}, SERVER, FOUND, {"type": "text", "text": "b"}, {"type": "text", "text": "c"}],
    [thinking("a"), SERVER, FOUND, {"type": "text", "text": "b"}, used(1), SERVER, used(2), used(3)],
    [SERVER, used(1, caller=CODE), used(2), used(3, toolset_name="browser"), FOUND],
    [used(1, caller=CODE, toolset_name="browser")],
    [used(1), used(2, caller=CODE), {"type": "text", "text": "b"}],
]


def native(blocks: list[Any]) -> Any:
    stop = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    return {**REPLY, "content": blocks, "stop_reason": stop}


def events_of(blocks: list[Any]) -> list[Any]:
    made: list[Any] = [{"type": "message_start", "message": {**native(blocks), "content": [], "stop_reason": None}}]
    for index, block in enumerate(blocks):
        made.append({"type": "content_block_start", "index": index, "content_block": block})
        made.append({"type": "content_block_stop", "index": index})
    stop = {"type": "message_delta", "delta": {"stop_reason": native(blocks)["stop_reason"]}, "usage": {}}
    return [*made, stop, {"type": "message_stop"}]


def sent_back(message: Any) -> tuple[list[Any], bytes]:
    """The blocks of the assistant's turn in the client's next request, and its bytes."""
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "r"} for one in message.get("tool_calls") or ()]
    body = {"model": "m", "tools": TOOLS, "messages": [*HI, {"content": None, **message}, *(results or HI)]}
    translation = translate(json.dumps(body).encode(), strict=True)
    turns = json.loads(translation.body)["messages"]
    for result in turns[2]["content"] if results else ():
        (call_of,) = [block for block in turns[1]["content"] if block.get("id") == result["tool_use_id"]]
        assert result.get("toolset_name") == call_of.get("toolset_name")
    return turns[1]["content"], translation.body


@pytest.mark.parametrize("blocks", TURNS)
@pytest.mark.parametrize("streamed", [False, True])
def test_blocks_go_back_byte_for_byte_in_their_places(blocks: list[Any], streamed: bool) -> None:
    if streamed:
        message = read_stream(stream([frames(events_of(blocks))], PLAIN))["message"]
    else:
        message = read_whole(PLAIN.reply(dumps(native(blocks)).encode()))["message"]
    content, body = sent_back(message)
    assert content == blocks
    for block in blocks:
        if block["type"] not in ("text", "thinking", "tool_use"):
            assert dumps(block).encode() in body


@pytest.mark.parametrize("blocks", TURNS)
def test_entries_have_the_types_that_clients_know(blocks: list[Any]) -> None:
    message = read_whole(PLAIN.reply(dumps(native(blocks)).encode()))["message"]
    entries = message["reasoning_details"]
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    assert len({entry["id"] for entry in entries}) == len(entries)
    for entry in entries:
        held = {"reasoning.text": {"text", "signature"}, "reasoning.encrypted": {"data"}}[entry["type"]]
        assert set(entry) == {"type", "index", "id", "format", "model", *held}
        assert entry["format"] == "anthropic-claude-v1"
        assert entry["model"] == REPLY["model"]


@pytest.mark.parametrize("blocks", TURNS)
def test_places_survive_a_client_that_drops_unknown_fields(blocks: list[Any]) -> None:
    message = read_whole(PLAIN.reply(dumps(native(blocks)).encode()))["message"]
    for entry in message["reasoning_details"]:
        del entry["model"]
    assert sent_back(message)[0] == blocks


DELTAS = [
    (
        {"type": "server_tool_use", "id": "s", "name": "n", "input": {}},
        [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a": ', "1.50}")],
        b'{"type":"server_tool_use","id":"s","name":"n","input":{"a": 1.50}}',
    ),
    (
        {"type": "compaction", "content": None},
        [{"type": "compaction_delta", "content": "short", "encrypted_content": None}],
        b'{"type":"compaction","content":"short"}',
    ),
    (
        {"type": "hologram", "data": "a"},
        [
            {"type": "hologram_delta", "data": "b"},
            {"type": "hologram_delta", "data": "c", "size": 3},
            {"type": "text_delta", "text": "d"},
            {"type": "thinking_delta", "thinking": "e"},
            {"type": "signature_delta", "signature": "f"},
            {"type": "hologram_delta", "size": 4},
        ],
        b'{"type":"hologram","data":"abc","size":4,"text":"d","thinking":"e","signature":"f"}',
    ),
    ({"type": "server_tool_use", "id": "s", "input": {}}, [{"type": "input_json_delta", "partial_json": '{"a'}], None),
    ({"type": "hologram", "data": 5}, [{"type": "hologram_delta", "data": "b"}], None),
]


@pytest.mark.parametrize(("start", "deltas", "whole"), DELTAS)
def test_deltas_of_a_block_are_put_together(start: Any, deltas: list[Any], whole: bytes | None) -> None:
    events = events_of([start, {"type": "text", "text": "x"}])
    events[2:2] = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    message = read_stream(stream([frames(events)], PLAIN))["message"]
    assert message["content"] == "x"
    if whole is None:
        assert "reasoning_details" not in message
    else:
        assert whole in sent_back(message)[1]


def test_a_block_without_end_is_bounded() -> None:
    of = PLAIN.stream(max_held_bytes=4000)
    events = events_of([{"type": "hologram", "data": ""}])
    of.feed(frames(events[:2]))
    for _ in range(100):
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta", "data": "x" * 100}}
        of.feed(frames([delta]))
    assert of.error is not None
    assert "too large" in json.loads(of.error.body)["error"]["message"]


@pytest.mark.parametrize("container", [None, {"id": "c_1", "expires_at": "2026-10-21T00:00:00Z"}])
@pytest.mark.parametrize("at", ["start", "end", "another delta"])
def test_the_container_is_a_field_of_the_reply(container: Any, at: str) -> None:
    blocks = [{"type": "text", "text": "x"}]
    whole = json.loads(PLAIN.reply(dumps({**native(blocks), "container": container}).encode()))
    assert whole.get("container") == container
    events = events_of(blocks)
    if at == "start":
        events[0]["message"]["container"] = container
    elif at == "end":
        events[-2]["delta"]["container"] = container
    else:
        events.insert(-1, {"type": "message_delta", "delta": {"container": container}, "usage": {}})
    assert read_stream(stream([frames(events)], PLAIN)).get("container") == container


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_blocks_go_through_the_store(streamed: bool) -> None:
    blocks = [thinking("a"), SERVER, FOUND, thinking("b"), used(1, caller=CODE)]
    inner = Thinker(stream=streamed, blocks=blocks)
    app = ChatCompatMiddleware(inner, store=MemoryStore())
    await call(app, chat(tools=TOOLS, stream=streamed))
    calls = [{"id": "toolu_1", "function": {"name": "f", "arguments": "{}"}}]
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "r"}
    messages = [*HI, {"role": "assistant", "content": None, "tool_calls": calls}, result]
    await call(app, chat(tools=TOOLS, messages=messages))
    assert inner.bodies[1]["messages"][1]["content"] == blocks
