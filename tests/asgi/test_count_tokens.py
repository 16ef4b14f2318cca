"""`POST {path}/count_tokens`: what the inner app gets, and what the client gets."""

import json
from contextlib import suppress
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, ExchangeRecord, RequestBounds
from chatcompat.simulator import create_app
from tests.asgi.driver import HELLO, Inner, Reply, call, chat, frame
from tests.asgi.faults.server import STYLES, Server, Style, upload
from tests.asgi.test_thinking import credential
from tests.vendor import chat_error

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions/count_tokens"
NATIVE = "/v1/messages/count_tokens"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
COUNTED = b'{"object":"chat.completion.input_tokens","input_tokens":31,"prompt_tokens":31}'


def counting(**more: Any) -> Inner:
    return Inner(b'{"input_tokens":31}', **more)


async def count(inner: ASGIApp, body: bytes | None = None, *, path: str = PATH, **more: Any) -> Reply:
    options = {name: more.pop(name) for name in [*more] if name not in ("headers", "method", "raw_path", "root_path")}
    app = ChatCompatMiddleware(inner, **({"count_tokens": True} | options))
    return await call(app, chat() if body is None else body, path=path, **more)


async def test_the_request_arrives_without_what_is_not_counted() -> None:
    inner = counting(headers=[(b"request-id", b"req_1"), (b"etag", b"x")])
    body = chat(stream=True, temperature=0.5, top_p=0.9, stop=["X"], user="u", seed=1, tools=[TOOL])
    reply = await count(inner, body)
    assert inner.bodies == [
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],'
        b'"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]}'
    ]
    assert (inner.scopes[0]["path"], inner.scopes[0]["raw_path"]) == (NATIVE, NATIVE.encode())
    assert inner.headers == {
        "authorization": "Bearer key",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "content-length": str(len(inner.bodies[0])),
    }
    assert (reply.status, reply.body) == (200, COUNTED)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"] == "req_1"
    assert "etag" not in reply.headers


async def test_what_is_ignored_or_not_counted_is_reported() -> None:
    reply = await count(counting(), chat(seed=1, container="c_1"), strict=False)
    assert reply.headers["x-chatcompat-ignored"] == "seed, container"
    assert (await count(counting(), chat(container="c_1"), strict=True)).status == 200  # as for a completion


async def test_it_is_off_by_default_and_the_404_says_so() -> None:
    inner = Inner(b"Not Found", status=404, media="text/plain")
    reply = await count(inner, count_tokens=False)
    assert inner.scopes[0]["path"] == PATH
    assert (reply.status, chat_error(reply.json())) == (404, [])
    assert reply.error["message"].startswith("Counting tokens is not turned on here.")
    plain = await count(Inner(b"Not Found", status=404), count_tokens=False, path_hints=False)
    assert plain.body == b"Not Found"


async def test_an_inner_app_with_that_path_keeps_it_while_it_is_off() -> None:
    assert (await count(Inner(b"{}"), count_tokens=False)).body == b"{}"


async def test_the_native_endpoint_passes_unchanged() -> None:
    inner = counting()
    assert (await count(inner, b"anything", path=NATIVE)).body == b'{"input_tokens":31}'
    assert inner.bodies == [b"anything"]


@pytest.mark.parametrize("path", [f"{PATH}/", f"{PATH}/x", "/v1/count_tokens", "/v1/chat/count_tokens"])
async def test_only_the_exact_path_counts(path: str) -> None:
    inner = Inner(b"{}")
    await count(inner, b"anything", path=path)
    assert inner.bodies == [b"anything"]
    assert inner.scopes[0]["path"] == path


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_another_method_is_refused(method: str) -> None:
    inner = Inner()
    reply = await count(inner, method=method)
    assert (reply.status, reply.headers["allow"], inner.scopes) == (405, "POST", [])


async def test_options_reach_the_inner_app() -> None:
    inner = Inner(b"")
    await count(inner, method="OPTIONS")
    assert inner.scopes[0]["path"] == PATH


@pytest.mark.parametrize(
    ("path", "messages_path", "asked", "called"),
    [
        ("/chat", "/native/m", "/chat/count_tokens", "/native/m/count_tokens"),
        ("/v1/chat/completions/", "/v1/messages", "/v1/chat/completions/count_tokens/", NATIVE),
        ("/c", "/v1/messages/", "/c/count_tokens", "/v1/messages/count_tokens/"),
        ("/count_tokens", "/m", "/count_tokens/count_tokens", "/m/count_tokens"),
    ],
)
async def test_paths_follow_the_endpoints(path: str, messages_path: str, asked: str, called: str) -> None:
    inner = counting()
    app = ChatCompatMiddleware(inner, path=path, messages_path=messages_path, count_tokens=True)
    assert (await call(app, chat(), path=asked)).body == COUNTED
    assert inner.scopes[0]["path"] == called


