"""The guard: which requests are translated, what of them reaches the inner app, and what is refused early."""

import json
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, MemoryStore
from tests.asgi.driver import Inner, call, chat, scope
from tests.vendor import chat_error, check_messages_request

pytestmark = pytest.mark.anyio


async def test_the_request_arrives_translated_at_the_messages_path() -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner), chat(), query_string=b"beta=true")
    assert reply.status == 200
    assert inner.bodies == [b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}']
    assert check_messages_request(json.loads(inner.bodies[0])) == []
    assert inner.scopes[0]["path"] == "/v1/messages"
    assert inner.scopes[0]["raw_path"] == b"/v1/messages"
    assert inner.scopes[0]["query_string"] == b"beta=true"
    assert inner.headers == {
        "authorization": "Bearer key",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "content-length": str(len(inner.bodies[0])),
    }


async def test_the_callers_scope_stays_as_it_was() -> None:
    before = scope()
    headers = list(before["headers"])
    inner = Inner()

    async def app(s: Scope, receive: Receive, send: Send) -> None:
        await ChatCompatMiddleware(inner)(before, receive, send)

    await call(app, chat())
    assert before == scope()
    assert before["headers"] == headers
    assert inner.scopes[0] is not before


async def test_state_and_client_are_the_servers_own_objects() -> None:
    inner, state = Inner(), {"pool": object()}
    await call(ChatCompatMiddleware(inner), chat(), state=state)
    assert inner.scopes[0]["state"] is state
    assert inner.scopes[0]["client"] == ("127.0.0.1", 50000)


async def test_extensions_that_bypass_the_reply_are_hidden_from_the_inner_app() -> None:
    inner = Inner()
    offered = {"http.response.pathsend": {}, "http.response.trailers": {}, "tls": {"version": 1}}
    await call(ChatCompatMiddleware(inner), chat(), extensions=offered)
    assert inner.scopes[0]["extensions"] == {"tls": {"version": 1}}


async def test_a_minimal_scope_is_enough() -> None:
    inner = Inner()

    async def app(s: Scope, receive: Receive, send: Send) -> None:
        minimal = {key: s[key] for key in ("type", "method", "path")}
        await ChatCompatMiddleware(inner)(minimal, receive, send)

    assert (await call(app, chat())).status == 200
    assert "raw_path" not in inner.scopes[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"content-length", b"4"),
        (b"transfer-encoding", b"chunked"),
        (b"expect", b"100-continue"),
        (b"accept-encoding", b"gzip"),
        (b"content-md5", b"x"),
        (b"openai-organization", b"org"),
        (b"connection", b"keep-alive"),
    ],
)
async def test_headers_of_the_old_body_and_connection_do_not_reach_the_inner_app(name: bytes, value: bytes) -> None:
    inner = Inner()
    await call(ChatCompatMiddleware(inner), chat(), headers=[(name, value), (b"x-own", b"1")])
    assert inner.headers.get(name.decode()) in (None, str(len(inner.bodies[0])))
    assert inner.headers["x-own"] == "1"


async def test_the_clients_own_version_wins_and_decides_what_is_sent() -> None:
    inner = Inner()
    headers = [(b"Anthropic-Version", b"2026-10-21")]
    reply = await call(ChatCompatMiddleware(inner), chat(temperature=0.5), headers=headers)
    assert inner.headers["anthropic-version"] == "2026-10-21"
    assert "temperature" not in json.loads(inner.bodies[0])
    assert reply.headers["x-chatcompat-ignored"] == "temperature"


async def test_a_bearer_credential_is_copied_where_the_dialect_says_so() -> None:
    inner = Inner()
    await call(ChatCompatMiddleware(inner, dialect=Dialect(api_key_header=True)), chat())
    assert inner.headers["x-api-key"] == "key"
    assert inner.headers["authorization"] == "Bearer key"


async def test_the_dialect_may_depend_on_the_model() -> None:
    inner = Inner()
    dialects = {"m": Dialect(max_tokens=77), "n": Dialect(max_tokens=88)}
    app = ChatCompatMiddleware(inner, dialect=dialects.__getitem__)
    for model in dialects:
        await call(app, json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode())
    assert [json.loads(body)["max_tokens"] for body in inner.bodies] == [77, 88]


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/models",
        "/",
        "/v1/chat/completions/",
        "/v1/chat/completions/x",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/V1/chat/completions",
        "/x/v1/chat/completions",
        "/v1/chat/completions;x",
    ],
)
async def test_other_paths_pass_untouched(path: str) -> None:
    inner = Inner(b"own")
    reply = await call(ChatCompatMiddleware(inner), b"anything", path=path, headers=[])
    assert inner.scopes == [scope(path, headers=[])]
    assert inner.bodies == [b"anything"]
    assert (reply.status, reply.body) == (200, b"own")


async def test_options_passes_so_that_cors_can_answer() -> None:
    inner = Inner(b"own")
    assert (await call(ChatCompatMiddleware(inner), method="OPTIONS")).body == b"own"


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "unknown"])
async def test_other_protocols_pass_untouched(kind: str) -> None:
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.append(arguments)

    async def nothing(*_: Any) -> Any: ...

    given = {"type": kind, "path": "/v1/chat/completions"}
    await ChatCompatMiddleware(app)(given, nothing, nothing)
    assert seen == [(given, nothing, nothing)]
    assert seen[0][0] is given


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner), method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert chat_error(reply.json()) == []
    assert not inner.scopes


