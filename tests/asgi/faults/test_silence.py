"""An inner app that is silent for too long is cancelled, and the client gets an error."""

import json
from contextlib import nullcontext
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord
from tests.asgi.faults.server import HELLO, JSON, SSE, body, chat, frame, serve, streaming
from tests.asgi.faults.test_inner_app import RAW, Broken, _note

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("stream", [False, True])
async def test_an_app_that_never_begins_is_given_up(stream: bool) -> None:
    ended: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    with anyio.fail_after(2):
        seen = await serve(ChatCompatMiddleware(app, first_byte_timeout=0.03), chat(stream=stream))
    assert (seen.status, json.loads(seen.body)["error"]["code"]) == (504, "timeout")
    assert ended


@pytest.mark.parametrize("sent", [1, 2, 4])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_app_that_falls_silent_is_given_up(sent: int, stream: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, *map(body, HELLO))[:sent]:
            await send(message)
        await anyio.sleep_forever()

    limits: dict[str, Any] = {"first_byte_timeout": 60, "idle_timeout": 0.05, "keep_alive": 0.02}
    if sent == 1:  # headers alone are no sign of life
        limits |= {"first_byte_timeout": 0.05, "idle_timeout": 60}
    with anyio.fail_after(2):
        seen = await serve(ChatCompatMiddleware(app, **limits), chat(stream=stream))
    assert seen.fails()
    assert b'"code":"timeout"' in seen.body
    assert seen.status == (200 if stream and sent > 1 else 504)


BEFORE_A_MESSAGE = {
    "pings": (SSE, frame({"type": "ping"})),
    "comments": (SSE, b": still here\n\n"),
    "unknown events": (SSE, frame({"type": "queued", "place": 7})),
    "pieces of an event": (SSE, b"event: x"),
    "nothing": (SSE, b""),
    "blanks before JSON": (JSON, b" \n"),
    "nothing before JSON": (JSON, b""),
}


@pytest.mark.parametrize(("start", "piece"), BEFORE_A_MESSAGE.values(), ids=BEFORE_A_MESSAGE)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_comes_before_a_message_is_no_sign_of_life(start: Any, piece: bytes, stream: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        while True:
            await send(body(piece))
            await anyio.sleep(0.01)

    with anyio.fail_after(5):
        seen = await serve(ChatCompatMiddleware(app, first_byte_timeout=0.1), chat(stream=stream))
    assert (seen.status, json.loads(seen.body)["error"]["code"]) == (504, "timeout")


@pytest.mark.parametrize(("start", "first"), [(SSE, HELLO[0]), (JSON, b"{")])
@pytest.mark.parametrize("stream", [False, True])
async def test_behind_the_start_of_a_message_all_bytes_are_signs(start: Any, first: Any, stream: bool) -> None:
    rest = HELLO[1:] if start is SSE else [b" " + RAW[1:]]
    blank = b": still here\n\n" if start is SSE else b" "

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (start, *map(body, [first, *[blank] * 10, *rest]), body(b"", more_body=False)):
            await send(message)
            await anyio.sleep(0.05)  # together more than the timeouts, each far less

    with anyio.fail_after(5):
        seen = await serve(ChatCompatMiddleware(app, first_byte_timeout=0.5, idle_timeout=0.5), chat(stream=stream))
    assert seen.status == 200
    assert not seen.fails()


@pytest.mark.parametrize("sent", [0, 1, 2, 4])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_app_may_make_anything_of_being_given_up(sent: int, stream: bool) -> None:
    """A 504 is due for its silence, or an error frame, whether it returns or raises; and its exception goes on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, *map(body, HELLO))[:sent]:
            await send(message)
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            if raises:
                raise Broken("SECRET") from None

    limits: dict[str, Any] = {"first_byte_timeout": 0.05, "idle_timeout": 0.05, "keep_alive": 0.02}
    for raises in (False, True):
        pieces: list[bytes] = []
        records: list[ExchangeRecord] = []
        wrapped = ChatCompatMiddleware(app, on_exchange=records.append, **limits)
        with anyio.fail_after(5), pytest.raises(Broken) if raises else nullcontext():
            await serve(wrapped, chat(stream=stream), on_body=lambda piece, to=pieces: _note(to, piece))
        assert b'"code":"timeout"' in b"".join(pieces)
        assert [(told.status, told.error_type) for told in records] == [
            (200 if stream and sent > 1 else 504, "server_error")
        ]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_app_that_says_something_now_and_then_is_not_given_up(stream: bool) -> None:
    ping = body(b": still here\n\n")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, ping, ping, *map(body, HELLO[:3]), ping, ping, *map(body, HELLO[3:])):
            await send(message)
            await anyio.sleep(0.03)

    with anyio.fail_after(5):
        seen = await serve(ChatCompatMiddleware(app, idle_timeout=0.2, first_byte_timeout=0.2), chat(stream=stream))
    assert seen.status == 200
    assert not seen.fails()


async def test_a_slow_client_is_no_silence_of_the_app() -> None:
    async def slow(piece: bytes) -> None:
        await anyio.sleep(0.1)

    seen = await serve(ChatCompatMiddleware(streaming(*HELLO), idle_timeout=0.05), on_body=slow)
    assert seen.is_whole()


async def test_a_client_that_is_slow_to_take_a_comment_is_no_silence_either() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, *map(body, HELLO)):
            await send(message)
            await anyio.sleep(0.03)

    async def slow(piece: bytes) -> None:
        if piece.startswith(b":"):
            await anyio.sleep(0.2)

    seen = await serve(ChatCompatMiddleware(app, idle_timeout=0.1, keep_alive=0.02), on_body=slow)
    assert b": ping" in seen.body
    assert seen.is_whole()
