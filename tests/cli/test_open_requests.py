"""Requests that a server has open, and what becomes of them when it is stopped."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.http import SERVER_SHUTDOWN
from chatcompat.cli import open_requests
from chatcompat.cli.open_requests import OpenRequests, Stoppable
from tests.asgi.driver import scope

pytestmark = pytest.mark.anyio
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
PIECE: Message = {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}
LAST: Message = {"type": "http.response.body", "body": b""}


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "_GRACE", 0.05)


class Running:
    def __init__(self, app: ASGIApp) -> None:
        self.requests, self.sent = OpenRequests(), list[Message]()
        self.began = asyncio.Event()
        self.app = Stoppable(app, self.requests)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def receive(self) -> Message:
        self.began.set()
        await asyncio.sleep(60)
        raise AssertionError


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[Running]:
    """The app with one open request, which is complete at the end."""
    one = Running(app)
    task = asyncio.create_task(one.app(scope(), one.receive, one.send))
    await one.began.wait()
    yield one
    await asyncio.wait_for(task, 10)
    assert str(one.requests) == ""


def app(*messages: Message, told: list[Message] | None = None, then: Callable[[], Any] | None = None) -> ASGIApp:
    """Sends messages, waits to be told of the end, then does something."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        heard = await receive()
        if told is not None:
            told.extend([heard, await receive()])
        if then is not None:
            await then()

    return call


async def test_a_request_without_a_reply_gets_an_error() -> None:
    told: list[Message] = []
    async with running(app(told=told)) as one:
        assert str(one.requests) == "1 request"
        one.requests.stop()
    assert told == [{"type": "http.disconnect", "reason": SERVER_SHUTDOWN}] * 2
    assert one.sent[0]["status"] == 503
    assert json.loads(one.sent[1]["body"])["error"]["code"] == SERVER_SHUTDOWN


async def test_a_native_stream_ends_with_an_error_event() -> None:
    async with running(app(START, PIECE)) as one:
        assert str(one.requests) == "1 stream"
        one.requests.stop()
    assert one.sent[-1]["body"].startswith(b"\n\nevent: error\ndata: {")
    assert one.sent[-1]["more_body"] is False


async def test_a_whole_reply_that_has_begun_is_cut_off() -> None:
    async with running(app({**START, "headers": []}, PIECE)) as one:
        one.requests.stop()
    assert one.sent[-1] == PIECE


async def test_an_app_that_ends_its_reply_itself_is_left_alone() -> None:
    async with running(app(START, PIECE, LAST)) as one:
        one.requests.stop()
        one.began.set()
    assert one.sent[-1] == LAST


async def test_an_app_that_goes_on_is_cancelled() -> None:
    async with running(app(START, then=lambda: asyncio.sleep(60))) as one:
        one.requests.stop()
    assert one.sent[-1]["body"].startswith(b"\n\nevent: error")


async def test_a_timeout_of_the_app_is_its_own() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("its own")

    one = Running(fail)
    with pytest.raises(TimeoutError, match="its own"):
        await one.app(scope(), one.receive, one.send)


async def test_what_is_open_is_counted() -> None:
    requests = OpenRequests()
    for kind in (True, True, False):
        made = open_requests._OpenRequest(requests, asyncio.sleep, asyncio.sleep)  # type: ignore[arg-type]
        made.is_stream = kind
        requests.open.add(made)
    assert str(requests) == "2 streams and 1 request"


async def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    one = Running(lifespan)
    await one.app({"type": "lifespan"}, one.receive, one.send)
    assert seen == ["lifespan"]
