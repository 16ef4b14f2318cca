"""Which replies of an upstream pass, and what is told of the others."""

import asyncio
import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.asgi.faults.server import Seen, Server, request
from tests.upstream.origin import Script, says
from tests.upstream.support import BODY, HEADERS, MESSAGE, WHOLE, between, chat_post, post

pytestmark = pytest.mark.anyio

KIB = 1024


async def ask(upstream: object, method: str = "POST") -> Seen:
    """One exchange, of which every header is kept as bytes."""
    body, headers = (BODY, HEADERS) if method == "POST" else (b"", [])
    server = Server([request(body)], method=method, path="/v1/messages", headers=headers, alone=False)
    return await server.run(upstream)  # type: ignore[arg-type]


def replies(*headers: bytes, status: bytes = b"200 OK", body: bytes = b"{}") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


async def test_header_values_come_back_byte_for_byte() -> None:
    value = bytes(range(0x80, 0x100))
    async with between(says(replies(b"X-Name: " + value))) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, seen.header(b"x-name")) == (200, value)


LARGE = {
    "one header": [b"X-A: " + b"a" * 60 * KIB],
    "one name": [b"X" * 60 * KIB + b": a"],
    "250 headers": [b"X-%d: " % index + b"a" * 240 for index in range(250)],
}


@pytest.mark.parametrize("headers", LARGE.values(), ids=LARGE)
async def test_a_reply_with_60_kib_of_headers_passes(headers: list[bytes]) -> None:
    async with between(says(replies(*headers))) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, seen.body, len(seen.headers)) == (200, b"{}", len(headers) + 1)


TOO_LARGE = {
    "one header": [b"X-A: " + b"a" * 65 * KIB],
    "one name": [b"X" * 65 * KIB + b": a"],
    "250 headers": [b"X-%d: " % index + b"a" * 270 for index in range(250)],
    "257 headers": [b"X-%d: a" % index for index in range(257)],
}


@pytest.mark.parametrize("headers", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_reply_with_larger_headers_is_a_502_that_says_so(headers: list[bytes]) -> None:
    async with between(says(replies(*headers))) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, json.loads(seen.body)["error"]) == (
        502,
        {"type": "api_error", "message": "The upstream messages service sent headers that are too large."},
    )


async def test_the_bound_of_headers_is_an_option() -> None:
    async with between(says(replies(b"X-A: " + b"a" * 65 * KIB)), max_header_bytes=100 * KIB) as (upstream, _):
        assert (await ask(upstream)).status == 200
    async with between(says(replies(b"X-A: " + b"a" * KIB)), max_header_bytes=KIB) as (upstream, _):
        assert (await ask(upstream)).status == 502


@pytest.mark.parametrize("status", [b"099 No", b"101 Switching", b"600 No", b"999 No"])
async def test_a_status_that_cannot_be_passed_on_is_a_502(status: bytes) -> None:
    async with between(says(replies(status=status, body=b""))) as (upstream, _):
        seen = await ask(upstream)
        chatted = await chat_post(upstream, stream=False)
    assert (seen.status, chatted.status) == (502, 502)
    assert "status" in json.loads(seen.body)["error"]["message"]


async def test_interim_replies_are_not_passed_on() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    async with between(says(interim + WHOLE)) as (upstream, there):
        for _ in range(2):
            assert (await post(upstream)).body == MESSAGE
        assert there.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_reply_without_a_body_announces_none(status: bytes) -> None:
    async with between(says(b"HTTP/1.1 %s\r\nContent-Length: 5\r\nX-A: a\r\n\r\n" % status)) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, seen.headers, seen.body) == (int(status[:3]), [(b"x-a", b"a")], b"")


async def test_headers_with_control_characters_are_left_out() -> None:
    async with between(says(replies(b"X-A: a\x01b", b"X-B: a\tb", b"X-C: a\x7f"))) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, seen.headers) == (200, [(b"content-length", b"2"), (b"x-b", b"a\tb")])


async def test_headers_that_each_server_adds_are_its_own() -> None:
    async with between(says(replies(b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Server: a", b"X-A: b"))) as (upstream, _):
        seen = await ask(upstream)
    assert (seen.status, seen.headers) == (200, [(b"content-length", b"2"), (b"x-a", b"b")])


async def test_other_tasks_get_a_turn_between_the_pieces_of_a_large_reply() -> None:
    body, turns = bytes(range(256)) * 8 * KIB, 0  # 2 MiB
    when: list[int] = []

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if len(message.get("body", b"")) == 64 * KIB:
                when.append(turns)
            await send(message)

        await upstream(scope, receive, note)

    async with between(says(replies(body=body))) as (upstream, _):
        other = asyncio.create_task(take_turns())
        seen = await ask(app)
        other.cancel()
    assert seen.body == body
    assert max(map(len, seen.pieces)) <= 64 * KIB
    assert when
    assert len({*when}) == len(when), "two large pieces in one turn"


EVIL = replies(body=b"of another")
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def in_two(first: bytes, then: bytes, over: asyncio.Event, said: asyncio.Event) -> Script:
    """The first at once; the rest when the reply is over and the connection idle."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(first)(reader, writer)
        await over.wait()
        try:
            await says(then)(reader, writer)
        finally:
            said.set()

    return script


@pytest.mark.parametrize("first", [replies(body=b"mine"), NO_CONTENT, replies(status=b"304 No", body=b"")])
@pytest.mark.parametrize("then", [EVIL, EVIL[:20], b"xx", b"\r\n\r\n" + EVIL, b"HTTP/1.1 100 Continue\r\n\r\n" + EVIL])
@pytest.mark.parametrize("at_once", [False, True])
async def test_what_nobody_asked_for_answers_nobody(first: bytes, then: bytes, at_once: bool) -> None:
    async def twice(method: str) -> None:
        own = replies(body=b"") if method == "HEAD" and b"mine" in first else first
        over, said = asyncio.Event(), asyncio.Event()
        script = says(own + then) if at_once else in_two(own, then, over, said)
        async with between(script) as (upstream, _):
            for _ in range(2):
                over.clear()
                said.clear()
                seen = await ask(upstream, method)
                assert seen.status == int(own[9:12]) or (at_once and seen.status == 502)
                assert b"of another" not in seen.body
                over.set()
                if not at_once:
                    await said.wait()
                for _ in range(10):
                    await asyncio.sleep(0)  # the client reads what came

    async with asyncio.TaskGroup() as tasks:
        for method in ("POST", "GET", "HEAD"):
            tasks.create_task(twice(method))
