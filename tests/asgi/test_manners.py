"""What inner apps do that are odd, rude or broken: the reply is right all the same, or says that it is not whole."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, Inner, Reply, ask, call, chat, frame, streaming

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}


async def test_an_inner_app_that_raises_before_its_start_is_a_500_and_raises_on() -> None:
    failure = RuntimeError("SECRET")
    replies: list[Reply] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        raise failure

    with pytest.raises(RuntimeError) as raised:
        await call(ChatCompatMiddleware(inner), chat(), on_send=keep(replies))
    assert raised.value is failure
    assert (replies[-1].status, replies[-1].error["type"]) == (500, "server_error")
    assert b"SECRET" not in replies[-1].body


async def test_an_inner_app_that_raises_in_mid_stream_ends_in_an_error_frame() -> None:
    replies: list[Reply] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-type", b"text/event-stream")]})
        for event in HELLO[:3]:
            await send({"type": "http.response.body", "body": frame(event), "more_body": True})
        raise RuntimeError("SECRET")

    with pytest.raises(RuntimeError):
        await call(ChatCompatMiddleware(inner), chat(stream=True), on_send=keep(replies))
    assert replies[-1].complete
    assert replies[-1].data()[-1]["error"]["code"] == "incomplete_stream"
    assert b"SECRET" not in replies[-1].body


async def test_an_exception_behind_the_end_leaves_the_answer_intact() -> None:
    replies: list[Reply] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await streaming()(s, receive, send)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await call(ChatCompatMiddleware(inner), chat(stream=True), on_send=keep(replies))
    assert replies[-1].data()[-1] == "[DONE]"
    assert replies[-1].complete


@pytest.mark.parametrize("stream", [False, True])
async def test_an_inner_app_that_sends_nothing_or_half_is_a_502(stream: bool) -> None:
    async def nothing(s: Scope, receive: Receive, send: Send) -> None:
        return

    async def start_only(s: Scope, receive: Receive, send: Send) -> None:
        await send(START)

    async def half(s: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})

    for inner in (nothing, start_only, half):
        assert (await ask(inner, chat(stream=stream))).status == 502


@pytest.mark.parametrize("stream", [False, True])
async def test_the_reply_is_complete_before_the_inner_app_is(stream: bool) -> None:
    seen: list[bool] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-type", b"text/event-stream")]})
        for event in HELLO:
            await send({"type": "http.response.body", "body": frame(event), "more_body": True})
        seen.append(replies[-1].complete)
        await send({"type": "http.response.body", "body": b"late", "more_body": False})
        await anyio.sleep(0.05)
        seen.append(True)

    replies: list[Reply] = []
    await call(ChatCompatMiddleware(inner, disconnect_grace=0), chat(stream=stream), on_send=keep(replies))
    assert seen == [True, True]  # done at once, and the work behind it was not cancelled
    assert b"late" not in replies[-1].body


async def test_a_second_start_is_of_no_account() -> None:
    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": frame(HELLO[0]), "more_body": True})
        await send({**START, "status": 500})
        await send({"type": "http.response.body", "body": b"".join(map(frame, HELLO[1:]))})

    assert (await ask(inner, chat(stream=True))).text() == "Hello"


async def test_unread_requests_trailers_and_foreign_messages_do_no_harm() -> None:
    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await send(START)
        await send({"type": "http.response.body", "body": json.dumps(REPLY).encode()})
        await send({"type": "http.response.trailers", "headers": []})

    reply = await ask(inner)
    assert [message["type"].split(".")[-1] for message in reply.messages] == ["early_hint", "start", "body"]


async def test_the_body_is_given_once_and_then_the_disconnect_after_the_end() -> None:
    kinds: list[str] = []

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        kinds.append((await receive())["type"])
        with anyio.move_on_after(0.05):
            kinds.append((await receive())["type"])
        await Inner()(s, not_read, send)
        kinds.append((await receive())["type"])

    await ask(inner)
    assert kinds == ["http.request", "http.disconnect"]


async def not_read() -> Any:
    return {"body": b""}


def keep(replies: list[Reply]) -> Callable[[Reply], Awaitable[None]]:
    async def on_send(reply: Reply) -> None:
        replies.append(reply)

    return on_send
