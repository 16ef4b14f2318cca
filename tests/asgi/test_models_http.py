"""The models route as a part of HTTP: caches, conditions and `HEAD`."""

import json
import math
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import Inner, Reply, scope
from tests.asgi.test_models import KEY, LIST, NATIVE, get, native

pytestmark = pytest.mark.anyio

NATIVE_CLIENT = (b"anthropic-version", b"2023-06-01")
CONDITION = (b"if-none-match", b'"a"')


async def head(app: Any, path: str = LIST, *headers: tuple[bytes, bytes]) -> Reply:
    """A `HEAD`, whose `content-length` is that of no body that is sent."""
    reply = Reply()
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not requests:
            await anyio.sleep(math.inf)
        return requests.pop()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            reply.body += message["body"]

    await app(scope(path, "HEAD", headers=[KEY, *headers]), receive, send)
    return reply


@pytest.mark.parametrize("headers", [[KEY], [KEY, NATIVE_CLIENT]])
@pytest.mark.parametrize("path", [LIST, f"{LIST}/m"])
@pytest.mark.parametrize(
    ("inner_vary", "vary"),
    [
        ([], "anthropic-version"),
        ([(b"Vary", b"accept-encoding")], "accept-encoding, anthropic-version"),
        ([(b"vary", b"a"), (b"vary", b"b, Anthropic-Version")], "a, b, Anthropic-Version"),
    ],
)
async def test_caches_keep_the_answers_of_both_kinds_of_client_apart(
    inner_vary: list[tuple[bytes, bytes]], vary: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    body = native("m") if path == LIST else json.dumps(NATIVE).encode()
    reply = await get(ChatCompatMiddleware(Inner(body, headers=inner_vary)), path, headers=headers)
    assert (reply.status, reply.headers["vary"]) == (200, vary)


@pytest.mark.parametrize("path", [LIST, f"{LIST}/m", f"{LIST}/none"])
async def test_the_answers_of_the_option_vary_too(path: str) -> None:
    reply = await get(ChatCompatMiddleware(Inner(), models=["m"]), path)
    assert reply.headers["vary"] == "anthropic-version"


@pytest.mark.parametrize("path", [LIST, f"{LIST}/m"])
async def test_an_inner_304_passes_to_a_client_that_asked_for_it(path: str) -> None:
    inner = Inner(b"", status=304, headers=[(b"cache-control", b"max-age=9"), (b"vary", b"x")])
    more = [CONDITION, (b"if-modified-since", b"Thu"), (b"range", b"bytes=0-1"), (b"if-range", b'"a"')]
    reply = await get(ChatCompatMiddleware(inner), path, headers=[KEY, *more])
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers == {"cache-control": "max-age=9", "vary": "x, anthropic-version"}
    assert (inner.headers["if-none-match"], inner.headers["if-modified-since"]) == ('"a"', "Thu")
    assert not {"range", "if-range"} & set(inner.headers)


@pytest.mark.parametrize("path", [LIST, f"{LIST}/m"])
async def test_a_304_that_nobody_asked_for_is_an_error(path: str) -> None:
    reply = await get(ChatCompatMiddleware(Inner(b"", status=304)), path)
    assert (reply.status, reply.error["type"]) == (502, "server_error")


async def test_what_follows_a_whole_page_is_of_no_account() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await Inner(native("m"))(scope, receive, send)
        await send({"type": "http.response.body", "body": b"more"})

    assert (await get(ChatCompatMiddleware(app))).json()["data"][0]["id"] == "m"


async def test_a_condition_is_for_the_first_page() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await Inner(native(f"m{len(seen)}", has_more=len(seen) == 1))(scope, receive, send)

    reply = await get(ChatCompatMiddleware(app), headers=[KEY, CONDITION])
    assert [model["id"] for model in reply.json()["data"]] == ["m1", "m2"]
    assert [CONDITION in asked["headers"] for asked in seen] == [True, False]


@pytest.mark.parametrize("options", [{}, {"models": ["m"]}])
@pytest.mark.parametrize("path", [LIST, f"{LIST}/m", f"{LIST}/none"])
async def test_head_answers_as_get_does_without_its_body(path: str, options: dict[str, Any]) -> None:
    body = native("m") if path == LIST else json.dumps(NATIVE).encode()
    inner = Inner(body, status=404 if path.endswith("none") else 200, headers=[(b"request-id", b"req_1")])
    app = ChatCompatMiddleware(inner, **options)
    whole, reply = await get(app, path), await head(app, path)
    assert (reply.status, reply.headers, reply.body) == (whole.status, whole.headers, b"")
    assert int(reply.headers["content-length"]) == len(whole.body) > 0
    assert {asked["method"] for asked in inner.scopes} <= {"GET"}


async def test_a_native_clients_head_passes_as_it_is() -> None:
    inner = Inner(b"")
    await head(ChatCompatMiddleware(inner), LIST, NATIVE_CLIENT)
    assert inner.scopes[0]["method"] == "HEAD"


@pytest.mark.parametrize("created_at", [[[]] * 3, {"a": 1}, 5, "1e999"])
@pytest.mark.parametrize("model_id", ["m", None, [[]]])
async def test_what_a_model_should_not_have_is_no_crash(created_at: Any, model_id: Any) -> None:
    model = {"id": model_id, "created_at": created_at}
    for has_more in (False, True):
        body = json.dumps({"data": [model], "has_more": has_more}).encode()
        reply = await get(ChatCompatMiddleware(Inner(body)))
        assert reply.status == (200 if model_id == "m" and not has_more else 502)


async def test_a_deep_time_of_a_model_is_no_time() -> None:
    body = b'{"data": [{"id": "m", "created_at": ' + b"[" * 400 + b"]" * 400 + b"}]}"
    assert (await get(ChatCompatMiddleware(Inner(body)))).json()["data"][0]["created"] == 0
