"""Backpressure, memory and many exchanges at once."""

import contextvars
import gc
import json
import random
import time
import tracemalloc
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from chatcompat.asgi.exchange import Exchange
from tests.asgi.driver import Inner
from tests.asgi.faults.server import HELLO, JSON, REPLY, SSE, Server, app_of, body, chat, serve, streaming, upload
from tests.reply.support import frame

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


async def test_each_event_is_with_the_client_before_the_next_is_made() -> None:
    made = seen = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        await send(SSE)
        for event in (*HELLO[:2], *[HELLO[2]] * 50, *HELLO[4:]):
            made += 1
            await send(body(event))

    async def on_body(piece: bytes) -> None:
        nonlocal seen
        if b'"content":"Hel"' in piece:
            seen += 1
            assert seen == made - 2

    await serve(ChatCompatMiddleware(app), on_body=on_body)
    assert seen == 50


async def test_a_client_that_takes_nothing_stops_the_inner_app() -> None:
    made = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        await send(SSE)
        for event in (*HELLO[:2], *[HELLO[2]] * 1000):
            made += 1
            await send(body(event))

    async def never(piece: bytes) -> None:
        await anyio.sleep_forever()

    with anyio.move_on_after(0.1):
        server = Server([chat(stream=True)], on_body=never)
        await ChatCompatMiddleware(app)(server.scope, server._receive, server._send)
    assert made <= 2


async def test_a_long_stream_is_not_kept() -> None:
    piece = body(frame({**HELLO[2], "delta": {"type": "text_delta", "text": "x" * 32_768}}))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        for event in HELLO[:2]:
            await send(body(event))
        for _ in range(1024):
            await send(piece)
        for event in HELLO[4:]:
            await send(body(event))

    server = Server(upload([chat(stream=True)]))
    sent = 0

    async def send(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))

    tracemalloc.start()
    await ChatCompatMiddleware(app)(server.scope, server._receive, send)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent > 32 * MIB
    assert peak < 4 * MIB


async def test_many_events_take_linear_time() -> None:
    began = time.monotonic()
    seen = await serve(ChatCompatMiddleware(streaming(*HELLO[:2], *[HELLO[2]] * 20_000, *HELLO[4:])))
    assert seen.is_whole()
    assert time.monotonic() - began < 10


async def test_a_large_reply_in_small_pieces_takes_linear_time() -> None:
    raw = frame_of_text(16 * MIB)
    pieces = [body(raw[start : start + 1024]) for start in range(0, len(raw), 1024)]
    began = time.monotonic()
    seen = await serve(ChatCompatMiddleware(app_of(JSON, *pieces, body(b"", more_body=False))), chat())
    assert seen.status == 200
    assert len(seen.body) > 16 * MIB
    assert time.monotonic() - began < 8


def frame_of_text(size: int) -> bytes:
    return json.dumps({**REPLY, "content": [{"type": "text", "text": "x" * size}]}).encode()


