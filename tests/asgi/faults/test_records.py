"""A record says what the client got, whoever noticed first that it left, and there is one whatever happens."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord
from tests.asgi.driver import Inner
from tests.asgi.faults.server import HELLO, JSON, REPLY, SSE, STYLES, Server, Style, body, chat, frame, request, upload
from tests.asgi.faults.server import streaming as fast

pytestmark = pytest.mark.anyio


async def others() -> None:
    """Let all that can go on go on: the watcher too, whatever the machine's load."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


class Slowly:
    """The events of a message; no generator, which would have to be closed."""

    def __init__(self) -> None:
        self._left = [frame(event) for event in HELLO]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await others()
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(SSE)
    async for piece in Slowly():
        await send(body(piece))
    await send(body(b"", more_body=False))


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await others()
    await send(JSON)
    await send(body(json.dumps(REPLY).encode(), more_body=False))


async def swallowing(scope: Scope, receive: Receive, send: Send) -> None:
    async def send_on(message: Message) -> None:
        with suppress(OSError):
            await send(message)

    await streaming(scope, receive, send_on)


async def converting(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await streaming(scope, receive, send)
    except OSError:
        raise ClientDisconnect from None


async def listening(scope: Scope, receive: Receive, send: Send) -> None:
    """Raises when the client disconnects."""

    async def listen() -> None:
        await receive()
        raise ClientDisconnect

    await receive()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await send(SSE)
        async for piece in Slowly():
            await send(body(piece))
        await send(body(b"", more_body=False))
        tasks.cancel_scope.cancel()


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


async def _endpoint(request: Request) -> Response:
    return StreamingResponse(Slowly(), media_type="text/event-stream")


STARLETTE = Starlette(
    routes=[Route("/v1/messages", _endpoint, methods=["POST"])], middleware=[Middleware(Passing), Middleware(Passing)]
)
APPS: dict[str, ASGIApp] = {
    "streaming": streaming,
    "whole": whole,
    "swallowing": swallowing,
    "converting": converting,
    "listening": listening,
    "BaseHTTPMiddleware": STARLETTE,
}


async def record(app: ASGIApp, server: Server, receive: Receive | None = None) -> ExchangeRecord:
    """The one record of an exchange, however it ends."""
    records: list[ExchangeRecord] = []
    wrapped = ChatCompatMiddleware(app, on_exchange=records.append)
    with anyio.fail_after(15), suppress(ExceptionGroup, OSError, ClientDisconnect):
        await wrapped(server.scope, receive or server._receive, server._send)
    assert server.seen.broken == []
    (outcome,) = records
    return outcome


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_left_before_the_first_byte_got_no_status(app: ASGIApp, style: Style, stream: bool) -> None:
    leave = anyio.Event()
    leave.set()
    server = Server(style=style, leave=leave)
    given = upload([chat(stream=stream)])

    async def receive() -> Message:
        return given.pop() if given else await server._receive()

    outcome = await record(app, server, receive)
    assert (outcome.status, outcome.error_type, outcome.finish_reason) == (None, "client_disconnected", None)


@pytest.mark.parametrize(
    "app", [app for app in APPS.values() if app is not whole], ids=[name for name in APPS if name != "whole"]
)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("after", [1, 2, 4])
async def test_a_client_that_left_a_stream_is_one_whoever_noticed_it(app: ASGIApp, style: Style, after: int) -> None:
    outcome = await record(app, Server(upload([chat(stream=True)]), style=style, leave_after=after))
    assert (outcome.status, outcome.error_type, outcome.finish_reason) == (200, "client_disconnected", None)


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_stays_has_a_whole_reply(app: ASGIApp, stream: bool) -> None:
    outcome = await record(app, Server(upload([chat(stream=stream)])))
    assert (outcome.status, outcome.error_type, outcome.finish_reason) == (200, None, "stop")


@pytest.mark.parametrize("app", [whole, fast(*HELLO)])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failing", range(1, 8))
async def test_a_send_that_fails_anywhere_is_a_client_that_left(app: ASGIApp, stream: bool, failing: int) -> None:
    """The server's own exception is raised again; the record has no reply that did not arrive."""
    sent: list[Message] = []
    records: list[ExchangeRecord] = []
    given = upload([chat(stream=stream)])

    async def receive() -> Message:
        if given:
            return given.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == failing:
            raise ConnectionResetError

    wrapped = ChatCompatMiddleware(app, on_exchange=records.append)
    server = Server()
    with anyio.fail_after(5), suppress(ConnectionResetError):
        await wrapped(server.scope, receive, send)
    (outcome,) = records
    if len(sent) < failing:
        assert (outcome.error_type, outcome.finish_reason) == (None, "stop")
    else:
        assert (outcome.error_type, outcome.finish_reason) == ("client_disconnected", None)
        assert outcome.status == (None if failing == 1 else 200)


async def test_an_app_that_fails_for_nobody_raises_its_own_exception() -> None:
    class Broken(Exception):
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise Broken

    async def send(message: Message) -> None:
        raise OSError

    records: list[ExchangeRecord] = []
    server = Server(upload([chat()]))
    with pytest.raises(Broken):
        await ChatCompatMiddleware(app, on_exchange=records.append)(server.scope, server._receive, send)
    assert [(outcome.status, outcome.error_type) for outcome in records] == [(None, "client_disconnected")]


@pytest.mark.parametrize(
    ("error", "outcome"), [(ConnectionResetError, (None, "client_disconnected")), (LookupError, (500, "server_error"))]
)
async def test_a_receive_that_fails_makes_a_record(error: type[Exception], outcome: tuple[int | None, str]) -> None:
    async def receive() -> Message:
        raise error

    records: list[ExchangeRecord] = []
    with pytest.raises(error):
        await ChatCompatMiddleware(Inner(), on_exchange=records.append)(Server().scope, receive, Server()._send)
    assert [(record.status, record.error_type) for record in records] == [outcome]


async def test_a_refusal_that_nobody_takes_is_a_client_that_left() -> None:
    for raw in (b"nope", chat()):
        leave = anyio.Event()
        server = Server([raw], style="oserror", leave=leave, method="GET" if raw != b"nope" else "POST")

        async def send(message: Message) -> None:
            raise OSError

        server._send = send  # type: ignore[method-assign]
        leave_seen = await record(Inner(), server)
        assert (leave_seen.status, leave_seen.error_type) == (None, "client_disconnected")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "PATCH"])
