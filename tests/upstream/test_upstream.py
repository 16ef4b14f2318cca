"""`Upstream` against real sockets: what passes, what does not, and who is told what when something breaks."""

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest
from starlette.types import Message

from chatcompat import ChatCompatMiddleware
from chatcompat.upstream import Upstream, UpstreamBroken
from tests.asgi.driver import HELLO, REPLY, Reply, call, chat, frame, scope
from tests.faults.server import Server, request, upload
from tests.upstream.origin import JSON_HEAD, STREAM_HEAD, Origin, Script, breaks_off, chunk, falls_silent, origin, says

pytestmark = pytest.mark.anyio

BODY = b'{"model":""}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
MESSAGE = json.dumps(REPLY).encode()
WHOLE = JSON_HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(MESSAGE), MESSAGE)
STREAM = [STREAM_HEAD, *(chunk(frame(event)) for event in HELLO)]
END_OF_STREAM = b"0\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the client library knows no other


@asynccontextmanager
async def between(script: Script, *, reads: bool = True, **options: Any) -> AsyncIterator[tuple[Upstream, Origin]]:
    """An `Upstream` in front of a scripted origin."""
    async with origin(script, reads=reads) as there:
        upstream = Upstream(there.url, **options)
        try:
            with anyio.fail_after(30):
                yield upstream, there
        finally:
            await upstream.aclose()


async def post(upstream: Any, **more: Any) -> Reply:
    return await call(upstream, BODY, **{"path": "/v1/messages", "headers": HEADERS, **more})


async def chat_post(upstream: Upstream, *, stream: bool) -> Reply:
    middleware = ChatCompatMiddleware(upstream)
    return await call(middleware, chat(stream=stream))


# ---------------------------------------------------------------- what passes


async def test_a_whole_reply_comes_back_as_it_was() -> None:
    async with between(says(WHOLE)) as (upstream, there):
        reply = await post(upstream)
    assert (reply.status, reply.body) == (200, MESSAGE)
    assert reply.headers["content-length"] == str(len(MESSAGE))
    assert there.lines()[0] == b"POST /v1/messages HTTP/1.1"


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/v1/messages/count_tokens", b"", b"/base/v1/messages/count_tokens"),
        ("/v1/messages", b"beta=true&x=%2F", b"/base/v1/messages?beta=true&x=%2F"),
        ("/v1/models", b"limit=2&after_id=a b\xe9", b"/base/v1/models?limit=2&after_id=a%20b%E9"),
        ("/v1/models/caicaini/auto", b"", b"/base/v1/models/caicaini/auto"),
        ("/v1/models/a?b é", b"", b"/base/v1/models/a%3Fb%20%C3%A9"),
        ("/root/v1/messages", b"", b"/base/v1/messages"),
    ],
)
async def test_paths_and_queries_are_kept(path: str, query: bytes, target: bytes) -> None:
    async with origin(says(WHOLE)) as there:
        upstream = Upstream(there.url + "/base/")
        reply = await post(upstream, path=path, query_string=query, root_path="/root")
        await upstream.aclose()
    assert reply.status == 200
    assert there.lines()[0].split(b" ")[1] == target


async def test_a_get_has_no_body() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE)

    async with between(script) as (upstream, there):
        reply = await call(upstream, b"", path="/v1/models", method="GET", headers=[(b"accept", b"*/*")])
    assert reply.status == 200
    assert [line for line in there.lines()[1:] if not line.startswith(b"Host:")] == [b"accept: */*"]


