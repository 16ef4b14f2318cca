"""Every form that ASGI allows for a message or a scope, and some that it does not, changes nothing."""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from chatcompat.otel import TracedChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, call, chat, frame

pytestmark = pytest.mark.anyio

Headers = list[tuple[bytes, bytes]]


class Bytes(bytes):
    """A class of an app's own."""


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "a subclass": Bytes,
}
LISTS: dict[str, Callable[[Headers], Iterable[Any]]] = {
    "tuples": list,
    "lists": lambda headers: [[*pair] for pair in headers],
    "a tuple of lists": lambda headers: tuple([*pair] for pair in headers),
    "a generator": lambda headers: (pair for pair in headers),
    "bytearrays": lambda headers: [(bytearray(name), bytearray(value)) for name, value in headers],
    "subclasses": lambda headers: [(Bytes(name), Bytes(value)) for name, value in headers],
}
ENDS = {"False": False, "0": 0, "None": None}
MORE = {"True": True, "1": 1}
TOOLS = {"no tools": {}, "tools of the service": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}}
"""With tools of the service, another app stands between the exchange and the inner app."""


async def exchange(
    stream: bool, fields: dict[str, Any] | None = None, kind: type = ChatCompatMiddleware, **odd: Any
) -> tuple[int, Any, bytes, list[Any]]:
    """The status, the headers and the body that the client gets, and the headers that the app gets.

    `odd` says what is in another form.
    """
    media = b"text/event-stream" if stream else b"application/json"
    headers, buffer = odd.get("headers", list), odd.get("buffer", bytes)
    sent: list[Message] = []
    reached: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append([(bytes(name), bytes(value)) for name, value in scope["headers"]])
        assert (await receive())["type"] == "http.request"
        start = {"type": "http.response.start", "status": odd.get("status", 200)}
        await send({**start, "headers": headers([(b"content-type", media)])})
        for piece in map(frame, HELLO) if stream else [json.dumps(REPLY).encode()]:
            await send({"type": "http.response.body", "body": buffer(piece), "more_body": odd.get("more", True)})
        await send({"type": "http.response.body", "body": buffer(b""), "more_body": odd.get("end", False)})

    body = chat(stream=stream, **(fields or {}))
    asked: list[Message] = [
        {"type": "http.request", "body": buffer(body[:5]), "more_body": odd.get("more", True)},
        {"type": "http.request", "body": buffer(body[5:]), "more_body": odd.get("end", False)},
    ]

    async def receive() -> Message:
        if not asked:
            await anyio.sleep_forever()
        return asked.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    path = "/v1/chat/completions"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    given = [(b"content-type", b"application/json"), (b"authorization", b"Bearer x")]
    await kind(app)({**scope, "headers": headers(given)}, receive, send)
    whole = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], sent[0]["headers"], re.sub(rb'"created":\d+', b"", whole), reached


@pytest.mark.parametrize(
    "odd",
    [
        *({"buffer": buffer} for buffer in BUFFERS.values()),
        *({"headers": headers} for headers in LISTS.values()),
        *({"end": end} for end in ENDS.values()),
        *({"more": more} for more in MORE.values()),
        {"status": HTTPStatus.OK},
    ],
    ids=[*BUFFERS, *(f"headers as {name}" for name in LISTS), *(f"end {name}" for name in ENDS), *MORE, "status"],
)
@pytest.mark.parametrize("fields", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", [ChatCompatMiddleware, TracedChatCompatMiddleware])
async def test_what_asgi_allows_makes_no_difference(
    kind: type, stream: bool, fields: dict[str, Any], odd: dict[str, Any]
) -> None:
    usual = await exchange(stream, fields)
    assert usual[0] == 200
    assert (b"authorization", b"Bearer x") in usual[-1][0]
    assert await exchange(stream, fields, kind, **odd) == usual


@pytest.mark.parametrize("headers", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("buffer", BUFFERS.values(), ids=BUFFERS)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_nor_does_it_for_the_list_of_models(headers: Any, buffer: Any, end: Any) -> None:
    page = {"data": [{"type": "model", "id": "m", "created_at": "2026-01-01T00:00:00Z"}], "has_more": False}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": headers([(b"content-type", b"application/json")])})
        await send({"type": "http.response.body", "body": buffer(json.dumps(page).encode()), "more_body": end})

    reply = await call(ChatCompatMiddleware(app), method="GET", path="/v1/models")
    assert (reply.status, [model["id"] for model in reply.json()["data"]]) == (200, ["m"])


@pytest.mark.parametrize("headers", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/m", "/v1/models-of-mine"])
async def test_nor_for_what_reaches_the_app_on_the_paths_of_models(path: str, headers: Any) -> None:
    given = [(b"anthropic-version", b"2023-06-01"), (b"x-api-key", b"k")]
    reached: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append([(bytes(name), bytes(value)) for name, value in scope["headers"]])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    await ChatCompatMiddleware(app)({**scope, "headers": headers(given)}, nothing, nothing)
    assert reached == [given]
