"""The list of models in the chat shape: from the inner app's pages, or from an option."""

import json
import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.asgi.models import MAX_PAGES
from chatcompat.simulator import create_app
from tests.asgi.driver import Inner, Reply, call
from tests.asgi.faults.server import Server
from tests.vendor import chat_error

pytestmark = pytest.mark.anyio

LIST = "/v1/models"
KEY = (b"authorization", b"Bearer key")
NATIVE = {
    "type": "model",
    "id": "m",
    "display_name": "M",
    "created_at": "2026-01-01T00:00:00Z",
    "max_input_tokens": 200_000,
}
CREATED = 1_767_225_600


def native(*ids: str, has_more: bool = False, **more: Any) -> bytes:
    data = [NATIVE | {"id": model_id} for model_id in ids]
    edges = {"first_id": ids[0], "last_id": ids[-1]} if ids else {"first_id": None, "last_id": None}
    return json.dumps({"data": data, "has_more": has_more, **edges, **more}).encode()


async def get(app: Any, path: str = LIST, **more: Any) -> Reply:
    return await call(app, path=path, method="GET", **({"headers": [KEY]} | more))


def paged(answer: Callable[[dict[str, str]], bytes]) -> Any:
    """A messages app whose list depends on the query; `app.queries` is what it was asked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        app.queries.append(scope["query_string"])  # type: ignore[attr-defined]
        query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
        inner = Inner(answer(query))
        await inner(scope, receive, send)
        assert inner.bodies == [b""]

    app.queries = []  # type: ignore[attr-defined]
    return app


# ---------------------------------------------------------------- the inner app's own list


async def test_the_list_has_the_chat_shape_and_loses_nothing() -> None:
    inner = Inner(native("a/b", "m"), headers=[(b"request-id", b"req_1"), (b"etag", b"x")])
    reply = await get(ChatCompatMiddleware(inner), query_string=b"limit=1&x=%FF")
    assert reply.json()["object"] == "list"
    assert [model["id"] for model in reply.json()["data"]] == ["a/b", "m"]
    assert reply.json()["data"][1] == {
        "id": "m",
        "object": "model",
        "created": CREATED,
        "owned_by": "system",
        "display_name": "M",
        "max_input_tokens": 200_000,
    }
    assert reply.headers["x-request-id"] == "req_1"
    assert "etag" not in reply.headers
    assert inner.headers == {"authorization": "Bearer key", "anthropic-version": "2023-06-01"}
    assert (inner.scopes[0]["path"], inner.scopes[0]["method"]) == (LIST, "GET")
    assert inner.scopes[0]["query_string"] == b"x=%FF&limit=1000"


async def test_all_pages_are_one_list() -> None:
    pages = {"": native("a", "b/c", has_more=True), "b%2Fc": native("d", has_more=True, last_id=None), "d": native("e")}
    app = paged(lambda query: pages[query.get("after_id", "")])
    reply = await get(ChatCompatMiddleware(app))
    assert [model["id"] for model in reply.json()["data"]] == ["a", "b/c", "d", "e"]
    assert app.queries == [b"limit=1000", b"limit=1000&after_id=b%2Fc", b"limit=1000&after_id=d"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: native("a", has_more=True),
        lambda query: native(has_more=True),
        lambda query: native(f"{query.get('after_id', '')}a", has_more=True),
    ],
)
async def test_a_list_that_does_not_end_is_an_error(answer: Callable[[dict[str, str]], bytes]) -> None:
    app = paged(answer)
    reply = await get(ChatCompatMiddleware(app))
    assert (reply.status, reply.error["type"]) == (502, "server_error")
    assert 2 <= len(app.queries) <= MAX_PAGES


async def test_an_error_behind_the_first_page_is_no_shorter_list() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, status = (native("a", has_more=True), 200) if b"after" not in scope["query_string"] else (b"", 503)
        await Inner(body, status=status)(scope, receive, send)

    reply = await get(ChatCompatMiddleware(app))
    assert reply.status == 503
    assert chat_error(reply.json()) == []


async def test_one_model_by_an_id_with_a_slash() -> None:
    inner = Inner(json.dumps(NATIVE | {"id": "caicaini/auto"}).encode())
    reply = await get(ChatCompatMiddleware(inner), f"{LIST}/caicaini/auto", raw_path=b"/v1/models/caicaini%2Fauto")
    assert (reply.json()["id"], reply.json()["object"]) == ("caicaini/auto", "model")
    assert inner.scopes[0]["path"] == f"{LIST}/caicaini/auto"
    assert inner.scopes[0]["raw_path"] == b"/v1/models/caicaini%2Fauto"


async def test_a_model_that_is_not_known_is_the_error_that_clients_know() -> None:
    app = ChatCompatMiddleware(create_app())
    reply = await get(app, f"{LIST}/none/such")
    assert reply.status == 404
    assert reply.error == {
        "message": "model: none/such",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert (await get(ChatCompatMiddleware(Inner(b"", status=404)), f"{LIST}/x")).error["code"] == "model_not_found"
    assert (await get(app, headers=[])).status == 401
    assert (await get(app, f"{LIST}/sim-1", headers=[])).status == 401


@pytest.mark.parametrize(
    ("fields", "created"),
    [
        ({"created_at": "2026-01-01T00:00:00"}, CREATED),
        ({"created_at": "1970-01-01T01:00:00+01:00"}, 0),
        ({"created_at": "soon"}, 0),
        ({"created_at": None}, 0),
        ({"created": 7}, 7),
    ],
)
async def test_the_time_is_in_seconds(fields: dict[str, Any], created: int) -> None:
    model = {"id": "m", "owned_by": "me", **fields}
    reply = await get(ChatCompatMiddleware(Inner(json.dumps({"object": "list", "data": [model]}).encode())))
    assert reply.json()["data"] == [{"id": "m", "object": "model", "created": created, "owned_by": "me"}]


async def test_the_dialects_version_and_credential_header_are_sent() -> None:
    asked = []

    def dialect(model: str) -> Dialect:
        asked.append(model)
        return Dialect(version="2026-10-21", api_key_header=True)

    inner = Inner(native("m"))
    await get(ChatCompatMiddleware(inner, dialect=dialect))
    await get(ChatCompatMiddleware(inner, dialect=dialect), f"{LIST}/a/b")
    assert asked == ["", "a/b"]
    assert inner.headers == {"authorization": "Bearer key", "x-api-key": "key", "anthropic-version": "2026-10-21"}


# ---------------------------------------------------------------- what passes untouched


@pytest.mark.parametrize(
    "more",
    [
        {"headers": [(b"Anthropic-Version", b"2023-06-01")]},
        {"method": "POST"},
        {"path": "/v1/models/"},
        {"path": "/v1/modelsx"},
        {"path": "/a/v1/models"},
        {"root_path": "/v1"},
    ],
)
async def test_what_is_no_chat_clients_question_passes_untouched(more: dict[str, Any]) -> None:
    inner = Inner(native("m"))
    reply = await call(ChatCompatMiddleware(inner, models=["x"]), **({"path": LIST, "method": "GET"} | more))
    assert reply.body == native("m")
    assert inner.scopes[0]["headers"] == more.get("headers", inner.scopes[0]["headers"])


async def test_without_a_path_there_is_no_such_list() -> None:
    assert (await get(ChatCompatMiddleware(Inner(native("m")), models_path=None))).body == native("m")


async def test_the_list_is_below_the_prefix() -> None:
    inner = Inner(native("m"))
    reply = await get(ChatCompatMiddleware(inner), f"/compat{LIST}", root_path="/compat")
    assert reply.json()["object"] == "list"
    assert inner.scopes[0]["path"] == f"/compat{LIST}"


# ---------------------------------------------------------------- the option


async def test_the_option_is_the_list() -> None:
    app = ChatCompatMiddleware(Inner(), models=["caicaini/auto", "m"])
    assert [model["id"] for model in (await get(app)).json()["data"]] == ["caicaini/auto", "m"]
    assert (await get(app, f"{LIST}/caicaini/auto")).json()["created"] == 0
    assert (await get(app, f"{LIST}/caicaini")).error["code"] == "model_not_found"
    app = ChatCompatMiddleware(Inner(), models={"m": {"created": 7, "owned_by": "me", "size": 9}})
    model = {"id": "m", "object": "model", "created": 7, "owned_by": "me", "size": 9}
    assert (await get(app)).json() == {"object": "list", "data": [model]}
    assert (await get(app, f"{LIST}/m")).json() == model


@pytest.mark.parametrize(
    ("options", "error"),
    [({"models": "m"}, TypeError), ({"models": [1]}, TypeError), ({"models_path": "v1"}, ValueError)],
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ChatCompatMiddleware(Inner(), **options)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("path", [LIST, f"{LIST}/m"])
@pytest.mark.parametrize(
    "inner",
    [
        Inner(b"<html>", media="text/html"),
        Inner(b"{", media="application/json"),
        Inner(b'{"data": [{"name": "m"}], "name": 1}'),
        Inner(b'{"id": "\xff"}'),
        Inner(b"[" * 100_000),
        Inner(native("m"), headers=[(b"content-encoding", b"gzip")]),
        Inner(native("m"), headers=[(b"x", b"y" * 100_000)]),
        Inner(b"data: {}\n\n", media="text/event-stream"),
        Inner([b"{", b" " * 9_000, b"}"]),
        Inner(native("m"), status=302),
    ],
)
async def test_what_is_no_list_is_an_error_of_the_services(inner: Inner, path: str) -> None:
    app = ChatCompatMiddleware(inner, max_reply_bytes=8_000)
    reply = await get(app, path)
    assert reply.status == 502
    assert chat_error(reply.json()) == []
    assert b"html" not in reply.body


@pytest.mark.parametrize("path", [LIST, f"{LIST}/m"])
async def test_an_app_that_ends_fails_or_falls_silent_is_an_error(path: str) -> None:
    async def ends(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send(Inner().start)
        await send({"type": "http.response.body", "body": native("m"), "more_body": True})

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(math.inf)

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise OSError("secret")

    for app, status in ((ends, 502), (half, 502), (silent, 504)):
        reply = await get(ChatCompatMiddleware(app, first_byte_timeout=0.1), path)
        assert reply.status == status
        assert chat_error(reply.json()) == []
    server = Server([b""], path=path, method="GET")
    with pytest.raises(OSError, match="secret"):
        await server.run(ChatCompatMiddleware(fails))
    assert server.seen.fails()
    assert b"secret" not in server.seen.body


async def test_a_client_that_leaves_is_told_to_the_inner_app() -> None:
    leave, told = anyio.Event(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        leave.set()
        told.append(await receive())

    server = Server([b""], path=LIST, method="GET", leave=leave)
    await server.run(ChatCompatMiddleware(app, disconnect_grace=5))
    assert told == [{"type": "http.disconnect"}]
    assert server.seen.status == 0


async def test_headers_are_bounded() -> None:
    reply = await get(ChatCompatMiddleware(Inner(), max_header_bytes=9), headers=[KEY])
    assert (reply.status, reply.error["code"]) == (431, "headers_too_large")