async def test_headers_pass_but_for_those_of_one_connection() -> None:
    answer = (
        b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\nConnection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\n"
        b"X-Private: 1\r\nrequest-id: req_1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nretry-after: 7\r\n\r\n{}"
    )
    given = [
        *HEADERS,
        (b"host", b"here"),
        (b"connection", b"close, X-Mine"),
        (b"x-mine", b"1"),
        (b"te", b"trailers"),
        (b"proxy-authorization", b"secret"),
        (b"authorization", b"Bearer k"),
        (b"x-api-key", b"k"),
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"a"),
        (b"anthropic-beta", b"b"),
    ]
    async with between(says(answer)) as (upstream, there):
        reply = await post(upstream, headers=given)
        await post(upstream)
    sent = [line.lower() for line in there.lines(0)[1:] if not line.startswith(b"Host")]
    assert sent == [
        b"content-type: application/json",
        b"content-length: 12",
        b"authorization: bearer k",
        b"x-api-key: k",
        b"anthropic-version: 2023-06-01",
        b"anthropic-beta: a",
        b"anthropic-beta: b",
    ]
    assert there.lines(0)[1] == b"Host: " + there.url.removeprefix("http://").encode()
    assert reply.status == 429
    assert reply.messages[0]["headers"] == [
        (b"content-length", b"2"),
        (b"request-id", b"req_1"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"retry-after", b"7"),
    ]
    assert not any(b"cookie" in line.lower() for line in there.lines(1)), "a cookie of one client went with another"


async def test_compressed_bodies_are_not_touched_and_redirects_not_followed() -> None:
    answer = b"HTTP/1.1 307 Go\r\nLocation: http://elsewhere/\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nzip"
    async with between(says(answer)) as (upstream, _):
        reply = await post(upstream)
    assert (reply.status, reply.body, reply.headers["content-encoding"]) == (307, b"zip", "gzip")


async def test_a_stream_comes_piece_by_piece() -> None:
    seen, answered = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(*STREAM[:3])(reader, writer)
        await seen.wait()  # the rest is there only when the first was read
        answered.set()
        writer.write(b"".join([*STREAM[3:], END_OF_STREAM]))

    async def on_send(reply: Reply) -> None:
        if HELLO[1]["type"].encode() in reply.body:
            seen.set()

    async with between(script) as (upstream, _):
        reply = await post(upstream, on_send=on_send)
    assert answered.is_set()
    assert reply.body == b"".join(frame(event) for event in HELLO)
    assert reply.complete


async def test_chat_clients_are_served() -> None:
    async with between(says(*STREAM, END_OF_STREAM)) as (upstream, _):
        streamed = await chat_post(upstream, stream=True)
    async with between(says(WHOLE)) as (upstream, _):
        whole = await chat_post(upstream, stream=False)
    assert (streamed.text(), streamed.data()[-1]) == ("Hello", "[DONE]")
    assert whole.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("headers", [HEADERS[:1], HEADERS])
async def test_a_request_in_pieces_is_sent_as_it_comes(headers: list[tuple[bytes, bytes]]) -> None:
    first_seen, taken = asyncio.Event(), b""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while not taken.endswith(b"0\r\n\r\n" if len(headers) == 1 else BODY[4:]):
            taken += await reader.read(65536)
            first_seen.set()
        writer.write(WHOLE)

    messages = [*upload([BODY[:4], b"", BODY[4:]])]

    async def receive() -> Message:
        if len(messages) == 1:
            await first_seen.wait()
        if messages:
            return messages.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    reply = Reply()

    async def send(message: Message) -> None:
        reply.body += message.get("body", b"")

    async with between(script, reads=False) as (upstream, there):
        await upstream(scope("/v1/messages", headers=headers), receive, send)
    assert reply.body == MESSAGE
    assert BODY in taken if len(headers) > 1 else b"4\r\n%s\r\n" % BODY[:4] in taken
    assert (b"Transfer-Encoding: chunked" in there.lines()) is (len(headers) == 1)


# ---------------------------------------------------------------- what does not


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


async def test_an_upstream_that_is_not_there_is_a_502(unused_port: int) -> None:
    upstream = Upstream(f"http://127.0.0.1:{unused_port}")
    assert error_of(await post(upstream)) == (502, "api_error")
    chatted = await chat_post(upstream, stream=True)
    assert (chatted.status, chatted.error["type"]) == (502, "server_error")
    await upstream.aclose()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


