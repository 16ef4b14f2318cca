"""A good reply arrives through a real server, whatever headers and status the inner app made of it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, chat, frame

ODD_HEADERS = {
    "a control character": (b"x-odd", b"a\x01b"),
    "an escape": (b"x-odd", b"\x1b[31m"),
    "a deleted character": (b"x-odd", b"a\x7fb"),
    "a form feed": (b"x-odd", b"a\x0cb"),
    "a line feed": (b"x-odd", b"a\nb"),
    "a byte of zero": (b"x-odd", b"a\0b"),
    "a space in a name": (b"x odd", b"1"),
    "a colon in a name": (b"x-odd:", b"1"),
    "no name": (b"", b"1"),
    "a name that is no ASCII": ("x-\u00f6dd".encode(), b"1"),
    "a space before a value": (b"x-odd", b" a"),
    "a tab behind a value": (b"x-odd", b"a\t"),
    "a byte of latin-1": (b"x-odd", b"\xe9"),
    "a trailer": (b"trailer", b"x-odd"),
    "an upgrade": (b"upgrade", b"h2c"),
}
ODD_STATUSES: list[Any] = [0, 99, 100, 101, 199, 600, 999, 1000, "200", None]


async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """A good reply with the odd header or status that the request asks for."""
    asked = dict(scope["headers"])
    streams = json.loads((await receive())["body"]).get("stream", False)
    media = b"text/event-stream" if streams else b"application/json"
    pairs = [(b"x-good", b"1"), (b"content-type", media)]
    if b"x-header" in asked:
        pairs.insert(0, ODD_HEADERS[asked[b"x-header"].decode()])
    status = ODD_STATUSES[int(asked[b"x-status"])] if b"x-status" in asked else 200
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    whole = b"".join(map(frame, HELLO)) if streams else json.dumps(REPLY).encode()
    await send({"type": "http.response.body", "body": whole, "more_body": False})


@contextmanager
def serving(implementation: Any) -> Iterator[int]:
    """The port of a server in a thread."""
    config = uvicorn.Config(
        ChatCompatMiddleware(messages), http=implementation, lifespan="off", ws="none", log_level="critical"
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not server.started:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module", params=["h11", "httptools"])
def client(request: pytest.FixtureRequest) -> Iterator[http.client.HTTPConnection]:
    with serving(request.param) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        yield connection
        connection.close()


def post(client: http.client.HTTPConnection, stream: bool, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client.request("POST", "/v1/chat/completions", chat(stream=stream), {"content-type": "application/json", **named})
    response = client.getresponse()
    return response, response.read()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("header", ODD_HEADERS)
def test_an_odd_header_loses_no_reply(client: http.client.HTTPConnection, header: str, stream: bool) -> None:
    response, told = post(client, stream, x_header=header)
    assert (response.status, response.headers["x-good"]) == (200, "1")
    assert told.endswith(b"data: [DONE]\n\n") if stream else json.loads(told)["choices"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", range(len(ODD_STATUSES)))
def test_an_odd_status_is_an_error_that_arrives(client: http.client.HTTPConnection, status: int, stream: bool) -> None:
    response, told = post(client, stream, x_status=str(status))
    assert (response.status, json.loads(told)["error"]["type"]) == (502, "server_error")
