"""`pause_turn`: the inner app is called again with the turn so far, and the client sees one reply."""

import json
import re
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import Reply, call, chat, frame
from tests.extensions import EXTENSIONS
from tests.vendor import chat_sse, check_chat_reply, check_messages_request

pytestmark = pytest.mark.anyio

SEARCH = {"type": "web_search_20260318", "name": "web_search"}
QUERY = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CITED = {
    "type": "web_search_result_location",
    "cited_text": "x",
    "encrypted_index": "e",
    "url": "https://x/1",
    "title": "T",
}


def text(content: str, **more: Any) -> Any:
    return {"type": "text", "text": content, **more}


def part(number: int, content: list[Any], stop: str = "pause_turn") -> Any:
    usage = {"input_tokens": number, "output_tokens": 10, "credits_consumed": 100, "server_tool_use": {"searches": 1}}
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
PARTS = [
    part(1, [THINKING, text("Let me "), QUERY, FOUND]),
    part(2, [text("see: "), text("x", citations=[CITED])]),
    part(3, [text("."), {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}], "tool_use"),
]
DELTAS = {
    "text": [("text_delta", "text")],
    "thinking": [("thinking_delta", "thinking"), ("signature_delta", "signature")],
}


def events(message: Any) -> list[Any]:
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    made: list[Any] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        kind, deltas = block["type"], []
        begun = {**block, **{field: "" for _, field in DELTAS.get(kind, ())}}
        if "citations" in block:
            begun["citations"] = None
        if "input" in block:
            begun["input"] = {}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", json.dumps(block["input"]))]
        deltas += [{"type": delta, field: block[field]} for delta, field in DELTAS.get(kind, ())]
        deltas += [{"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ()]
        made.append({"type": "content_block_start", "index": index, "content_block": begun})
        made += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        made.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    if "container" in message:
        end["container"] = message["container"]
        del start["container"]
    usage = {"output_tokens": 10, "input_tokens": None, "credits_consumed": 100}
    return [*made, {"type": "message_delta", "delta": end, "usage": usage}, {"type": "message_stop"}]


def unescaped(raw: bytes) -> bytes:
    """JSON in whose texts nothing is escaped."""
    pair = re.compile(r"((?:\\u[0-9a-f]{4})+)")
    return pair.sub(lambda found: str(json.loads(f'"{found[1]}"')), raw.decode()).encode()


class Pausing:
    """A messages app that answers each request with the next part, whole or streamed, in pieces of any size."""

    def __init__(self, parts: list[Any], *, stream: bool, size: int = 10_000) -> None:
        self.parts = list(parts)
        self.stream = stream
        self.size = size
        self.ensure_ascii = True
        self.buffer: Any = bytes
        self.bodies: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        assert dict(scope["headers"])[b"content-length"] == str(len(body)).encode()
        self.bodies.append(json.loads(body))
        given = self.parts.pop(0)
        if callable(given):
            await given(send)
            return
        media = b"text/event-stream" if self.stream else b"application/json"
        raw = b"".join(map(frame, events(given))) if self.stream else json.dumps(given).encode()
        raw = raw if self.ensure_ascii else unescaped(raw)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
        for cut in range(0, len(raw), self.size):
            piece = self.buffer(raw[cut : cut + self.size])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


TOOLS = [SEARCH, {"type": "function", "function": {"name": "f"}}]


async def ask(inner: Any, *, stream: bool, **options: Any) -> Reply:
    app = ChatCompatMiddleware(inner, **options)
    fields = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    reply = await call(app, chat(tools=TOOLS, **fields))
    assert reply.complete
    return reply


USAGE = {"prompt_tokens": 6, "completion_tokens": 30, "total_tokens": 36}


def check(reply: Reply, *, stream: bool) -> None:
    allow = (*EXTENSIONS, "searches")
    if stream:
        assert chat_sse(reply.body, include_usage=True, allow=allow) == []
        chunks = [chunk for chunk in reply.data() if chunk != "[DONE]"]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        assert reply.text() == "Let me see: x."
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        arguments = "".join(call["function"]["arguments"] for call in calls)
        notes = [note for delta in deltas for note in delta.get("annotations", ())]
        finish, usage = chunks[-2]["choices"][0]["finish_reason"], chunks[-1]["usage"]
        assert {chunk["id"] for chunk in chunks} == {"chatcmpl_1"}
    else:
        completion = reply.json()
        assert check_chat_reply(completion, allow=allow) == []
        choice = completion["choices"][0]
        assert choice["message"]["content"] == "Let me see: x."
        arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
        notes = choice["message"]["annotations"]
        finish, usage = choice["finish_reason"], completion["usage"]
        assert completion["id"] == "chatcmpl_1"
    assert json.loads(arguments) == {"a": 1}
    assert [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in notes] == [(12, 13)]
    assert finish == "tool_calls"
    assert usage == {**USAGE, "credits_consumed": 300, "server_tool_use": {"searches": 3}}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_the_client_sees_one_reply(streams: bool, stream: bool, size: int) -> None:
    inner = Pausing(PARTS, stream=streams, size=size)
    check(await ask(inner, stream=stream), stream=stream)
    assert len(inner.bodies) == 3
    for body, content in zip(
        inner.bodies[1:], ([*PARTS[0]["content"]], [*PARTS[0]["content"], *PARTS[1]["content"]]), strict=True
    ):
        assert check_messages_request({**body, "messages": body["messages"][:1]}) == []
        assert body["messages"] == [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": content},
        ]


@pytest.mark.parametrize("content", [[], [text(" ")], [text(""), text("\n")]])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_paused_turn_without_content_is_asked_for_again(streams: bool, content: list[Any]) -> None:
    inner = Pausing([part(1, content), part(2, [text("so")], "end_turn")], stream=streams)
    reply = await ask(inner, stream=False)
    assert reply.json()["choices"][0]["message"]["content"].strip() == "so"
    assert inner.bodies[0] == inner.bodies[1]


@pytest.mark.parametrize("buffer", [bytearray, memoryview])
@pytest.mark.parametrize("streams", [False, True])
async def test_the_pieces_may_be_other_buffers_than_bytes(streams: bool, buffer: Any) -> None:
    inner = Pausing(PARTS, stream=streams, size=100)
    inner.buffer = buffer
    check(await ask(inner, stream=True), stream=True)


SKILLS = [{"type": "anthropic", "skill_id": "pdf"}]
CONTAINER = {"id": "c_1", "expires_at": "2026-10-21T00:00:00Z"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("asked", "goes_on_in"),
    [(None, "c_1"), ("c_0", "c_1"), ({"id": None, "skills": SKILLS}, {"id": "c_1", "skills": SKILLS})],
)
async def test_a_turn_goes_on_in_its_container(asked: Any, goes_on_in: Any, stream: bool) -> None:
    first, last = part(1, [text("a ")]), part(2, [text("b")], "end_turn")
    inner = Pausing([{**first, "container": CONTAINER}, last], stream=stream)
    reply = await call(ChatCompatMiddleware(inner), chat(tools=TOOLS, stream=stream, container=asked))
    assert inner.bodies[1]["container"] == goes_on_in
    told = [chunk.get("container") for chunk in reply.data()[:-1]] if stream else [reply.json()["container"]]
    assert told[-1] == CONTAINER


@pytest.mark.parametrize("container", [None, {}, "c_1", {"id": None}])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_part_without_a_container_keeps_that_of_the_request(container: Any, streams: bool) -> None:
    parts = [{**part(number, [text("a")]), "container": container} for number in (1, 2)]
    inner = Pausing(parts, stream=streams)
    await call(ChatCompatMiddleware(inner, max_continuations=1), chat(tools=TOOLS, container="c_0"))
    assert [body["container"] for body in inner.bodies] == ["c_0", "c_0"]


@pytest.mark.parametrize("stream", [False, True])
async def test_at_the_limit_the_reply_is_seen_as_cut_off(stream: bool) -> None:
    inner = Pausing([part(number, [text("a ")]) for number in (1, 2, 3)], stream=stream)
    reply = await ask(inner, stream=stream, max_continuations=2)
    choice = reply.data()[-3]["choices"][0] if stream else reply.json()["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "pause_turn")
    assert not inner.parts


@pytest.mark.parametrize("tools", [TOOLS[1:], TOOLS])
async def test_without_tools_of_the_service_or_continuations_there_is_one_call(tools: Any) -> None:
    inner = Pausing(PARTS, stream=False)
    app = ChatCompatMiddleware(inner, max_continuations=0 if len(tools) > 1 else 5)
    assert (await call(app, chat(tools=tools))).json()["choices"][0]["finish_reason"] == "length"
    assert len(inner.bodies) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_that_is_not_paused_passes_as_it_is(stream: bool) -> None:
    inner = Pausing([part(1, [text("a")], "end_turn")], stream=stream)
    reply = await ask(inner, stream=stream)
    assert (reply.text() if stream else reply.json()["choices"][0]["message"]["content"]) == "a"


@pytest.mark.parametrize("body", [b"[]", b'{"content": [5]}', b'{"content": [], "id": "\xff"}', b"\xe9"])
async def test_a_first_part_that_is_no_message_is_the_error_of_a_single_reply(body: bytes) -> None:
    reply = await ask(Pausing([answer(200, body)], stream=False), stream=False)
    assert reply.status == 502
    assert reply.error["message"] == "The messages service sent a reply that is not a message."


@pytest.mark.parametrize("stream", [False, True])
async def test_text_of_any_language_goes_back_as_it_came(stream: bool) -> None:
    said = text("caf\u00e9 \u2028 \U0001f642")
    inner = Pausing([part(1, [said]), part(2, [text("!")], "end_turn")], stream=stream)
    inner.ensure_ascii = False
    reply = await ask(inner, stream=stream)
    assert (reply.text() if stream else reply.json()["choices"][0]["message"]["content"]) == said["text"] + "!"
    assert inner.bodies[1]["messages"][1]["content"] == [said]


async def test_a_piece_that_cannot_be_rebuilt_ends_the_turn_there() -> None:
    odd = [*events(part(1, [text("a")]))]
    odd.insert(4, {"type": "content_block_delta", "index": 0, "delta": {"type": "odd_delta"}})

    async def stream(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"".join(map(frame, odd))})

    reply = await ask(Pausing([stream], stream=True), stream=True)
    assert reply.data()[-3]["choices"][0]["finish_reason"] == "length"


# ---------------------------------------------------------------- when a later part fails


def answer(status: int, body: bytes, media: bytes = b"application/json", *, more_body: bool = False) -> Any:
    async def send_it(send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", media)]})
        await send({"type": "http.response.body", "body": body, "more_body": more_body})

    return send_it


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
LATER = {
    "an error": answer(529, json.dumps(OVERLOADED, indent=1).encode()),
    "an error event": answer(200, frame(OVERLOADED), b"text/event-stream"),
    "no message": answer(200, b"[]"),
    "an odd message": answer(200, b'{"content": 5}'),
    "a bad page": answer(502, b"<html>"),
    "a bad event": answer(200, b"data: nope\n\n", b"text/event-stream"),
    "a large event": answer(200, b"data: " + b"x" * 2000 + b"\n\n", b"text/event-stream"),
    "half a stream": answer(200, b"".join(map(frame, events(PARTS[1])[:5])), b"text/event-stream", more_body=True),
    "an empty start": answer(200, frame({"type": "message_start"}), b"text/event-stream"),
    "an end of nothing": answer(200, frame({"type": "message_delta"}), b"text/event-stream"),
    "half a reply": answer(200, b'{"id"', more_body=True),
    "nothing": answer(200, b""),
}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_part_that_fails_is_an_error_and_never_half_a_reply(streams: bool, stream: bool, later: str) -> None:
    inner = Pausing([PARTS[0], LATER[later]], stream=streams)
    reply = await ask(inner, stream=stream, max_event_bytes=1500)
    assert b"[DONE]" not in reply.body
    assert b'"finish_reason":"' not in reply.body
    if streams and stream:
        error = reply.data()[-1]["error"]
    else:
        assert reply.status >= 500
        error = reply.error
    if later == "an error":
        assert error["message"] == "Busy"


async def test_a_client_that_leaves_is_told_to_the_part_that_runs() -> None:
    told: list[str] = []
    leave = anyio.Event()

    class Waiting(Pausing):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if len(self.parts) == 3:
                await super().__call__(scope, receive, send)
                return
            await receive()
            leave.set()
            told.append((await receive())["type"])

    with anyio.fail_after(2):
        await call(ChatCompatMiddleware(Waiting(PARTS, stream=False)), chat(tools=TOOLS), leave=leave)
    assert told == ["http.disconnect"]
