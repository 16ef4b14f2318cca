"""Clients that leave, inner apps that do not notice, silence, and backpressure."""

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, Reply, call, chat, frame, scope, streaming

pytestmark = pytest.mark.anyio

SSE = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def body(event: dict[str, Any]) -> dict[str, Any]:
    return {"type": "http.response.body", "body": frame(event), "more_body": True}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_listening_inner_app_is_told_at_once_that_the_client_left(stream: bool) -> None:
    told: list[str] = []
    leave = anyio.Event()

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await receive()
        leave.set()
        told.append((await receive())["type"])

    with anyio.fail_after(1):
        reply = await call(ChatCompatMiddleware(inner, disconnect_grace=60), chat(stream=stream), leave=leave)
    assert told == ["http.disconnect"]
    assert not reply.messages


async def test_what_a_server_sends_behind_the_body_is_not_taken_for_a_disconnect() -> None:
    messages = [
        {"type": "http.request", "body": chat(), "more_body": False},
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    await ChatCompatMiddleware(inner)(scope(), receive, send)
    assert not messages
    assert not sent


@pytest.mark.parametrize("begun", [False, True])
async def test_an_inner_app_that_does_not_listen_is_cancelled_after_the_grace(begun: bool) -> None:
    leave, ended = anyio.Event(), []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        try:
            if begun:
                await send(SSE)
                await send(body(HELLO[0]))
            leave.set()
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    with anyio.fail_after(1):
        reply = await call(ChatCompatMiddleware(inner, disconnect_grace=0.02), chat(stream=True), leave=leave)
    assert ended == [True]
    assert not reply.complete


@pytest.mark.real_time
async def test_an_inner_app_that_only_sends_is_stopped_when_nobody_listens() -> None:
    leave, sent = anyio.Event(), 0

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(SSE)
        await send(body(HELLO[0]))
        leave.set()
        while True:
            await send(body(HELLO[2]))
            await anyio.lowlevel.checkpoint()
            sent += 1

    with anyio.fail_after(2):
        await call(ChatCompatMiddleware(inner, disconnect_grace=0.02), chat(stream=True), leave=leave)
    assert sent > 0


async def test_cleaning_up_within_the_grace_is_not_disturbed() -> None:
    leave, cleaned = anyio.Event(), []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await receive()
        leave.set()
        await receive()
        await anyio.sleep(0.05)
        cleaned.append(True)

    await call(ChatCompatMiddleware(inner), chat(), leave=leave)
    assert cleaned == [True]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_server_task_cancels_the_inner_app(stream: bool) -> None:
    ended: list[bool] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    with anyio.move_on_after(0.02) as limit:
        await call(ChatCompatMiddleware(inner), chat(stream=stream))
    assert limit.cancelled_caught
    assert ended == [True]


async def test_a_server_that_raises_on_send_gets_its_own_exception_back() -> None:
    class Gone(OSError):
        pass

    async def gone(reply: Reply) -> None:
        if len(reply.pieces) > 1:
            raise Gone

    with pytest.raises(Gone):
        await call(ChatCompatMiddleware(streaming()), chat(stream=True), on_send=gone)


async def test_the_inner_app_runs_in_the_servers_task() -> None:
    tasks: list[int] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        tasks.append(anyio.get_current_task().id)
        await streaming()(s, receive, send)

    await call(ChatCompatMiddleware(inner), chat(stream=True))
    assert tasks == [anyio.get_current_task().id]


async def test_silence_is_filled_with_comments() -> None:
    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        for event in HELLO:
            await send(body(event))
            if event is HELLO[2]:
                await anyio.sleep(0.25)

    reply = await call(ChatCompatMiddleware(inner, keep_alive=0.1), chat(stream=True))
    assert reply.pieces.count(b": ping\n\n") == 2
    assert reply.text() == "Hello"
    assert reply.data()[-1] == "[DONE]"


async def test_no_comment_is_sent_while_a_client_is_taking_a_piece() -> None:
    sending = 0

    async def slow(reply: Reply) -> None:
        nonlocal sending
        assert sending == 0, "two sends at once"
        sending += 1
        if len(reply.pieces) == 2:
            await anyio.sleep(0.1)
        sending -= 1

    reply = await call(ChatCompatMiddleware(streaming(), keep_alive=0.02), chat(stream=True), on_send=slow)
    assert b": ping" not in reply.body


async def test_a_piece_waits_for_a_comment_that_is_under_way() -> None:
    sending = 0

    async def slow(reply: Reply) -> None:
        nonlocal sending
        assert sending == 0, "two sends at once"
        sending += 1
        if reply.pieces and reply.pieces[-1] == b": ping\n\n":
            await anyio.sleep(0.1)
        sending -= 1

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        await send(body(HELLO[0]))
        await anyio.sleep(0.08)
        for event in HELLO[1:]:
            await send(body(event))

    reply = await call(ChatCompatMiddleware(inner, keep_alive=0.05), chat(stream=True), on_send=slow)
    assert reply.text() == "Hello"
    assert reply.body.count(b": ping") == 1


async def test_a_comment_that_nobody_takes_is_no_failure() -> None:
    leave = anyio.Event()

    async def gone(reply: Reply) -> None:
        if reply.pieces and reply.pieces[-1] == b": ping\n\n":
            leave.set()
            raise OSError

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(SSE)
        await send(body(HELLO[0]))
        assert (await receive())["type"] == "http.disconnect"

    app = ChatCompatMiddleware(inner, keep_alive=0.01)
    reply = await call(app, chat(stream=True), on_send=gone, leave=leave)
    assert not reply.complete


async def test_a_slow_client_slows_the_inner_app() -> None:
    made: list[int] = []

    async def watch(reply: Reply) -> None:
        assert len(made) <= len(reply.pieces) + 2
        await anyio.sleep(0.001)

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send(SSE)
        await send(body(HELLO[0]))
        for _ in range(50):
            made.append(1)
            await send(body(HELLO[2]))
        await send(body(HELLO[-1]))

    reply = await call(ChatCompatMiddleware(inner), chat(stream=True), on_send=watch)
    assert reply.text() == "Hel" * 50


async def test_one_middleware_serves_many_streams_at_once_without_mixing_them() -> None:
    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        text = (await receive())["body"].partition(b'"content":"')[2].partition(b'"')[0].decode()
        await send(SSE)
        await send(body(HELLO[0]))
        for character in text:
            delta = {"type": "text_delta", "text": character}
            await send(body({"type": "content_block_delta", "index": 0, "delta": delta}))
            await anyio.lowlevel.checkpoint()
        await send(body(HELLO[-1]))

    app, texts = ChatCompatMiddleware(inner), {}

    async def one(number: int) -> None:
        message = {"role": "user", "content": f"number {number}"}
        texts[number] = (await call(app, chat(stream=True, messages=[message]))).text()

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(one, number)
    assert texts == {number: f"number {number}" for number in range(100)}


async def test_nothing_is_logged_of_what_passes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await call(ChatCompatMiddleware(streaming()), chat(stream=True, seed=1))
        await call(ChatCompatMiddleware(streaming()), b"not json SECRET")
    assert not [record for record in caplog.records if record.name.startswith("chatcompat")]


async def test_an_ended_receive_after_the_reply_is_no_disconnect() -> None:
    ended: list[bool] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await streaming()(s, receive, send)
        await anyio.sleep(0.05)
        ended.append(True)

    async def app(s: Scope, receive: Receive, send: Send) -> None:
        await ChatCompatMiddleware(inner, disconnect_grace=0)(s, receive, send)

    reply = await call(app, chat(stream=True), **scope())
    assert (reply.complete, ended) == (True, [True])
