"""What of a client's request reaches the upstream: exactly its bytes, or nothing that could be taken for another."""

import asyncio
from collections.abc import Iterable
from typing import Any

import aiohttp.http_writer
import anyio
import pytest
from starlette.types import Message

from chatcompat.upstream import METHODS
from chatcompat.upstream.upload import Upload
from tests.asgi.driver import Reply, call, scope
from tests.asgi.faults.server import Server, request, upload
from tests.upstream.origin import STREAM_HEAD, Script, chunk, falls_silent, says
from tests.upstream.support import BODY, END_OF_STREAM, HEADERS, MESSAGE, WHOLE, between, post

pytestmark = pytest.mark.anyio

LENGTH = HEADERS[1]
JSON = HEADERS[0]
CHUNKED = (b"transfer-encoding", b"chunked")


def of(length: bytes | int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % length if isinstance(length, int) else length)


def reads_chunks(seen: bytearray) -> Script:
    """Read a request's chunks to their end before the reply."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(WHOLE)

    return script


def native(reply: Reply) -> tuple[int, str, str]:
    body = reply.json()
    assert body["type"] == "error"
    return reply.status, body["error"]["type"], body["error"]["message"]


# ---------------------------------------------------------------- headers

SERIALIZERS = [aiohttp.http_writer._serialize_headers, aiohttp.http_writer._py_serialize_headers]
OBS_TEXT = bytes(range(0x80, 0x100))
VALUES = [OBS_TEXT, "é € 😀".encode(), b"caf\xe9", b"a\tb", b"", b"\xc3", b"\xed\xa0\x80"]


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_header_values_pass_byte_for_byte(method: str, serializer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp.http_writer, "_serialize_headers", serializer)
    headers = [(b"x-%d" % index, value) for index, value in enumerate(VALUES)]
    body = BODY if method == "POST" else b""
    async with between(says(WHOLE)) as (upstream, there):
        reply = await call(upstream, body, path="/v1/models", method=method, headers=headers)
        again = await post(upstream)
    assert (reply.status, again.status, there.connections) == (200, 200, 1)
    sent = dict(line.split(b": ", 1) for line in there.lines(0)[1:])
    assert [sent[name] for name, _ in headers] == VALUES
    assert there.bodies == [body, BODY]


async def test_header_values_pass_with_a_body_in_chunks() -> None:
    seen = bytearray()
    async with between(reads_chunks(seen), reads=False) as (upstream, there):
        await call(upstream, [BODY[:4], BODY[4:]], path="/v1/messages", headers=[JSON, (b"x-name", OBS_TEXT)])
    assert b"x-name: " + OBS_TEXT in there.lines()
    assert bytes(seen) == chunk(BODY[:4]) + chunk(BODY[4:]) + b"0\r\n\r\n"


UNSENDABLE = [
    *[(b"x-name", b"a%cb" % code) for code in (*range(9), *range(10, 32), 127)],
    *[(name, b"a") for name in (b"", b"x name", b"x:y", b"x\r\ny", b"\xe9", b"x\x00")],
]


@pytest.mark.parametrize("header", UNSENDABLE, ids=repr)
async def test_a_header_that_cannot_be_sent_is_a_400(header: tuple[bytes, bytes]) -> None:
    async with between(says(WHOLE)) as (upstream, there):
        status, error_type, message = native(await post(upstream, headers=[*HEADERS, header]))
    assert (status, error_type, there.heads) == (400, "invalid_request_error", [])
    assert "header" in message


async def test_expectations_are_the_servers_own() -> None:
    async with between(says(WHOLE)) as (upstream, there):
        reply = await post(upstream, headers=[*HEADERS, (b"expect", b"100-continue")])
    assert reply.status == 200
    assert not any(line.lower().startswith(b"expect") for line in there.lines())


# ---------------------------------------------------------------- the length of a body

BAD_FRAMING = {
    "a length that is no number": [of(b"x")],
    "a length with a sign": [of(b"+12")],
    "a length with a space": [of(b"1 2")],
    "a list of lengths": [of(b"12, 12")],
    "a length of hexadecimal digits": [of(b"0xc")],
    "a length of other digits": [of("١٢".encode())],
    "no length": [of(b"")],
    "a length of 5,000 digits": [of(b"9" * 5000)],
    "two lengths": [of(12), of(13)],
    "a length beside chunks": [of(12), CHUNKED],
    "chunks twice": [CHUNKED, CHUNKED],
    "another coding": [(b"transfer-encoding", b"gzip, chunked")],
    "a length above": [of(len(BODY) + 1)],
    "a length below": [of(len(BODY) - 1)],
    "a length of nothing": [of(0)],
}


@pytest.mark.parametrize("headers", BAD_FRAMING.values(), ids=BAD_FRAMING)
async def test_a_body_that_is_not_what_its_headers_say_is_not_forwarded(headers: list[tuple[bytes, bytes]]) -> None:
    async with between(says(WHOLE)) as (upstream, there):
        status, error_type, message = native(await post(upstream, headers=[JSON, *headers]))
    assert status == (501 if headers[0][1].startswith(b"gzip") or headers == [CHUNKED] * 2 else 400)
    assert error_type == "invalid_request_error"
    assert len(message) < 200
    assert there.connections == 0


@pytest.mark.parametrize("headers", [[of(12)], [of(12), of(12)], [of(b"0012")], [CHUNKED], []])
async def test_a_whole_body_is_sent_with_its_length_once(headers: list[tuple[bytes, bytes]]) -> None:
    async with between(says(WHOLE)) as (upstream, there):
        assert (await post(upstream, headers=[JSON, *headers])).status == 200
    framing = [line for line in there.lines() if line.lower().startswith((b"content-length", b"transfer-encoding"))]
    assert framing == [b"Content-Length: 12"]
    assert there.bodies == [BODY]


async def test_chunks_are_announced_once() -> None:
    async with between(reads_chunks(bytearray()), reads=False) as (upstream, there):
        await call(upstream, [BODY[:4], BODY[4:]], path="/v1/messages", headers=[JSON, CHUNKED])
    framing = [line for line in there.lines() if line.lower().startswith((b"content-length", b"transfer-encoding"))]
    assert framing == [b"Transfer-Encoding: chunked"]


def cuts(body: bytes) -> Iterable[list[bytes]]:
    """The body whole, in two pieces cut everywhere, and byte by byte."""
    yield [body]
    yield from ([body[:index], body[index:]] for index in range(len(body) + 1))
    yield [body[index : index + 1] for index in range(len(body))]


@pytest.mark.parametrize("announced", range(len(BODY) + 3))
async def test_no_body_is_ever_read_as_another_request(announced: int) -> None:
    async with between(says(WHOLE)) as (upstream, there):
        for pieces in cuts(BODY):
            reply = await call(upstream, pieces, path="/v1/messages", headers=[JSON, of(announced)])
            assert reply.status == (200 if announced == len(BODY) else 400)
            assert (await post(upstream)).body == MESSAGE
    assert {line.split(b"\r\n")[0] for line in there.heads} == {b"POST /v1/messages HTTP/1.1"}
    assert set(there.bodies) == {BODY}


async def test_a_large_body_in_one_piece_arrives() -> None:
    body = bytes(range(256)) * 9000
    async with between(says(WHOLE)) as (upstream, there):
        assert (await post(upstream, headers=[JSON, of(len(body))], body=body)).status == 200
    assert there.bodies == [body]


# ---------------------------------------------------------------- clients that stop, and clients that are slow


async def served(upstream: Any, messages: list[Message], *, pause: float, headers: Any) -> Reply:
    """A client that waits before each of its pieces, and for ever behind the last."""
    reply = Reply()

    async def receive() -> Message:
        await asyncio.sleep(pause)
        if messages:
            return messages.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        reply.status = message.get("status", reply.status)
        reply.body += message.get("body", b"")

    await upstream(scope("/v1/messages", headers=headers), receive, send)
    return reply


@pytest.mark.parametrize("headers", [[JSON, LENGTH], [JSON]])
@pytest.mark.parametrize("pieces", [[], [BODY[:5]]])
async def test_a_client_that_stops_is_a_408_of_its_own(pieces: list[bytes], headers: Any) -> None:
    options: dict[str, Any] = {"upload_timeout": 0.2, "first_byte_timeout": 0.1}
    async with between(falls_silent(), **options) as (upstream, there):
        messages = [request(piece, more_body=True) for piece in pieces]
        status, error_type, message = native(await served(upstream, messages, pause=0, headers=headers))
        if pieces:
            await there.left.wait()
        assert there.connections == len(pieces)
    assert (status, error_type) == (408, "invalid_request_error")
    assert message == "The request's body stopped for 0.2 seconds."


async def test_a_slow_client_is_no_silence_of_the_upstreams() -> None:
    pieces = [BODY[index : index + 1] for index in range(len(BODY))]
    async with between(says(WHOLE), upload_timeout=5, first_byte_timeout=0.5) as (upstream, there):
        reply = await served(upstream, [*upload(pieces)], pause=0.1, headers=HEADERS)
    assert (reply.status, there.bodies) == (200, [BODY])


async def test_an_upstream_that_takes_no_body_is_a_504() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    body = b"x" * 2**25
    async with between(script, reads=False, first_byte_timeout=0.3) as (upstream, _):
        status, error_type, _ = native(await post(upstream, headers=[JSON, of(len(body))], body=body))
    assert (status, error_type) == (504, "timeout_error")


EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}"


async def test_a_reply_before_the_end_of_a_body_passes() -> None:
    messages = [request(BODY[:5], more_body=True)]
    async with between(says(EARLY), reads=False) as (upstream, there):
        reply = await served(upstream, messages, pause=0, headers=HEADERS)
        await there.left.wait()
        assert (reply.status, reply.body, there.connections) == (413, b"{}", 1)


async def test_the_rest_of_a_body_is_sent_beside_its_reply() -> None:
    begun = anyio.Event()
    sent: list[Message] = []
    messages = upload([BODY[:5], BODY[5:7], BODY[7:]])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        await says(STREAM_HEAD)(reader, writer)
        writer.write(chunk(await reader.readexactly(len(BODY) - 5)) + END_OF_STREAM)

    async def receive() -> Message:
        if len(messages) < 3:
            await begun.wait()
        if messages:
            return messages.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        begun.set()

    async with between(script, reads=False, first_byte_timeout=5) as (upstream, _):
        await upstream(scope("/v1/messages", headers=HEADERS), receive, send)
    assert b"".join(message.get("body", b"") for message in sent) == BODY[5:]


@pytest.mark.parametrize("stops", ["leaves", "is silent", "sends too much"])
async def test_a_client_that_stops_beside_its_reply_ends_both(stops: str) -> None:
    begun = anyio.Event()
    sent: list[Message] = []
    rest = {"leaves": {"type": "http.disconnect"}, "sends too much": request(BODY, more_body=False)}
    messages = [request(BODY[:5], more_body=True)]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await begun.wait()
        if stops in rest:
            return rest[stops]
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        begun.set()

    async with between(falls_silent(STREAM_HEAD), reads=False, upload_timeout=0.2) as (upstream, there):
        await upstream(scope("/v1/messages", headers=HEADERS), receive, send)
        await there.left.wait()
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_client_that_leaves_in_its_body_frees_the_connection() -> None:
    async with between(says(WHOLE)) as (upstream, there):
        for _ in range(3):
            leaves = [request(BODY[:5], more_body=True), {"type": "http.disconnect"}]
            seen = await Server(leaves, path="/v1/messages", headers=HEADERS, alone=False).run(upstream)
            assert seen.status == 0
            assert (await post(upstream)).body == MESSAGE
    assert there.bodies == [BODY] * 3


# ---------------------------------------------------------------- methods


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "post", "BREW", "P\nT", ""])
async def test_a_method_that_no_native_path_has_is_a_405(method: str) -> None:
    async with between(says(WHOLE)) as (upstream, there):
        reply = await post(upstream, method=method)
    assert native(reply) == (405, "invalid_request_error", "Use one of GET, HEAD, OPTIONS, POST.")
    assert reply.headers["allow"] == ", ".join(METHODS)
    assert there.connections == 0


async def test_what_follows_a_head_request_is_not_its_body() -> None:
    async with between(says(WHOLE.removesuffix(MESSAGE))) as (upstream, there):
        sent = [await head(upstream) for _ in range(2)]
    assert there.connections == 1
    assert there.lines()[0] == b"HEAD /v1/models HTTP/1.1"
    for start, end in sent:
        assert dict(start["headers"])[b"content-length"] == b"%d" % len(MESSAGE)
        assert end == {"type": "http.response.body", "body": b"", "more_body": False}


async def head(upstream: Any) -> list[Message]:
    sent: list[Message] = []
    messages = [request(b"")]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await upstream(scope("/v1/models", "HEAD", headers=[]), receive, send)
    return sent


async def test_an_upload_is_no_text() -> None:
    async def receive() -> Message:
        raise AssertionError

    part = Upload(receive, length=1, timeout=1, patience=1, allow=print, ascii_headers=True)
    assert (part.size, part.consumed) == (1, False)
    with pytest.raises(TypeError):
        part.decode()
