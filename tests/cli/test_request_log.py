"""The line of each request, by the app that writes it."""

import logging
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.http import SERVER_SHUTDOWN
from chatcompat.cli.request_log import RequestLog, log_exchange, note_shutdown, valid_id
from chatcompat.record import ExchangeRecord
from tests.asgi.driver import Inner, call, scope

pytestmark = pytest.mark.anyio
ERROR = b'{"error":{"type":"odd","param":"stop","code":"stout"}}'


async def never() -> Message:
    raise AssertionError


async def line_of(app: ASGIApp, caplog: pytest.LogCaptureFixture, **more: Any) -> Any:
    with caplog.at_level(logging.INFO, "chatcompat.access"):
        reply = await call(RequestLog(app, enabled=True, client_address=True), **more)
    [line] = caplog.records
    assert reply.headers.get("x-request-id", line.request_id) == line.request_id  # type: ignore[attr-defined]
    return line


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"my-id", True),
        (b"a" * 128, True),
        (b"a" * 129, False),
        (b"a b", False),
        (b"", False),
        (None, False),
        (b"\xff", False),
    ],
)
def test_an_id_of_the_client_is_kept_if_it_is_plain(sent: bytes | None, kept: bool) -> None:
    assert (valid_id(sent).encode() == sent) == kept
    assert kept or valid_id(sent).startswith("req_")


@pytest.mark.parametrize(
    ("status", "body", "fields", "level"),
    [
        (200, b"{}", (None, None, None), logging.INFO),
        (400, ERROR, ("odd", "stop", "stout"), logging.WARNING),
        (503, ERROR, ("odd", "stop", "stout"), logging.ERROR),
        (404, b"Not Found", ("error", None, None), logging.WARNING),
        (404, b"\xff", ("error", None, None), logging.WARNING),
        (404, b"x" * 20_000, ("error", None, None), logging.WARNING),
        (500, b'{"error":' * 9_000, ("error", None, None), logging.ERROR),
    ],
)
async def test_a_reply_without_a_record_is_read(
    status: int, body: bytes, fields: tuple[Any, ...], level: int, caplog: pytest.LogCaptureFixture
) -> None:
    line = await line_of(Inner(body, status=status, headers=[(b"request-id", b"req_inner")]), caplog, path="/a")
    assert (line.error_type, line.param, line.code) == fields
    assert (line.levelno, line.status, line.path, line.client) == (level, status, "/a", "127.0.0.1")
    assert (line.upstream_request_id, line.model, line.getMessage()) == ("req_inner", None, f"POST /a {status}")


async def test_without_a_client_and_with_the_same_id(caplog: pytest.LogCaptureFixture) -> None:
    headers = [(b"x-request-id", b"abc")]
    line = await line_of(Inner(b"", headers=headers), caplog, headers=headers, client=None)
    assert (line.request_id, line.upstream_request_id, line.client) == ("abc", None, None)


async def test_an_app_that_raises_is_answered_with_the_id(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(LookupError), caplog.at_level(logging.INFO, "chatcompat.access"):
        await RequestLog(app, enabled=True, client_address=False)(scope(), never, send)
    [line] = caplog.records
    assert (line.status, line.error_type) == (500, "server_error")  # type: ignore[attr-defined]
    assert (b"x-request-id", line.request_id.encode()) in sent[0]["headers"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("begins", [False, True])
async def test_an_app_that_raises_later_is_not_answered(begins: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            await receive()
        raise LookupError

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(LookupError), caplog.at_level(logging.INFO, "chatcompat.access"):
        await RequestLog(app, enabled=True, client_address=False)(scope(), receive, send)
    [line] = caplog.records
    expected = (200, "incomplete") if begins else (None, "client_disconnected")
    assert (line.status, line.error_type) == expected  # type: ignore[attr-defined]
    assert len(sent) == begins


async def test_an_app_that_sends_nothing_is_a_fault_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Sends nothing."""

    assert (await line_of(app, caplog)).error_type == "server_error"


async def test_a_record_decides_what_a_line_says(caplog: pytest.LogCaptureFixture) -> None:
    record = ExchangeRecord(
        model="m",
        streaming=True,
        status=200,
        finish_reason="stop",
        usage={"total_tokens": 3},
        ignored=("seed",),
        time_to_first_byte=None,
        duration=1.0,
        error_type=None,
        response_id="chatcmpl_1",
    )
    inner = Inner(b"{}")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        log_exchange(record)
        await inner(scope, receive, send)

    line = await line_of(app, caplog)
    assert (line.model, line.streaming, line.finish_reason, line.ignored) == ("m", True, "stop", "seed")
    assert (line.usage, line.response_id) == ({"total_tokens": 3}, "chatcmpl_1")


async def test_the_shutdown_is_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    inner = Inner(b"{}")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        note_shutdown()
        await inner(scope, receive, send)

    assert (await line_of(app, caplog)).error_type == SERVER_SHUTDOWN
    note_shutdown()  # outside a request, nothing has a line


async def test_other_scopes_and_a_log_that_is_off(caplog: pytest.LogCaptureFixture) -> None:
    inner = Inner(b"{}")
    with caplog.at_level(logging.INFO, "chatcompat.access"):
        await call(RequestLog(inner, enabled=False, client_address=False))
        await call(RequestLog(inner, enabled=True, client_address=False), type="websocket")
    assert caplog.records == []
    assert len(inner.scopes) == 2
