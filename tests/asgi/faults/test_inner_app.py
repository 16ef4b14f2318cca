"""Whatever the inner app does, the client gets an answer, and one that is not whole says so."""

import gzip
import json
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from tests.asgi.faults.server import HELLO, JSON, REPLY, SSE, app_of, body, chat, frame, serve, streaming

pytestmark = pytest.mark.anyio

ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded, come back later"}}
DELTA = HELLO[2]


class Broken(Exception):
    """The inner app's own."""


def changed(**fields: Any) -> dict[str, Any]:
    return {**DELTA, **fields}


BROKEN_EVENTS: dict[str, Any] = {
    "no JSON": b"data: {nope}\n\n",
    "a number": b"data: 5\n\n",
    "null": b"data: null\n\n",
    "no UTF-8": b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}\n\n',
    "no delta": {"type": "content_block_delta", "index": 0},
    "text that is a number": changed(delta={"type": "text_delta", "text": 7}),
    "delta null": changed(delta=None),
    "index text": changed(index="0"),
    "half a character": frame(DELTA).replace(b"Hel", b"\\ud800"),
    "deep": b"data: " + b"[" * 100_000 + b"\n\n",
}


@pytest.mark.parametrize("event", BROKEN_EVENTS.values(), ids=BROKEN_EVENTS)
@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_event_that_cannot_be_read_is_an_error_and_no_hole(event: Any, at: int, stream: bool) -> None:
    seen = await serve(ChatCompatMiddleware(streaming(*HELLO[:at], event, *HELLO[at:])), chat(stream=stream))
    assert seen.fails()
    assert (seen.status == 200) == (stream and at > 0)


@pytest.mark.parametrize("at", range(len(HELLO)))
async def test_an_error_is_told_where_it_comes_and_nothing_follows_it(at: int) -> None:
    seen = await serve(ChatCompatMiddleware(streaming(*HELLO[:at], ERROR, *HELLO[at:])))
    assert seen.fails()
    assert seen.status == (200 if at else 529)
    assert seen.body.count(b"Overloaded, come back later") == 1
    assert seen.body.count(b"overloaded") == 1


async def test_a_stream_that_ends_anywhere_early_says_so() -> None:
    raw = b"".join(map(frame, HELLO))
    for end in range(0, len(raw) - 2, 7):
        seen = await serve(ChatCompatMiddleware(streaming(raw[:end])))
        assert seen.fails(), end
        assert "Hello".startswith(seen.text() if seen.status == 200 else "")


