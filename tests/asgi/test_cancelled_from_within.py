"""An inner app that awaits something that was cancelled fails like one that raises anything else."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord, RequestBounds
from tests.asgi.driver import HELLO, Reply, call, chat, frame


@pytest.fixture
def anyio_backend() -> str:
    """Only on asyncio can a task be cancelled by another."""
    return "asyncio"


pytestmark = pytest.mark.anyio
EVENTS = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def aborted(begun: int) -> Any:
    """An app whose job is aborted after so many events."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if begun:
            await send(EVENTS)
        for event in HELLO[:begun]:
            message: Message = {"type": "http.response.body", "body": frame(event), "more_body": True}
            await send(message)
        job = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        job.cancel()
        await job

    return app


async def ask(begun: int, *, stream: bool, n: int) -> tuple[Reply, ExchangeRecord, bool]:
    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(aborted(begun), bounds=RequestBounds(choices=2), on_exchange=records.append)
    reply, raised = Reply(), False

    async def keep(sent: Reply) -> None:
        nonlocal reply
        reply = sent

    try:
        await call(app, chat(stream=stream, n=n), on_send=keep)
    except asyncio.CancelledError:
        raised = True
    return reply, records[0], raised


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("stream", [False, True])
async def test_before_its_reply_it_is_a_500(stream: bool, n: int) -> None:
    reply, record, raised = await ask(0, stream=stream, n=n)
    assert reply.status == 500
    assert reply.json()["error"]["message"] == "The messages service failed."
    assert record.error_type == "server_error"
    assert raised is (n == 1)


@pytest.mark.parametrize("n", [1, 2])
async def test_within_its_stream_it_is_an_error_frame(n: int) -> None:
    reply, record, _ = await ask(4, stream=True, n=n)
    assert reply.status == 200
    assert b'"code":"incomplete_stream"' in reply.body.split(b"\n\n")[-2]
    assert b"[DONE]" not in reply.body
    assert record.error_type != "cancelled"


async def test_a_cancellation_from_outside_stays_one() -> None:
    records: list[ExchangeRecord] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(10)

    asked = asyncio.create_task(call(ChatCompatMiddleware(app, on_exchange=records.append), chat()))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert records[0].error_type == "cancelled"
