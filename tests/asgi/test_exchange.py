"""The reply: judged by its content type, held until it is known, and never made to look whole when it is not."""

import json

import pytest

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, Inner, ask, call, chat, frame, streaming
from tests.extensions import EXTENSIONS
from tests.vendor import chat_error, chat_sse, check_chat_reply

pytestmark = pytest.mark.anyio

ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


# ---------------------------------------------------------------- both forms, in both directions


async def test_a_whole_reply() -> None:
    reply = await ask(Inner())
    assert reply.status == 200
    assert reply.headers == {"content-type": "application/json", "content-length": str(len(reply.body))}
    completion = reply.json()
    assert check_chat_reply(completion, allow=EXTENSIONS) == []
    assert completion["id"] == "chatcmpl_1"
    assert completion["choices"][0]["message"]["content"] == "Hello"
    assert completion["usage"]["credits_consumed"] == 7


async def test_a_streamed_reply_goes_out_event_by_event() -> None:
    reply = await ask(streaming(), chat(stream=True))
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    assert "content-length" not in reply.headers
    assert chat_sse(reply.body, allow=EXTENSIONS) == []
    assert reply.text() == "Hello"
    assert reply.data()[-1] == "[DONE]"
    assert len([piece for piece in reply.pieces if piece]) == 4  # role, two texts, the end


async def test_a_streaming_app_serves_a_client_that_wants_a_whole_reply() -> None:
    reply = await ask(streaming())
    assert reply.headers["content-type"] == "application/json"
    assert check_chat_reply(reply.json(), allow=EXTENSIONS) == []
    assert reply.json()["choices"][0]["message"]["content"] == "Hello"
    assert reply.json()["usage"]["credits_consumed"] == 7


async def test_a_non_streaming_app_serves_a_client_that_wants_a_stream() -> None:
    reply = await ask(Inner(), chat(stream=True, stream_options={"include_usage": True}))
    assert chat_sse(reply.body, include_usage=True, allow=EXTENSIONS) == []
    assert reply.text() == "Hello"
    assert reply.data()[-2]["usage"]["credits_consumed"] == 7


async def test_a_body_in_pieces_is_one_reply() -> None:
    whole = json.dumps(REPLY).encode()
    assert (await ask(Inner([bytes([byte]) for byte in whole]))).json() == (await ask(Inner())).json()


@pytest.mark.parametrize("media", ["Text/Event-Stream", "text/event-stream;charset=utf-8"])
async def test_media_types_are_read_as_the_standard_says(media: str) -> None:
    inner = Inner([frame(event) for event in HELLO], media=media)
    assert (await ask(inner, chat(stream=True))).text() == "Hello"


# ---------------------------------------------------------------- headers


async def test_headers_of_the_inner_reply_get_the_names_that_clients_read() -> None:
    headers = [
        (b"Request-Id", b"req_1"),
        (b"anthropic-ratelimit-requests-remaining", b"5"),
        (b"anthropic-ratelimit-tokens-reset", b"2020-01-01T00:00:00Z"),
        (b"retry-after", b"3"),
        (b"etag", b"x"),
        (b"content-length", b"1"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"vary", b"origin"),
    ]
    reply = await ask(Inner(headers=headers))
    assert reply.headers["x-request-id"] == reply.headers["request-id"] == "req_1"
    assert reply.headers["x-ratelimit-remaining-requests"] == "5"
    assert reply.headers["x-ratelimit-reset-tokens"] == "0s"
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["vary"] == "origin"
    assert "etag" not in reply.headers
    start = reply.messages[0]
    assert [value for name, value in start["headers"] if name == b"set-cookie"] == [b"a=1", b"b=2"]


async def test_caching_and_buffering_headers_of_the_inner_app_are_kept() -> None:
    own = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"yes")]
    reply = await ask(streaming(headers=own), chat(stream=True))
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-store", "yes")


async def test_what_was_ignored_is_named_in_a_header() -> None:
    for stream in (False, True):
        inner = streaming() if stream else Inner()
        reply = await ask(inner, chat(stream=stream, seed=4, **{"x\r\ny": 1}))
        assert reply.headers["x-chatcompat-ignored"] == "x__y, seed"


# ---------------------------------------------------------------- errors of the inner app


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 429, 500, 503, 504, 529])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_native_error_keeps_its_status_and_message(status: int, stream: bool) -> None:
    inner = Inner(json.dumps(ERROR).encode(), status=status, headers=[(b"retry-after", b"2")])
    reply = await ask(inner, chat(stream=stream))
    assert (reply.status, reply.headers["retry-after"]) == (status, "2")
    assert chat_error(reply.json()) == []
    assert reply.error["message"] == "Overloaded"