@pytest.mark.parametrize(
    ("root_path", "path", "inside"),
    [
        ("/compat", "/compat/v1/chat/completions", "/compat/v1/messages"),
        ("/compat/", "/compat/v1/chat/completions", "/compat/v1/messages"),
        ("/a b", "/a b/v1/chat/completions", "/a b/v1/messages"),
        ("/compat", "/v1/chat/completions", "/v1/messages"),  # servers that cut root_path off themselves
    ],
)
async def test_root_path_stays_in_front(root_path: str, path: str, inside: str) -> None:
    inner = Inner()
    assert (await call(ChatCompatMiddleware(inner), chat(), root_path=root_path, path=path)).status == 200
    assert inner.scopes[0]["path"] == inside
    assert inner.scopes[0]["raw_path"] == inside.replace(" ", "%20").encode()
    assert inner.scopes[0]["root_path"] == root_path


async def test_a_path_that_only_looks_like_it_has_the_root_passes() -> None:
    inner = Inner(b"own")
    path = "/apiary/v1/chat/completions"
    assert (await call(ChatCompatMiddleware(inner), root_path="/api", path=path)).body == b"own"


async def test_both_paths_are_options() -> None:
    inner = Inner()
    app = ChatCompatMiddleware(inner, path="/chat", messages_path="/native")
    assert (await call(app, chat(), path="/chat")).status == 200
    assert inner.scopes[0]["path"] == "/native"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([(b"content-type", b"multipart/form-data; boundary=x")], 415, "unsupported_media_type"),
        ([(b"content-type", b"application/x-www-form-urlencoded")], 415, "unsupported_media_type"),
        ([(b"content-type", b"text/plain")], 415, "unsupported_media_type"),
        ([(b"content-encoding", b"gzip")], 415, "unsupported_encoding"),
        ([(b"content-length", b"10000000000")], 413, "request_too_large"),
        ([(b"content-length", b"9" * 5000)], 413, "request_too_large"),
    ],
)
async def test_some_requests_are_refused_by_their_headers_alone(
    headers: list[tuple[bytes, bytes]], status: int, code: str
) -> None:
    inner = Inner()

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def app(s: Scope, _: Receive, send: Send) -> None:
        await ChatCompatMiddleware(inner)(s, receive, send)  # with the `receive` that fails

    reply = await call(app, headers=headers)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert not inner.scopes


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"APPLICATION/JSON; charset=utf-8")],
        [(b"content-type", b"application/vnd.x+json")],
        [(b"content-encoding", b"identity")],
        [(b"content-length", b"abc")],
        [(b"content-length", b"-5")],
        [(b"content-length", b"+3")],
        [(b"content-length", "\u00b2".encode())],
        [(b"content-length", b"0")],
    ],
)
async def test_a_body_is_judged_by_its_bytes(headers: list[tuple[bytes, bytes]]) -> None:
    inner = Inner()
    assert (await call(ChatCompatMiddleware(inner), chat(), headers=headers)).status == 200
    assert inner.headers["content-type"] == "application/json"
    assert inner.headers["content-length"] == str(len(inner.bodies[0]))


async def test_a_body_at_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    inner, body = Inner(), chat()
    assert (await call(ChatCompatMiddleware(inner, max_body_bytes=len(body)), body)).status == 200
    reply = await call(ChatCompatMiddleware(inner, max_body_bytes=len(body) - 1), [bytes([byte]) for byte in body])
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert len(inner.bodies) == 1


async def test_reading_stops_at_the_bound() -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        for _ in range(64):
            taken += 1
            yield b"x" * 1024

    pieces = endless()

    async def receive() -> Any:
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def app(s: Scope, _: Receive, send: Send) -> None:
        await ChatCompatMiddleware(Inner(), max_body_bytes=8 * 1024)(s, receive, send)

    assert (await call(app)).status == 413
    assert taken == 9


async def test_a_body_in_pieces_and_empty_messages_is_one_body() -> None:
    inner, body = Inner(), chat()
    pieces = [b"", *(bytes([byte]) for byte in body), b"", b""]
    assert (await call(ChatCompatMiddleware(inner), pieces)).status == 200
    assert inner.bodies[0].startswith(b'{"model":"m"')


async def test_a_client_that_leaves_during_its_upload_reaches_nobody() -> None:
    inner, sent = Inner(), []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await ChatCompatMiddleware(inner)(scope(), receive, send)
    assert not inner.scopes
    assert not sent


@pytest.mark.parametrize("body", [b"", b"nope", b"[1]", b'{"model":"m"}', b"\xff", b"[" * 100_000])
async def test_a_bad_body_is_a_400_and_the_inner_app_is_not_called(body: bytes) -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner), body)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/json"
    assert chat_error(reply.json()) == []
    assert not inner.scopes


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"path": "v1"}, "path must begin with a slash"),
        ({"messages_path": ""}, "messages_path must begin with a slash"),
        ({"models_path": "models"}, "models_path must begin with a slash"),
        ({"messages_path": "/v1/chat/completions"}, "path and messages_path must not be the same"),
        ({"max_body_bytes": 0}, "max_body_bytes must be above 0"),
        ({"keep_alive": 0}, "keep_alive must be above 0"),
        ({"disconnect_grace": -1}, "disconnect_grace must be at least 0, not -1"),
    ],
)
async def test_options_are_checked_when_they_are_given(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChatCompatMiddleware(Inner(), **option)


async def test_a_dialect_and_a_store_must_be_one() -> None:
    with pytest.raises(TypeError, match="dialect must be"):
        ChatCompatMiddleware(Inner(), dialect="2023-06-01")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"store must be a store, not a class: MemoryStore\(\)"):
        ChatCompatMiddleware(Inner(), store=MemoryStore)  # type: ignore[arg-type]
