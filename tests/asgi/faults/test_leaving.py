"""A client that leaves, and a server that stops, end the inner app; and nobody is told of it but the inner app."""

from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import Inner
from tests.asgi.faults.server import HELLO, JSON, SSE, STYLES, Server, Style, body, chat, request, serve, upload

pytestmark = pytest.mark.anyio


class Listening:
    """An app that streams, or writes JSON, for ever, and stops when it is told that the client left."""

    def __init__(self, start: dict[str, Any] = SSE, *, listens: bool = True, first: int = 3) -> None:
        self.start, self.listens, self.first = start, listens, first
        self.began, self.ended, self.told, self.sent = anyio.Event(), anyio.Event(), False, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
            self.began.set()
            async with anyio.create_task_group() as tasks:
                if self.listens:
                    tasks.start_soon(self._listen, receive, tasks)
                await self._write(send)
        finally:
            self.ended.set()

    async def _listen(self, receive: Receive, tasks: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"
        self.told = True
        tasks.cancel_scope.cancel()

    async def _write(self, send: Send) -> None:
        if not self.first:
            await anyio.sleep_forever()
        await send(self.start)
        for event in HELLO[: self.first] if self.start is SSE else [b'{"id":']:
            await send(body(event))
        while True:
            await send(body(HELLO[2] if self.start is SSE else b" "))
            self.sent += 1
            await anyio.sleep(0.001)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3, 8])
async def test_a_client_may_leave_behind_any_message(style: Style, listens: bool, after: int) -> None:
    app = Listening(listens=listens)
    with anyio.fail_after(2):
        try:
            await serve(ChatCompatMiddleware(app, disconnect_grace=0.05), style=style, leave_after=after)
        except* OSError:  # a group if the inner app's own tasks make it one
            assert style == "oserror"
        await app.ended.wait()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("listens", [False, True])
async def test_a_client_may_leave_before_the_first_byte(style: Style, stream: bool, listens: bool) -> None:
    app, leave = Listening(listens=listens, first=0), anyio.Event()
    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            server = Server([chat(stream=stream)], style=style, leave=leave)
            tasks.start_soon(server.run, ChatCompatMiddleware(app, disconnect_grace=0.05))
            await app.began.wait()
            leave.set()
    assert not server.seen.status
    assert app.told == listens


@pytest.mark.parametrize("style", STYLES)
async def test_a_client_may_leave_in_the_middle_of_a_whole_reply(style: Style) -> None:
    app, leave = Listening(JSON), anyio.Event()
    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            server = Server([chat()], style=style, leave=leave)
            tasks.start_soon(server.run, ChatCompatMiddleware(app))
            await app.began.wait()
            leave.set()
    assert not server.seen.status
    assert app.told


class Raising(Server):
    """A server that tells of a client that left by raising, as Ray Serve does."""

    async def _receive(self) -> Message:
        message = await super()._receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the request was cancelled")
        return message


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("first", [0, 3])
async def test_a_server_may_raise_when_the_client_left(listens: bool, first: int) -> None:
    app, leave = Listening(listens=listens, first=first), anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            server = Raising([chat(stream=True)], leave=leave)
            tasks.start_soon(server.run, ChatCompatMiddleware(app, disconnect_grace=0.05))
            await app.began.wait()
            leave.set()
    assert app.ended.is_set()
    assert app.told == listens
    assert b"[DONE]" not in server.seen.body


@pytest.mark.parametrize("pieces", [0, 1, 20])
async def test_a_client_that_leaves_in_its_upload_reaches_nobody(pieces: int) -> None:
    inner, raw = Inner(), chat()
    given = [request(piece, more_body=True) for piece in (raw[:5], *[b" "] * 20, raw[5:])[:pieces]]
    seen = await Server([*given, {"type": "http.disconnect"}]).run(ChatCompatMiddleware(inner))
    assert (seen.status, inner.scopes) == (0, [])


@pytest.mark.parametrize("where", ["upload", "first byte", "stream"])
async def test_a_server_that_stops_stops_the_inner_app(where: str) -> None:
    app = Listening(first=0 if where == "first byte" else 3, listens=False)
    server = Server(upload([chat(stream=True)]) if where != "upload" else [request(b"{", more_body=True)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run_to_its_end, server, ChatCompatMiddleware(app, disconnect_grace=60))
        if where != "upload":
            await app.began.wait()
        await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    assert app.ended.is_set() == (where != "upload")
    assert b"error" not in server.seen.body
    assert b'"finish_reason":"' not in server.seen.body


async def _run_to_its_end(server: Server, app: Any) -> None:
    """Serve, and never come to an end; being stopped is not being left open."""
    await app(server.scope, server._receive, server._send)
    pytest.fail("the cancellation was swallowed")


@pytest.mark.parametrize("style", STYLES)
async def test_leaving_and_a_failure_at_once_raise_no_more_than_the_failure(style: Style) -> None:
    class Broken(Exception):
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        for event in HELLO[:3]:
            await send(body(event))
        await receive()
        await receive()
        raise Broken

    with pytest.raises((Broken, OSError)):
        await serve(ChatCompatMiddleware(app), style=style, leave_after=2)


async def test_the_inner_app_cleans_up_in_its_own_time() -> None:
    cleaned: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
            await receive()
        finally:
            await anyio.sleep(0.2)
            cleaned.append(True)

    leave = anyio.Event()
    server = Server([chat(stream=True)], leave=leave)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, ChatCompatMiddleware(app))
        await anyio.sleep(0.01)
        leave.set()
    assert cleaned


async def test_work_behind_the_last_byte_goes_on_though_the_client_left() -> None:
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        for event in HELLO:
            await send(body(event))
        await send(body(b"", more_body=False))
        await anyio.sleep(0.1)
        done.append(True)

    limits: dict[str, Any] = {"disconnect_grace": 0.01, "idle_timeout": 0.02, "first_byte_timeout": 0.02}
    seen = await serve(ChatCompatMiddleware(app, **limits))
    assert seen.is_whole()
    assert done
