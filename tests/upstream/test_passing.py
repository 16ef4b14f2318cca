"""What passes through an `Upstream`, and over which connections."""

import asyncio
import math
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import anyio
import pytest
from starlette.types import Message

from chatcompat import ChatCompatMiddleware
from chatcompat.upstream import Upstream
from tests.asgi.driver import HELLO, Reply, call, frame, scope
from tests.asgi.faults.server import upload
from tests.upstream.origin import breaks_off, origin, says
from tests.upstream.support import BODY, END_OF_STREAM, HEADERS, MESSAGE, STREAM, WHOLE, between, chat_post, post

pytestmark = pytest.mark.anyio


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
        ("/mount/v1/messages", b"", b"/base/v1/messages"),
    ],
)
async def test_paths_and_queries_are_kept(path: str, query: bytes, target: bytes) -> None:
    async with origin(says(WHOLE)) as there:
        upstream = Upstream(there.url + "/base/")
        reply = await post(upstream, path=path, query_string=query, root_path="/mount")
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
        b"authorization: bearer k",
        b"x-api-key: k",
        b"anthropic-version: 2023-06-01",
        b"anthropic-beta: a",
        b"anthropic-beta: b",
        b"content-length: 12",
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
    seen, said = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(*STREAM[:3])(reader, writer)
        await seen.wait()  # the rest is there only when the first was read
        writer.write(b"".join(STREAM[3:]))
        await said.wait()  # the end comes when nothing is left to be said
        writer.write(END_OF_STREAM)

    async def on_send(reply: Reply) -> None:
        if HELLO[1]["type"].encode() in reply.body:
            seen.set()
        if HELLO[-1]["type"].encode() in reply.body:
            said.set()

    async with between(script) as (upstream, _):
        reply = await post(upstream, on_send=on_send)
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


@pytest.mark.parametrize(("reuse", "connections"), [(True, 1), (False, 3)])
async def test_connections_are_kept_or_not(reuse: bool, connections: int) -> None:
    async with between(says(*STREAM, END_OF_STREAM), reuse_connections=reuse) as (upstream, there):
        for _ in range(3):
            assert (await post(upstream)).complete
        assert there.connections == connections


async def test_without_reuse_an_upstream_may_close_after_each_stream() -> None:
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


class Closing(BaseHTTPRequestHandler):
    """A server of its own thread."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.wfile.write(WHOLE)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_each_event_loop_has_connections_of_its_own() -> None:
    made: list[aiohttp.ClientSession] = []

    def session() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)))
        return made[-1]

    async def ask() -> int:
        assert (await post(upstream)).status == 200
        return (await post(upstream)).status

    async def ask_and_close() -> int:
        try:
            return await ask()
        finally:
            await upstream.aclose()

    with ThreadingHTTPServer(("127.0.0.1", 0), Closing) as server:
        threading.Thread(target=server.serve_forever).start()
        upstream = Upstream(f"http://127.0.0.1:{server.server_port}", session=session)
        try:
            assert asyncio.run(ask()) == 200
            assert asyncio.run(ask_and_close()) == 200
        finally:
            server.shutdown()
    assert [one.closed for one in made] == [True, True]


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


async def test_a_proxy_needs_no_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    async with origin(says(WHOLE)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        upstream = Upstream("http://messages.invalid")
        assert (await post(upstream)).status == 200
        await upstream.aclose()


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "ftp"])
def test_a_proxy_of_another_kind_is_refused(name: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"{scheme}://user:secret@127.0.0.1:1")
    with pytest.raises(ValueError, match="must be an HTTP proxy") as raised:
        Upstream("http://messages.invalid")
    assert "secret" not in str(raised.value)
    monkeypatch.setenv("no_proxy", "messages.invalid")
    Upstream("http://messages.invalid")


@pytest.mark.parametrize(
    "url",
    [
        "http://a..example",
        f"http://{'a' * 64}.example",
        "messages.example",
        "ftp://a",
        "http://",
        "http://user:secret@a",
        "http://a:secret",
        "http://a:0",
        "http://a:65536",
        "http://a?b=c",
        "http://a#b",
    ],
)
async def test_a_url_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="url must") as raised:
        Upstream(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["connect_timeout", "upload_timeout", "first_byte_timeout", "idle_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, math.nan])
async def test_times_are_above_zero(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        Upstream("http://a", **{name: seconds})  # type: ignore[arg-type]


def test_without_its_extra_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['aiohttp'] = None\nimport chatcompat.upstream"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "pip install 'chatcompat[serve]'" in done.stderr