@pytest.mark.parametrize("pieces", [[], [b"nonsense\r\n\r\n"], [b"HTTP/1.1 200 OK\r\nContent-"]])
async def test_an_upstream_that_sends_no_reply_is_a_502_and_not_asked_again(pieces: list[bytes]) -> None:
    async with between(breaks_off(*pieces)) as (upstream, there):
        assert error_of(await post(upstream)) == (502, "api_error")
        assert len(there.heads) == 1


async def test_an_upstream_that_does_not_begin_is_a_504() -> None:
    async with between(falls_silent(), first_byte_timeout=0.05) as (upstream, there):
        assert error_of(await post(upstream)) == (504, "timeout_error")
        await there.left.wait()
    async with between(falls_silent(), first_byte_timeout=0.05) as (upstream, _):
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


# ---------------------------------------------------------------- a client that leaves, or is slow


@pytest.mark.parametrize("pieces", [[], STREAM[:3]])
@pytest.mark.parametrize("chats", [False, True])
async def test_a_client_that_leaves_closes_the_upstreams_connection(pieces: list[bytes], chats: bool) -> None:
    leave = anyio.Event()
    async with between(falls_silent(*pieces)) as (upstream, there):
        app = ChatCompatMiddleware(upstream, disconnect_grace=20) if chats else upstream
        body, path = (chat(stream=True), "/v1/chat/completions") if chats else (BODY, "/v1/messages")
        more = {} if chats else {"headers": HEADERS}

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
            release.set()
            assert written < 20 * 2**20

    async with between(script, idle_timeout=0.15) as (upstream, _):
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


# ---------------------------------------------------------------- connections


@pytest.mark.parametrize(("reuse", "connections"), [(True, 1), (False, 3)])
async def test_connections_are_kept_or_not(reuse: bool, connections: int) -> None:
    async with between(says(*STREAM, END_OF_STREAM), reuse_connections=reuse) as (upstream, there):
        for _ in range(3):
            assert (await post(upstream)).complete
        assert there.connections == connections


async def test_an_upstream_that_closes_after_each_stream_is_no_error_without_reuse() -> None:
    async with between(breaks_off(*STREAM, END_OF_STREAM), reuse_connections=False) as (upstream, there):
        replies = [await post(upstream) for _ in range(50)]
    assert all(reply.complete and reply.status == 200 for reply in replies)
    assert len(there.heads) == 50


async def test_the_lifespan_opens_and_closes_the_pool() -> None:
    made: list[aiohttp.ClientSession] = []

    def session() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession())
        return made[-1]

    received = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": next(received)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    upstream = Upstream("http://127.0.0.1:9", session=session)
    await ChatCompatMiddleware(upstream)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [one.closed for one in made] == [True]
    await upstream.aclose()  # nothing is open


async def test_the_environments_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with origin(says(WHOLE)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "direct.invalid")
        upstream = Upstream("http://messages.invalid", first_byte_timeout=math.inf, idle_timeout=math.inf)
        assert (await post(upstream)).status == 200
        await upstream.aclose()
        assert proxy.lines()[0] == b"POST http://messages.invalid/v1/messages HTTP/1.1"
        direct = Upstream("http://direct.invalid", connect_timeout=math.inf)
        assert (await post(direct)).status == 502
        await direct.aclose()
        assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "url", ["messages.example", "ftp://a", "http://", "http://user:secret@a", "http://a?b=c", "http://a#b"]
)
async def test_a_url_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="url must") as raised:
        Upstream(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["connect_timeout", "first_byte_timeout", "idle_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, math.nan])
async def test_times_are_above_zero(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        Upstream("http://a", **{name: seconds})  # type: ignore[arg-type]


def test_without_its_extra_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['aiohttp'] = None\nimport chatcompat.upstream"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "pip install 'chatcompat[serve]'" in done.stderr
