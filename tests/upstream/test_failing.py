"""Who is told what when an upstream breaks, or a client leaves or is slow."""

import asyncio
import socket
from typing import Any

import anyio
import pytest
import uvicorn
from starlette.types import Message

from chatcompat import ChatCompatMiddleware
from chatcompat.upstream import Upstream, UpstreamBroken
from tests.asgi.driver import Reply, call, chat, scope
from tests.asgi.faults.server import Server, request
from tests.upstream.origin import JSON_HEAD, STREAM_HEAD, breaks_off, chunk, falls_silent, says
from tests.upstream.support import BODY, END_OF_STREAM, HEADERS, STREAM, WHOLE, between, chat_post, post

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/messagesx", "/v1/messages/", "/v1/models/", "/v1/models/../admin", "/v1/models/a/./b", "/v1/complete"],
)
async def test_other_paths_are_not_found_in_the_native_form(path: str) -> None:
    reply = await call(Upstream("http://127.0.0.1:9"), BODY, path=path)
    assert reply.status == 404
    assert reply.json() == {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}


async def test_websockets_are_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Upstream("http://127.0.0.1:9")({"type": "websocket"}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1000}]


def error_of(reply: Reply) -> tuple[int, str]:
    body = reply.json()
    assert body["type"] == "error"
    return reply.status, body["error"]["type"]


async def test_an_upstream_that_is_not_there_is_a_502(unused_port: int, caplog: pytest.LogCaptureFixture) -> None:
    upstream = Upstream(f"http://127.0.0.1:{unused_port}")
    assert error_of(await post(upstream)) == (502, "api_error")
    (record,) = caplog.records
    reason = "ClientConnectorError: Connection refused"
    assert (record.name, record.levelname) == ("chatcompat.upstream", "WARNING")
    assert record.getMessage() == f"The upstream 127.0.0.1:{unused_port} failed: {reason}"
    assert (vars(record)["host"], vars(record)["port"], vars(record)["reason"]) == ("127.0.0.1", unused_port, reason)
    chatted = await chat_post(upstream, stream=True)
    assert (chatted.status, chatted.error["type"]) == (502, "server_error")
    await upstream.aclose()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


@pytest.mark.parametrize("pieces", [[], [b"nonsense\r\n\r\n"], [b"HTTP/1.1 200 OK\r\nContent-"]])
async def test_an_upstream_that_sends_no_reply_is_a_502_and_not_asked_again(pieces: list[bytes]) -> None:
    async with between(breaks_off(*pieces)) as (upstream, there):
        assert error_of(await post(upstream)) == (502, "api_error")
        assert len(there.heads) == 1


async def test_an_upstream_that_does_not_begin_is_a_504() -> None:
    async with between(falls_silent(), first_byte_timeout=0.3) as (upstream, there):
        assert error_of(await post(upstream)) == (504, "timeout_error")
        await there.left.wait()
    async with between(falls_silent(), first_byte_timeout=0.3) as (upstream, _):
        chatted = await chat_post(upstream, stream=False)
    assert (chatted.status, chatted.error["code"]) == (504, "timeout")


BROKEN = [
    [JSON_HEAD + b"Content-Length: 99\r\n\r\n{"],
    [STREAM_HEAD, chunk(b"{")],
]


@pytest.mark.parametrize("pieces", BROKEN)
async def test_a_reply_that_breaks_off_is_an_abort(pieces: list[bytes]) -> None:
    reply = Reply()

    async def on_send(sent: Reply) -> None:
        nonlocal reply
        reply = sent

    async with between(breaks_off(*pieces)) as (upstream, _):
        with pytest.raises(UpstreamBroken):
            await post(upstream, on_send=on_send)
    assert reply.status == 200
    assert not reply.complete


async def test_silence_within_a_reply_is_an_abort() -> None:
    async with between(falls_silent(*STREAM[:3]), idle_timeout=0.05) as (upstream, there):
        with pytest.raises(UpstreamBroken):
            await post(upstream)
        await there.left.wait()


@pytest.mark.parametrize("stop", range(2, len(STREAM)))
async def test_a_broken_stream_never_looks_whole_to_a_chat_client(stop: int) -> None:
    seen = Server([chat(stream=True)])
    async with between(breaks_off(*STREAM[:stop])) as (upstream, _):
        with pytest.raises(UpstreamBroken):
            await seen.run(ChatCompatMiddleware(upstream))
    assert seen.seen.fails()


async def test_a_broken_reply_is_a_502_to_a_chat_client() -> None:
    seen = Server([chat()], alone=False)
    async with between(breaks_off(WHOLE[:-5])) as (upstream, _):
        with pytest.raises(UpstreamBroken):
            await seen.run(ChatCompatMiddleware(upstream))
    assert (seen.seen.status, seen.seen.fails()) == (502, True)