async def test_it_works_below_a_mount() -> None:
    inner = counting()
    app = Starlette(routes=[Mount("/a b", ChatCompatMiddleware(inner, count_tokens=True))])
    assert (await call(app, chat(), path=f"/a b{PATH}", raw_path=f"/a%20b{PATH}".encode())).body == COUNTED
    assert inner.scopes[0]["path"] == f"/a b{NATIVE}"
    assert inner.scopes[0]["raw_path"] == f"/a%20b{NATIVE}".encode()


# ---------------------------------------------------------------- as for a completion

REFUSED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no JSON": (b"{", {}),
    "no model": (b'{"messages":[]}', {}),
    "a value out of range": (chat(temperature=9), {}),
    "a missing part": (chat(messages=[{"role": "user", "content": [{"type": "text"}]}]), {}),
    "a refused field": (chat(modalities=["audio"]), {}),
    "too many choices": (chat(n=2), {}),
    "a bound": (chat(messages=[{"role": "user", "content": "a"}] * 3), {"bounds": RequestBounds(messages=2)}),
    "strictness": (chat(seed=1), {"strict": True}),
    "a body that is too large": (chat(), {"max_body_bytes": 20}),
    "headers that are too large": (chat(), {"max_header_bytes": 5}),
    "a coding": (chat(), {"headers": [(b"content-encoding", b"gzip")]}),
    "another media type": (chat(), {"headers": [(b"content-type", b"text/plain")]}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_is_the_same_as_for_a_completion(name: str) -> None:
    body, more = REFUSED[name]
    inner = Inner()
    refused = await count(inner, body, **more)
    assert refused.status >= 400
    assert chat_error(refused.json()) == []
    completion = await count(inner, body, path="/v1/chat/completions", **more)
    assert (refused.status, refused.body) == (completion.status, completion.body)
    assert inner.scopes == []


async def test_aliases_versions_betas_and_keys_are_as_for_a_completion() -> None:
    inner = counting()
    headers = [(b"authorization", b"Bearer k"), (b"anthropic-version", b"2026-10-21"), (b"anthropic-beta", b"b-1")]
    dialect = Dialect(api_key_header=True, betas=("b-2",))
    await count(inner, model_aliases={"m": "caicaini/auto"}, dialect=dialect, headers=headers)
    assert json.loads(inner.bodies[0])["model"] == "caicaini/auto"
    assert inner.headers["anthropic-version"] == "2026-10-21"
    assert inner.headers["anthropic-beta"] == "b-1,b-2"
    assert inner.headers["x-api-key"] == "k"


async def test_several_choices_are_counted_once() -> None:
    inner = counting()
    assert (await count(inner, chat(n=2), bounds=RequestBounds(choices=2))).body == COUNTED
    assert len(inner.bodies) == 1


async def test_kept_thinking_is_counted_as_it_will_be_sent() -> None:
    app = ChatCompatMiddleware(create_app(), dialect=Dialect(), count_tokens=True)
    headers = [*credential(b"key"), (b"content-type", b"application/json")]
    question = {"role": "user", "content": "Use f."}
    asked = {"model": "caicaini/auto", "max_tokens": 4000, "tools": [TOOL], "reasoning_effort": "low"}
    first = await call(app, json.dumps(asked | {"messages": [question]}).encode(), headers=headers)
    message = first.json()["choices"][0]["message"]
    (one,) = message["tool_calls"]
    turn = {"role": "assistant", "content": message["content"], "tool_calls": [one]}  # the client drops the thinking
    result = {"role": "tool", "tool_call_id": one["id"], "content": "fine"}
    body = json.dumps(asked | {"messages": [question, turn, result]}).encode()
    counted = await call(app, body, path=PATH, headers=headers)
    completion = await call(app, body, headers=headers)
    assert counted.json()["prompt_tokens"] == completion.json()["usage"]["prompt_tokens"]
    stranger = await call(app, body, path=PATH, headers=[*credential(b"other"), headers[-1]])
    assert stranger.json()["prompt_tokens"] < counted.json()["prompt_tokens"]
    assert "x-chatcompat-ignored" in stranger.headers


# ---------------------------------------------------------------- replies

BROKEN = "The messages service sent a reply that is "


@pytest.mark.parametrize(
    ("inner", "status", "code", "message"),
    [
        (Inner(b'{"id":"msg_1"}'), 502, "invalid_reply", BROKEN + "not a count of tokens."),
        (Inner(b"31", media="text/plain"), 502, "invalid_reply", BROKEN + "neither JSON nor an event stream."),
        (
            Inner([frame(event) for event in HELLO], media="text/event-stream"),
            502,
            "invalid_reply",
            BROKEN + "neither JSON nor an event stream.",
        ),
        (counting(headers=[(b"content-encoding", b"gzip")]), 502, "invalid_reply", "The messages service sent a compr"),
        (counting(status=304), 502, "invalid_reply", BROKEN),
        (Inner(b"<h1>", status=503, media="text/html"), 503, None, "The messages service answered with status 503"),
        (Inner(b"Not Found", status=404), 404, "count_tokens_not_found", "The messages service cannot count tokens"),
        (Inner(b"no", status=405), 404, "count_tokens_not_found", "The messages service cannot count tokens"),
    ],
)
async def test_a_reply_that_is_no_count_is_a_chat_error(
    inner: Inner, status: int, code: str | None, message: str
) -> None:
    reply = await count(inner)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert reply.error["message"].startswith(message)


async def test_native_errors_are_chat_errors() -> None:
    simulator = create_app()
    unknown = await count(simulator, chat(model="nobody"))
    assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
    busy = await count(
        simulator, chat(model="caicaini/auto"), headers=[*credential(b"k"), (b"x-simulate", b"error=rate_limit_error")]
    )
    assert (busy.status, busy.error["type"]) == (429, "rate_limit_error")
    assert "retry-after" in busy.headers


async def test_a_large_reply_is_bounded() -> None:
    reply = await count(counting(), max_reply_bytes=10)
    assert (reply.status, reply.error["code"]) == (502, "invalid_reply")


async def test_an_inner_app_that_raises_is_a_500() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("SECRET")

    server = Server(upload([chat()]), path=PATH)
    with pytest.raises(RuntimeError):
        await server.run(ChatCompatMiddleware(inner, count_tokens=True))
    assert server.seen.status == 500
    assert server.seen.fails()
    assert b"SECRET" not in server.seen.body


async def test_an_inner_app_that_is_silent_is_a_504() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        reply = await count(inner, first_byte_timeout=0.02)
    assert reply.status == 504


@pytest.mark.parametrize("style", STYLES)
async def test_the_inner_app_is_told_that_the_client_left(style: Style) -> None:
    began, leave, told = anyio.Event(), anyio.Event(), []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        began.set()
        told.append((await receive())["type"])

    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(inner, count_tokens=True, on_exchange=records.append)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            server = Server(upload([chat()]), style=style, leave=leave, path=PATH)
            tasks.start_soon(server.run, app)
            await began.wait()
            leave.set()
    assert told == ["http.disconnect"]
    assert [(record.operation, record.status, record.error_type) for record in records] == [
        ("count_tokens", None, "client_disconnected")
    ]


# ---------------------------------------------------------------- records


async def record(inner: ASGIApp, body: bytes, **more: Any) -> ExchangeRecord:
    records: list[ExchangeRecord] = []
    with suppress(RuntimeError):
        await count(inner, body, on_exchange=records.append, **more)
    (one,) = records
    return one


async def test_a_count_has_a_record_without_usage() -> None:
    one = await record(counting(), chat(stream=True, seed=1))
    assert one == ExchangeRecord(
        model="m",
        streaming=False,
        status=200,
        finish_reason=None,
        usage=None,
        ignored=("seed",),
        time_to_first_byte=one.time_to_first_byte,
        duration=one.duration,
        error_type=None,
        operation="count_tokens",
    )


async def test_a_refused_count_has_a_record() -> None:
    one = await record(counting(), chat(temperature=9))
    assert (one.operation, one.status, one.error_param) == ("count_tokens", 400, "temperature")
    completion = await record(counting(), chat(temperature=9), path="/v1/chat/completions")
    assert (completion.operation, completion.status) == ("chat", 400)


# ---------------------------------------------------------------- the same number


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [TOOL], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x" * 9000}]},
    ],
)
async def test_a_count_is_what_the_completion_uses(fields: dict[str, Any]) -> None:
    body = chat(**({"model": "caicaini/auto"} | fields))
    counted = (await count(create_app(), body)).json()
    completion = (await count(create_app(), body, path="/v1/chat/completions")).json()
    assert counted["input_tokens"] == counted["prompt_tokens"] == completion["usage"]["prompt_tokens"]
