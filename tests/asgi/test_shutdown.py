"""A server that stops an exchange while the client is still there: the client is told, and so is the record."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord, RequestBounds
from tests.asgi.driver import HELLO, Reply, chat, frame, scope

pytestmark = pytest.mark.anyio

STOP = {"type": "http.disconnect", "reason": "server_shutdown"}
STREAM = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
ERROR = {
    "message": "The server is shutting down. Send the request again.",
    "type": "server_error",
    "param": None,
    "code": "server_shutdown",
}


async def waits(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await anyio.sleep_forever()


async def streams(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(STREAM)
    for event in HELLO[:3]:
        await send({"type": "http.response.body", "body": frame(event), "more_body": True})
    await anyio.sleep_forever()


async def finishes(scope: Scope, receive: Receive, send: Send) -> None:
    """Goes on after its whole reply."""
    await receive()
    await send(STREAM)
    for event in HELLO:
        await send({"type": "http.response.body", "body": frame(event), "more_body": True})
    assert (await receive())["type"] == "http.disconnect"


async def stopped(
    inner: ASGIApp, body: bytes, until: Callable[[Reply], bool], *, upload: bool = False, slow: bool = False
) -> tuple[Reply, ExchangeRecord]:
    """The reply and the record of an exchange that is stopped when `until` is true of the reply so far.

    A slow server takes its time to send the message at which it stops, and cannot be cancelled there.
    """
    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(inner, on_exchange=records.append, bounds=RequestBounds(choices=2))
    reply, pieces, stop = Reply(), [body], anyio.Event()

    async def receive() -> Message:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": upload}
        if not until(reply):
            await stop.wait()
        return STOP

    async def send(message: Message) -> None:
        reply.status = message.get("status", reply.status)
        reply.headers |= {name.decode(): value.decode() for name, value in message.get("headers", ())}
        reply.body += message.get("body", b"")
        reply.complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        if until(reply) and not stop.is_set():
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05 * slow)
                stop.set()
                await anyio.sleep(0.05 * slow)

    with anyio.fail_after(5):
        await app(scope(), receive, send)
    (record,) = records
    return reply, record


def outcome(record: ExchangeRecord) -> tuple[Any, ...]:
    return record.error_type, record.error_code, record.finish_reason


async def test_a_stream_that_is_stopped_ends_with_an_error_frame() -> None:
    reply, record = await stopped(streams, chat(stream=True), lambda reply: b"Hel" in reply.body)
    assert reply.complete
    assert reply.text() == "Hel"
    assert reply.data()[-1] == {"error": ERROR}
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)
    assert (record.status, record.response_id) == (200, "chatcmpl_1")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_that_still_waits_gets_a_503(stream: bool) -> None:
    reply, record = await stopped(waits, chat(stream=stream), lambda reply: True)
    assert (reply.status, reply.complete, reply.error) == (503, True, ERROR)
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)
    assert record.status == 503


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_that_still_wait_get_a_503(stream: bool) -> None:
    reply, record = await stopped(waits, chat(stream=stream, n=2), lambda reply: True)
    assert (reply.status, reply.complete, reply.error) == (503, True, ERROR)
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)


async def test_streams_of_several_choices_end_with_an_error_frame() -> None:
    reply, record = await stopped(streams, chat(stream=True, n=2), lambda reply: reply.body.count(b"Hel") == 2)
    assert (reply.complete, reply.data()[-1]) == (True, {"error": ERROR})
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)


async def test_a_choice_that_waits_for_its_turn_ends_with_an_error_frame() -> None:
    calls: list[Scope] = []

    async def second_is_late(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(scope)
        await anyio.sleep(0.02 * (len(calls) - 1))
        await streams(scope, receive, send)

    reply, record = await stopped(
        second_is_late, chat(stream=True, n=2), lambda reply: b"data" in reply.body, slow=True
    )
    assert (reply.complete, reply.data()[-1]) == (True, {"error": ERROR})
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)


async def test_an_upload_that_is_stopped_gets_a_503() -> None:
    reply, record = await stopped(waits, b"{", lambda reply: True, upload=True)
    assert (reply.status, reply.complete, reply.error) == (503, True, ERROR)
    assert outcome(record) == ("server_shutdown", "server_shutdown", None)
    assert record.model is None


async def test_a_reply_that_is_complete_is_not_cut_off() -> None:
    reply, record = await stopped(finishes, chat(stream=True), lambda reply: b"[DONE]" in reply.body)
    assert reply.data()[-1] == "[DONE]"
    assert outcome(record) == (None, None, "stop")


async def test_a_refusal_has_param_and_code_in_its_record() -> None:
    reply, record = await stopped(waits, chat(temperature="hot"), lambda reply: False)
    assert (record.error_param, record.error_code) == (reply.error["param"], reply.error["code"])
    assert record.error_param == "temperature"


async def test_a_native_error_has_its_code_in_the_record() -> None:
    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
        await send({"type": "http.response.start", "status": 429, "headers": []})
        await send({"type": "http.response.body", "body": body})

    reply, record = await stopped(limited, chat(), lambda reply: False)
    assert (record.error_type, record.error_code) == ("rate_limit_error", "rate_limit_exceeded")
    assert reply.error["code"] == record.error_code