@pytest.mark.parametrize(("stop", "whole"), [(4, False), (None, True)])
async def test_a_real_server_aborts_the_connection(stop: int | None, whole: bool) -> None:
    pieces = STREAM[:stop] if stop else [*STREAM, END_OF_STREAM]
    async with between(breaks_off(*pieces)) as (upstream, _):
        config = uvicorn.Config(upstream, port=0, log_config=None)
        listener = config.bind_socket()
        listener.listen()
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        seen = await reader.read()
        writer.close()
        server.should_exit = True
        await serving
        listener.close()
    assert seen.startswith(b"HTTP/1.1 200 OK")
    assert seen.endswith(END_OF_STREAM) is whole


@pytest.mark.parametrize("pieces", [[], STREAM[:3]])
@pytest.mark.parametrize("chats", [False, True])
async def test_a_client_that_leaves_closes_the_upstreams_connection(pieces: list[bytes], chats: bool) -> None:
    leave = anyio.Event()
    async with between(falls_silent(*pieces)) as (upstream, there):
        app = ChatCompatMiddleware(upstream, disconnect_grace=20) if chats else upstream
        body, path = (chat(stream=True), "/v1/chat/completions") if chats else (BODY, "/v1/messages")
        more: dict[str, Any] = {} if chats else {"headers": HEADERS}

        async def leaves() -> None:
            await there.asked.wait()
            leave.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(leaves())
            reply = await call(app, body, path=path, leave=leave, **more)
        await asyncio.wait_for(there.left.wait(), 10)
    assert not reply.complete


async def test_a_client_that_leaves_while_it_sends_is_told_nothing() -> None:
    async with between(falls_silent()) as (upstream, there):
        server = Server([request(b"{", more_body=True), {"type": "http.disconnect"}], path="/v1/messages", alone=False)
        seen = await server.run(upstream)
        await there.left.wait()
        at_once = await Server([{"type": "http.disconnect"}], path="/v1/messages").run(upstream)
    assert seen.status == at_once.status == 0


async def test_only_that_the_client_left_ends_an_exchange() -> None:
    async with between(falls_silent(*STREAM[:3])) as (upstream, there):
        leaving = [request(BODY), request(b""), {"type": "http.disconnect"}]
        await Server(leaving, path="/v1/messages", headers=HEADERS, alone=False).run(upstream)
        await there.left.wait()


async def test_a_server_that_says_so_by_an_oserror_aborts_too() -> None:
    async with between(falls_silent(*STREAM[:3])) as (upstream, there):
        server = Server([BODY], path="/v1/messages", headers=HEADERS, style="oserror", leave_after=2, alone=False)
        await server.run(upstream)
        await there.left.wait()


async def test_a_client_that_fails_to_take_a_piece_is_not_the_upstreams_fault() -> None:
    async def on_body(piece: bytes) -> None:
        raise OSError("the client left")

    async with between(falls_silent(*STREAM[:3])) as (upstream, there):
        server = Server([BODY], path="/v1/messages", headers=HEADERS, on_body=on_body, alone=False)
        with pytest.raises(AssertionError):  # by the server's own rules: the reply was left open
            await server.run(upstream)
        assert server.seen.broken == ["the reply was left open"]
        await there.left.wait()


async def test_a_slow_client_holds_the_upstream_back() -> None:
    piece, written, release = chunk(b"x" * 65536), 0, asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await says(STREAM_HEAD)(reader, writer)
        for _ in range(600):
            writer.write(piece)
            await writer.drain()
            written += 65536
        writer.write(END_OF_STREAM)

    async def on_send(reply: Reply) -> None:
        if reply.pieces and not release.is_set():
            while True:  # until the buffers between are full
                before = written
                await asyncio.sleep(0.2)
                if written == before:
                    break
            await asyncio.sleep(1.2)  # which is no silence of the upstream's
            release.set()
            assert written < 20 * 2**20

    async with between(script, idle_timeout=1) as (upstream, _):
        reply = await post(upstream, on_send=on_send)
    assert release.is_set()
    assert len(reply.body) == 600 * 65536


async def test_a_slow_upstream_holds_the_client_back() -> None:
    given, stop = 0, asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    async def receive() -> Message:
        nonlocal given
        given += 1
        return request(b"x" * 65536, more_body=True)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async with between(script) as (upstream, _):
        exchange = asyncio.create_task(upstream(scope("/v1/messages", headers=HEADERS[:1]), receive, send))
        before = -1
        while given != before or not given:
            before = given
            await asyncio.sleep(0.2)
        stop.set()
        await exchange
    assert given < 1000
    assert sent[0]["status"] == 502