@pytest.mark.parametrize("before", [(), (SSE,), (JSON,), (SSE, *map(body, HELLO[:3])), (JSON, body(b'{"id":'))])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_exception_reaches_the_server_and_the_client_an_error(before: Any, stream: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in before:
            await send(message)
        raise Broken("SECRET")

    seen_by: list[bytes] = []
    with pytest.raises(Broken, match="SECRET"):
        await serve(ChatCompatMiddleware(app), chat(stream=stream), on_body=lambda piece: _note(seen_by, piece))
    told = b"".join(seen_by)
    assert b'{"error":{' in told
    assert b"SECRET" not in told
    assert b"[DONE]" not in told


async def _note(pieces: list[bytes], piece: bytes) -> None:
    pieces.append(piece)


async def test_an_exception_behind_the_end_leaves_the_answer_whole() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await streaming(*HELLO)(scope, receive, send)
        raise Broken

    pieces: list[bytes] = []
    with pytest.raises(Broken):
        await serve(ChatCompatMiddleware(app), on_body=lambda piece: _note(pieces, piece))
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


RAW = json.dumps(REPLY).encode()
STREAM = b"".join(map(frame, HELLO))


def replies(status: Any, media: str, content: bytes, *headers: tuple[bytes, bytes]) -> ASGIApp:
    start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", media.encode()), *headers]}
    return app_of(start, body(content, more_body=False))


GZIP = (b"content-encoding", b"gzip")
NO_REPLIES = {
    "nothing": app_of(),
    "a start alone": app_of(JSON),
    "half": app_of(JSON, body(b'{"id":')),
    "half a stream": app_of(SSE, body(b"event: message_st")),
    "HTML": replies(200, "text/html", b"<html>SECRET"),
    "HTML as JSON": replies(200, "application/json", b"<html>SECRET"),
    "truncated": replies(200, "application/json", RAW[:-1]),
    "a list": replies(200, "application/json", b"[]"),
    "an empty object": replies(200, "application/json", b"{}"),
    "an error as a reply": replies(200, "application/json", json.dumps(ERROR).encode()),
    "an unknown error as a reply": replies(
        200, "application/json", b'{"type":"error","error":{"type":"x","message":"y"}}'
    ),
    "deep": replies(200, "application/json", b"[" * 100_000),
    "gzip JSON": replies(200, "application/json", gzip.compress(RAW), GZIP),
    "gzip stream": replies(200, "text/event-stream", gzip.compress(STREAM), GZIP),
    "gzip unsaid": replies(200, "application/json", gzip.compress(RAW)),
    "a stream as text": replies(200, "text/plain", STREAM),
    "no content": replies(204, "text/plain", b""),
    "a redirect": replies(302, "text/plain", b"", (b"location", b"https://evil.test/")),
    "not modified": replies(304, "text/plain", b""),
    "a temporary redirect": replies(307, "text/plain", b"", (b"location", b"https://evil.test/")),
    "a body without a start": app_of(body(RAW, more_body=False)),
    **{
        f"status {status!r}": replies(status, "application/json", RAW)
        for status in (0, -200, 99, 100, 103, 199, 600, 999, 10**9, 200.0, "200", None, True)
    },
    "large headers": replies(200, "application/json", RAW, (b"x", b"y" * 65_536)),
}


@pytest.mark.parametrize("app", NO_REPLIES.values(), ids=NO_REPLIES)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_reply_is_an_error_of_the_services(app: ASGIApp, stream: bool) -> None:
    seen = await serve(ChatCompatMiddleware(app), chat(stream=stream))
    assert seen.status >= 500
    assert seen.fails()
    assert b"SECRET" not in seen.body
    assert seen.header(b"location") is None or seen.status == 502


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize(
    ("media", "content", "told"),
    [
        ("application/json", json.dumps(ERROR).encode(), b"come back later"),
        ("text/html", b"<html>SECRET</html>", b'"message":"'),
        ("text/plain", b"", b'"message":"'),
        ("text/plain", b"SECRET text", b'"message":"'),
        ("application/json", b'{"error":5,"message":[]}', b'"message":"'),
        ("application/json", gzip.compress(b"{}", mtime=0), b'"message":"'),
    ],
)
async def test_an_error_keeps_its_status_and_its_message(status: int, media: str, content: bytes, told: bytes) -> None:
    kept = [(b"retry-after", b"7"), (b"request-id", b"req_1")]
    for stream in (False, True):
        seen = await serve(ChatCompatMiddleware(replies(status, media, content, *kept)), chat(stream=stream))
        assert seen.status == status
        assert seen.fails()
        assert told in seen.body
        assert b"SECRET" not in seen.body
        assert (seen.header(b"retry-after"), seen.header(b"x-request-id")) == (b"7", b"req_1")


async def test_a_reply_of_the_other_kind_is_converted() -> None:
    seen = await serve(ChatCompatMiddleware(replies(200, "application/json", RAW)))
    assert (seen.text(), seen.is_whole()) == ("Hello", True)
    seen = await serve(ChatCompatMiddleware(streaming(*HELLO)), chat())
    assert json.loads(seen.body)["choices"][0]["message"]["content"] == "Hello"


async def test_a_reply_in_pieces_is_the_same_reply() -> None:
    pieces = [RAW[start : start + 3] for start in range(0, len(RAW), 3)]
    seen = await serve(ChatCompatMiddleware(app_of(JSON, *map(body, pieces), body(b"", more_body=False))), chat())
    assert json.loads(seen.body)["choices"][0]["message"]["content"] == "Hello"


async def test_messages_out_of_order_break_no_rule_of_the_protocol() -> None:
    end = body(b"", more_body=False)
    for messages in (
        [SSE, *map(body, HELLO[:3]), SSE, *map(body, HELLO[3:]), end],
        [SSE, *map(body, HELLO), end, body(DELTA), SSE, end],
        [SSE, *map(body, HELLO), end, {"type": "http.response.trailers", "headers": []}],
    ):
        assert (await serve(ChatCompatMiddleware(app_of(*messages)))).is_whole()
    assert (await serve(ChatCompatMiddleware(app_of(body(DELTA), SSE, *map(body, HELLO), end)))).fails()


async def test_an_app_that_answers_before_it_reads_is_heard() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, *map(body, HELLO), body(b"", more_body=False)):
            await send(message)
        assert (await receive())["type"] == "http.request"

    assert (await serve(ChatCompatMiddleware(app))).is_whole()


async def test_the_end_is_told_though_the_app_never_closes() -> None:
    done = anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (SSE, *map(body, HELLO)):
            await send(message)
        await done.wait()

    async def on_body(piece: bytes) -> None:
        if piece.endswith(b"[DONE]\n\n"):
            done.set()

    with anyio.fail_after(1):
        assert (await serve(ChatCompatMiddleware(app), on_body=on_body)).is_whole()


async def test_after_failures_a_good_reply_is_good() -> None:
    outcomes = iter([app_of(), streaming(*HELLO[:2]), replies(500, "text/html", b""), streaming(*HELLO)])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await next(outcomes)(scope, receive, send)

    wrapped = ChatCompatMiddleware(app)
    assert [(await serve(wrapped)).is_whole() for _ in range(4)] == [False, False, False, True]