@pytest.mark.parametrize("above", [0, 1, 64 * MIB])
async def test_a_reply_is_bounded_at_its_bound(above: int) -> None:
    raw = frame_of_text(1000)
    room = b" " * 65_536
    pieces = [body(raw), *([body(b" " * above)] if above < MIB else [body(room)] * (above // len(room)))]
    app = ChatCompatMiddleware(app_of(JSON, *pieces, body(b"", more_body=False)), max_reply_bytes=len(raw))
    tracemalloc.start()
    seen = await serve(app, chat())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.status == (502 if above else 200)
    assert peak < MIB


@pytest.mark.parametrize("above", [0, 1, 64 * MIB])
async def test_a_request_is_bounded_at_its_bound(above: int) -> None:
    raw, read = chat(), 0

    async def receive() -> Any:
        nonlocal read
        if not read:
            read = len(raw)
            return {"type": "http.request", "body": raw, "more_body": above > 0}
        size = min(65_536, len(raw) + above - read)
        if size <= 0:
            await anyio.sleep_forever()
        read += size
        return {"type": "http.request", "body": b" " * size, "more_body": read < len(raw) + above}

    inner, statuses = Inner(), []

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    tracemalloc.start()
    await ChatCompatMiddleware(inner, max_body_bytes=len(raw))(Server().scope, receive, send)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert statuses[0] == (413 if above else 200)
    assert len(inner.bodies) == (0 if above else 1)
    assert read <= len(raw) + 65_536
    assert peak < MIB


async def test_exchanges_leave_nothing_behind() -> None:
    apps: list[Any] = [
        streaming(*HELLO),
        streaming(*HELLO[:3]),
        Inner(),
        app_of(),
        Inner(b"<html>", status=500, media="text/html"),
    ]
    wrapped = [ChatCompatMiddleware(app) for app in apps]

    async def some(count: int) -> None:
        for number in range(count):
            await serve(wrapped[number % 5], chat(stream=number % 2 == 0))

    await some(50)
    for inner in (apps[2], apps[4]):
        inner.bodies.clear()
        inner.scopes.clear()
    gc.collect()
    tracemalloc.start()
    await some(400)
    for inner in (apps[2], apps[4]):
        inner.bodies.clear()
        inner.scopes.clear()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 256 * 1024
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_exchanges_leave_nothing_to_the_collector() -> None:
    at_once, waiting = Inner(), ChatCompatMiddleware(streaming(*HELLO))

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.lowlevel.checkpoint()

    wrapped = [ChatCompatMiddleware(at_once), waiting, ChatCompatMiddleware(silent)]
    gc.collect()
    gc.disable()  # its pauses would be the slowest replies
    try:
        for app in wrapped:
            await serve(app, chat(stream=app is waiting))
        await anyio.sleep(0.01)
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]
    finally:
        gc.enable()


_tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


async def test_context_variables_reach_the_inner_app_and_no_other_exchange() -> None:
    seen: dict[str, str] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["headers"][0][1].decode()
        await anyio.lowlevel.checkpoint()
        seen[name] = _tenant.get()
        _tenant.set("changed")
        await streaming(*HELLO)(scope, receive, send)

    wrapped = ChatCompatMiddleware(app)

    async def one(name: str) -> None:
        _tenant.set(name)
        await serve(wrapped, alone=False, headers=[(b"x-name", name.encode())])

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(one, f"tenant {number}")
    assert seen == {name: name for name in seen}
    assert len(seen) == 50


async def test_exchanges_that_are_stuck_delay_no_other() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if b"stuck" in (await receive())["body"]:
            await anyio.sleep_forever()
        for message in (SSE, *map(body, HELLO)):
            await send(message)

    wrapped = ChatCompatMiddleware(app)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            server = Server(upload([chat(model="stuck", stream=True)]))
            tasks.start_soon(wrapped, server.scope, server._receive, server._send)
        await anyio.sleep(0.01)
        with anyio.fail_after(1):
            assert (await serve(wrapped, alone=False)).is_whole()
        tasks.cancel_scope.cancel()


async def test_two_hundred_streams_and_every_kind_of_fault_do_not_mix() -> None:
    """Each stream tells its own number; one in three fails in its own way, and says so."""
    chance = random.Random(7)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        number = int((await receive())["body"].split(b"number ")[1].split(b'"')[0])
        kind = number % 9
        text = {**HELLO[2], "delta": {"type": "text_delta", "text": f"[{number}]"}}
        events = [*HELLO[:2], *[text] * 5, *HELLO[4:]]
        if kind == 1:
            events = events[:4]
        elif kind == 4:
            events.insert(4, {"type": "error", "error": {"type": "api_error", "message": f"[{number}]"}})
        elif kind == 7:
            events[4] = {"type": "content_block_delta", "index": 0}
        await send(SSE)
        for event in events:
            await anyio.sleep(chance.random() / 500)
            await send(body(event))
        await send(body(b"", more_body=False))

    wrapped = ChatCompatMiddleware(app)
    wrong: list[int] = []

    async def one(number: int) -> None:
        messages = [{"role": "user", "content": f"number {number}"}]
        seen = await serve(wrapped, chat(stream=True, messages=messages), alone=False)
        text = f"[{number}]" * 5
        whole = seen.is_whole() and seen.text() == text
        if (seen.fails() and text.startswith(seen.text())) if number % 9 in (1, 4, 7) else whole:
            return
        wrong.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(one, number)
    assert wrong == []


def test_a_second_event_loop_serves_as_the_first_did() -> None:
    app = ChatCompatMiddleware(streaming(*HELLO))
    for backend in ("asyncio", "asyncio", "trio"):
        assert anyio.run(serve, app, backend=backend).is_whole()