async def test_a_method_that_is_not_taken_makes_a_record(method: str) -> None:
    server = Server(method=method)
    outcome = await record(Inner(), server)
    assert (outcome.status, outcome.error_type, outcome.model) == (405, "invalid_request_error", None)
    assert server.seen.header(b"allow") == b"POST"


TURN = [
    {"role": "user", "content": "x"},
    {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "x"},
]


class Stopping:
    """A server, an inner app and a store; the one that stands at `where` does not go on, and the server stops."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.reached = anyio.Event()
        self.given = [request(b"nope" if where == "refusal" else chat(stream=True, messages=TURN))]
        if where == "upload":
            self.given = [request(b"{", more_body=True)]

    async def reach(self, where: str) -> None:
        if where == self.where:
            self.reached.set()
            await anyio.sleep_forever()

    async def get(self, key: bytes) -> bytes | None:
        await self.reach("store")
        return None

    async def put(self, key: bytes, value: bytes) -> None:
        raise AssertionError

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await self.reach("first byte")
        await send(SSE)
        for event in HELLO[:3]:
            await send(body(event))
        await self.reach("stream")
        for event in HELLO[3:]:
            await send(body(event))

    async def receive(self) -> Message:
        if self.given:
            return self.given.pop()
        await self.reach("upload")
        await anyio.sleep_forever()
        raise AssertionError

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.reach("refusal")
        else:
            await self.reach("send" if message["more_body"] else "last send")


@pytest.mark.parametrize("where", ["upload", "store", "refusal", "first byte", "stream", "send", "last send"])
async def test_a_server_that_stops_an_exchange_makes_a_record(where: str) -> None:
    records: list[ExchangeRecord] = []
    stopping = Stopping(where)
    wrapped = ChatCompatMiddleware(stopping.app, on_exchange=records.append, store=stopping)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wrapped, Server().scope, stopping.receive, stopping.send)
        with anyio.fail_after(5):
            await stopping.reached.wait()
        tasks.cancel_scope.cancel()
    (outcome,) = records
    assert (outcome.error_type, outcome.finish_reason) == ("cancelled", None)
    assert outcome.status == (200 if where in ("stream", "send", "last send") else None)


async def test_work_behind_a_whole_reply_that_is_stopped_leaves_it_whole() -> None:
    records: list[ExchangeRecord] = []
    done = anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await fast(*HELLO)(scope, receive, send)
        done.set()
        await anyio.sleep_forever()

    wrapped = ChatCompatMiddleware(app, on_exchange=records.append)
    async with anyio.create_task_group() as tasks:
        server = Server(upload([chat(stream=True)]))
        tasks.start_soon(wrapped, server.scope, server._receive, server._send)
        await done.wait()
        tasks.cancel_scope.cancel()
    assert [(outcome.error_type, outcome.finish_reason) for outcome in records] == [(None, "stop")]
