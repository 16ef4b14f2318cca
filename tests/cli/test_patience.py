"""Timeouts of `chatcompat serve` for clients that stall in the middle of a request, over sockets."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord, InvalidRequest
from chatcompat.cli.patience import MAX_HEAD_BYTES, PatientApp, PatientConfig
from chatcompat.simulator import create_app as create_simulator
from tests.asgi.driver import Inner, chat
from tests.upstream.origin import falls_silent
from tests.upstream.support import between

pytestmark = pytest.mark.anyio

BOUND = 0.5
SLACK = 5.0  # what a loaded machine may take beside
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # what uvicorn runs on


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, piece: bytes) -> None:
        self.writer.write(piece)

    async def rest(self) -> bytes:
        """All until the server closes the connection, which it does in time."""
        with anyio.fail_after(BOUND + SLACK):
            seen = b""
            with suppress(ConnectionResetError):
                while piece := await self.reader.read(65536):
                    seen += piece
            return seen

    async def reply(self) -> bytes:
        with anyio.fail_after(SLACK):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + await self.reader.readexactly(length)


@asynccontextmanager
async def serving(app: ASGIApp, bound: float = BOUND) -> AsyncIterator[Connection]:
    """A server, and one connection to it."""
    config = PatientConfig(
        PatientApp(app, bound), request_timeout=bound, port=0, log_level="critical", lifespan="off", ws="none"
    )
    with config.bind_socket() as listener:
        listener.listen()
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        connection = Connection(*await asyncio.open_connection(*listener.getsockname()))
        try:
            yield connection
        finally:
            connection.writer.close()
            server.should_exit = True
            await task


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and send its length."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await says(b"%d" % size, send)


async def says(body: bytes, send: Send, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def error_in(seen: bytes) -> tuple[bytes, dict[str, object]]:
    head, _, body = seen.partition(b"\r\n\r\n")
    assert b"connection: close" in head.split(b"\r\n")
    return head.split(b"\r\n")[0], json.loads(body)


HEADS = [b"G", b"GET / HTT", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"]


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("head", HEADS)
async def test_headers_that_stop_half_way_are_a_408(head: bytes, before: bytes) -> None:
    async with serving(answer) as connection:
        if before:
            connection.send(before)
            assert (await connection.reply()).startswith(b"HTTP/1.1 200")
        connection.send(head)
        status, body = error_in(await connection.rest())
    assert status == b"HTTP/1.1 408 Request Timeout"
    message = "The request's headers were not complete within 0.5 seconds."
    error = {"type": "invalid_request_error", "message": message, "param": None, "code": None}
    assert body == {"type": "error", "error": error}


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("head", [b"", b"\r\n"])
async def test_a_request_that_does_not_begin_closes_the_connection(head: bytes, before: bytes) -> None:
    async with serving(answer) as connection:
        if before:
            connection.send(before)
            await connection.reply()
            if not head:
                return  # the server has a time of its own for idle connections
        connection.send(head)
        assert await connection.rest() == b""


async def test_what_is_no_http_closes_the_connection() -> None:
    async with serving(answer) as connection:
        connection.send(b"nonsense\r\n\r\n")
        assert (await connection.rest()).startswith(b"HTTP/1.1 400 ")


async def test_headers_that_drip_are_closed_all_the_same() -> None:
    async with serving(answer) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX-A: ")
        seen = asyncio.create_task(connection.rest())
        while not seen.done():
            connection.send(b"a")
            await asyncio.sleep(0.05)
    assert (await seen).startswith(b"HTTP/1.1 408 ")


async def test_headers_without_end_are_a_431() -> None:
    async with serving(answer, bound=60) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        await asyncio.sleep(0.1)
        connection.send(b"X-A: " + b"a" * MAX_HEAD_BYTES)
        status, body = error_in(await connection.rest())
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert body["error"]["message"] == "The headers are larger than 65536 bytes."  # type: ignore[index]


async def test_large_headers_beside_an_answer_close_the_connection() -> None:
    release = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()

    async with serving(slow, bound=60) as connection:
        connection.send(GET + b"GET / HTTP/1.1\r\nX-A: ")
        await asyncio.sleep(0.1)
        connection.send(b"a" * (MAX_HEAD_BYTES + 1))
        assert await connection.rest() == b""
        release.set()


def head_of(path: str, length: int, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


@pytest.mark.parametrize("inner", ["the simulator", "an upstream", "an app"])
@pytest.mark.parametrize("sent", [b"", b"{"])
async def test_a_native_body_that_stops_half_way_is_a_native_408(inner: str, sent: bytes) -> None:
    async with between(falls_silent(), upload_timeout=math.inf) as (upstream, _):
        apps: dict[str, ASGIApp] = {"the simulator": create_simulator(), "an upstream": upstream}
        async with serving(ChatCompatMiddleware(apps.get(inner, reads))) as connection:
            connection.send(head_of("/v1/messages", 99, "x-api-key: k", "anthropic-version: 2023-06-01") + sent)
            status, body = error_in(await connection.rest())
    assert status == b"HTTP/1.1 408 Request Timeout"
    error = {"type": "invalid_request_error", "message": "The request's body stopped for 0.5 seconds."}
    assert body == {"type": "error", "error": error}


async def test_a_chat_body_that_stops_half_way_is_a_408_with_a_record() -> None:
    records: list[ExchangeRecord] = []
    async with serving(ChatCompatMiddleware(answer, on_exchange=records.append)) as connection:
        connection.send(head_of("/v1/chat/completions", 99) + b"{")
        status, body = error_in(await connection.rest())
    assert status == b"HTTP/1.1 408 Request Timeout"
    error = {"type": "invalid_request_error", "message": "The request's body stopped for 0.5 seconds."}
    assert body == {"error": {**error, "param": None, "code": "request_timeout"}}
    assert [(record.status, record.error_type) for record in records] == [(408, "invalid_request_error")]


async def test_a_body_that_stops_beside_its_reply_closes_the_connection() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await receive()
        await receive()

    async with serving(early) as connection:
        connection.send(head_of("/", 99) + b"{")
        assert (await connection.rest()).endswith(b"\r\n\r\na")


async def test_what_is_sent_behind_an_answer_does_not_hold_the_connection() -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await says(b"no", send, 413)

    async with serving(refuses) as connection:
        connection.send(head_of("/", 10**9))
        seen = asyncio.create_task(connection.rest())
        while not seen.done():
            connection.send(b"a" * 9000)
            await asyncio.sleep(0.05)
    assert (await seen).count(b"HTTP/1.1") == 1


async def test_a_slow_body_and_a_slow_reply_have_their_time() -> None:
    bound = 1.0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(scope, receive, late)
        gone.append((await receive())["type"])

    async def late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(1.5 * bound)
        await sends[0](message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sends[:] = [send]
        await slow(scope, receive, send)

    sends: list[Send] = []
    gone: list[str] = []
    async with serving(app, bound) as connection:
        for _ in range(2):
            connection.send(head_of("/", 10))
            for _ in range(10):
                connection.send(b"a")
                await asyncio.sleep(0.15)
            assert (await connection.reply()).endswith(b"\r\n\r\n10")
    assert gone == ["http.disconnect"] * 2


async def test_a_chat_request_is_answered_as_ever() -> None:
    body = chat()
    async with serving(ChatCompatMiddleware(Inner())) as connection:
        connection.send(head_of("/v1/chat/completions", len(body)) + body)
        assert b"Hello" in await connection.reply()


async def test_a_refusal_of_the_apps_own_stays_an_exception() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise InvalidRequest("not yours")

    async with serving(fails) as connection:
        connection.send(GET)
        assert (await connection.rest()).startswith(b"HTTP/1.1 500")


async def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await PatientApp(app, 1)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