@pytest.mark.parametrize(
    ("body", "media", "headers"),
    [
        (b"<html>Bad gateway SECRET</html>", "text/html", []),
        (b"", "text/plain", []),
        (b"\x1f\x8bSECRET", "application/json", [(b"content-encoding", b"gzip")]),
        (b"event: x\ndata: SECRET\n\n", "text/event-stream", []),
    ],
)
async def test_an_error_of_another_form_keeps_its_status_only(
    body: bytes, media: str, headers: list[tuple[bytes, bytes]]
) -> None:
    reply = await ask(Inner(body, status=502, media=media, headers=headers))
    assert (reply.status, reply.headers["content-type"]) == (502, "application/json")
    assert reply.error["type"] == "server_error"
    assert b"SECRET" not in reply.body


async def test_an_error_as_the_first_event_is_a_real_status() -> None:
    for stream in (False, True):
        reply = await ask(streaming([{"type": "ping"}, ERROR]), chat(stream=stream))
        assert (reply.status, reply.headers["content-type"]) == (529, "application/json")
        assert (reply.error["message"], reply.error["code"]) == ("Overloaded", "overloaded")


async def test_an_error_in_mid_stream_is_the_last_frame() -> None:
    reply = await ask(streaming([*HELLO[:3], ERROR, *HELLO[3:]]), chat(stream=True))
    assert reply.status == 200
    assert reply.data()[-1] == {
        "error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "overloaded_error"}
    }
    assert chat_sse(reply.body, allow=EXTENSIONS) == []
    assert reply.text() == "Hel"


async def test_an_error_in_mid_stream_is_a_status_for_a_whole_reply() -> None:
    reply = await ask(streaming([*HELLO[:3], ERROR]))
    assert (reply.status, reply.error["message"]) == (529, "Overloaded")


# ---------------------------------------------------------------- replies that are none


@pytest.mark.parametrize("end", range(len(HELLO)))
async def test_a_stream_that_ends_early_never_looks_whole(end: int) -> None:
    reply = await ask(streaming([*HELLO[:end]] or [{"type": "ping"}]), chat(stream=True))
    if end == 0:
        assert (reply.status, reply.error["code"]) == (502, "incomplete_stream")
    else:
        assert reply.data()[-1]["error"]["code"] == "incomplete_stream"
        assert b"[DONE]" not in reply.body
        assert b'"finish_reason":"' not in reply.body
    assert (await ask(streaming([*HELLO[:end]] or [{"type": "ping"}]))).status == 502


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "media", "status", "headers"),
    [
        (b"<html>", "text/html", 200, []),
        (b"<html>", "application/json", 200, []),
        (b'{"id":"msg_1"', "application/json", 200, []),
        (b"[]", "application/json", 200, []),
        (b"{}", "application/json", 200, []),
        (b"[" * 100_000, "application/json", 200, []),
        (b"\x1f\x8b", "application/json", 200, [(b"content-encoding", b"gzip")]),
        (b"\x1f\x8b", "text/event-stream", 200, [(b"content-encoding", b"gzip")]),
        (b"", "application/json", 204, []),
        (b"", "text/plain", 302, []),
        (b"", "text/plain", 304, []),
        (b"event: x\ndata: nope\n\n", "text/event-stream", 200, []),
    ],
)
async def test_what_is_no_reply_is_a_502(
    body: bytes, media: str, status: int, headers: list[tuple[bytes, bytes]], stream: bool
) -> None:
    reply = await ask(Inner(body, media=media, status=status, headers=headers), chat(stream=stream))
    assert reply.status == 502
    assert chat_error(reply.json()) == []
    assert "location" not in reply.headers


@pytest.mark.parametrize("stream", [False, True])
async def test_a_usage_that_cannot_be_read_is_a_502_where_it_is_needed(stream: bool) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    inner = Inner(json.dumps({**REPLY, "usage": {"input_tokens": "x"}}).encode())
    assert (await ask(inner, chat(**options))).status == 502


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_above_its_bound_is_refused(stream: bool) -> None:
    whole = json.dumps(REPLY).encode()
    for room, status in ((len(whole), 200), (len(whole) - 1, 502)):
        app = ChatCompatMiddleware(Inner([whole[:50], whole[50:]]), max_reply_bytes=room)
        assert (await call(app, chat(stream=stream))).status == status


async def test_an_event_above_its_bound_ends_the_stream() -> None:
    app = ChatCompatMiddleware(streaming([*HELLO[:2], {"type": "ping", "pad": "x" * 999}]), max_event_bytes=500)
    reply = await call(app, chat(stream=True))
    assert "too large" in reply.data()[-1]["error"]["message"]
    assert (await call(app, chat())).status == 502
