"""However a stream is written and cut, the client reads the same; and nothing endless is kept."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware
from tests.asgi.faults.server import HELLO, SSE, TEXT, Seen, app_of, body, chat, frame, says, serve, streaming

pytestmark = pytest.mark.anyio

EVENTS = says(TEXT)
RAW = b"".join(map(frame, EVENTS))
CALL = [
    HELLO[0],
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": '{"a":"\U0001f642\\'},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": 'n\\u2028"}'}},
    *HELLO[4:5],
    {**HELLO[5], "delta": {"stop_reason": "tool_use"}},
    HELLO[6],
]


def ends(line_end: bytes, raw: bytes = RAW) -> bytes:
    return raw.replace(b"\n", line_end)


def mixed() -> bytes:
    ends = [b"\n", b"\r\n", b"\r"]
    lines = RAW.split(b"\n")
    return b"".join(line + ends[number % 3] for number, line in enumerate(lines[:-1]))


def split(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def each(change: Callable[[bytes], bytes]) -> bytes:
    return b"".join(change(frame(event)) for event in EVENTS)


def two_lines(raw: bytes) -> bytes:
    """An event with its JSON over two data lines."""
    return raw.replace(b', "', b',\ndata: "', 1)


VARIATIONS: dict[str, list[Any]] = {
    "LF": [RAW],
    "CRLF": [ends(b"\r\n")],
    "CR": [ends(b"\r")],
    "mixed line ends": [mixed()],
    "byte order mark": [b"\xef\xbb\xbf" + RAW],
    "byte order mark byte by byte": split(b"\xef\xbb\xbf" + RAW, 1),
    "comments inside events": [each(lambda raw: raw.replace(b"\ndata", b"\n: NUL \0\n:\ndata"))],
    "no space": [RAW.replace(b"data: ", b"data:").replace(b"event: ", b"event:")],
    "two spaces": [RAW.replace(b"data: ", b"data:  ")],
    "no event names": [b"".join(raw.partition(b"\n")[2] for raw in map(frame, EVENTS))],
    "other fields": [each(lambda raw: b"id: 1\nretry: 5\nnovel: x\nbare\n" + raw)],
    "JSON over several data lines": [each(two_lines)],
    "one byte a message": split(RAW, 1),
    "empty messages": [piece for part in split(RAW, 99) for piece in (b"", part, b"")],
    "empty events": [each(lambda raw: b"\n\n\n" + raw)],
    "unknown events": [each(lambda raw: raw + b'event: novel\ndata: {"type":"novel","x":[1]}\n\n')],
    "many pings": [frame(EVENTS[0]), *[b'event: ping\ndata: {"type":"ping"}\n\n'] * 500, *map(frame, EVENTS[1:])],
    "two ends": [RAW + frame(HELLO[6])],
    "fields of other names": [each(lambda raw: b'Data: {"x"\n data: {\ndata\0: {\n' + raw)],
    "lying event names": [RAW.replace(b"event: content_block_delta", b"event: message_stop")],
    "data lines and CRLF byte by byte": split(ends(b"\r\n", each(two_lines)), 1),
    "bytearray": [bytearray(RAW)],
    "memoryview": [memoryview(RAW)],
}


def is_the_text(seen: Seen) -> bool:
    media = seen.header(b"content-type") or b""
    return seen.status == 200 and media.startswith(b"text/event-stream") and seen.text() == TEXT and seen.is_whole()


@pytest.mark.parametrize("pieces", VARIATIONS.values(), ids=VARIATIONS)
async def test_a_stream_reads_the_same_however_it_is_written(pieces: list[Any]) -> None:
    assert is_the_text(await serve(ChatCompatMiddleware(streaming(*pieces))))


async def test_keys_that_a_message_may_lack_are_not_missed() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": ((b"Content-Type", b"Text/Event-Stream"),)}
    messages = [{"type": "http.response.body", "more_body": True}, body(RAW), {"type": "http.response.body"}]
    assert is_the_text(await serve(ChatCompatMiddleware(app_of(start, *messages))))


async def test_a_stream_cut_at_every_byte_is_the_same_stream() -> None:
    for line_end, step in ((b"\r\n", 1), (b"\n", 4)):
        raw = ends(line_end)
        for cut in range(1, len(raw), step):
            assert is_the_text(await serve(ChatCompatMiddleware(streaming(raw[:cut], raw[cut:]))))


async def test_arguments_cut_at_every_byte_are_the_same_arguments() -> None:
    raw = ends(b"\r\n", b"".join(map(frame, CALL)))
    for cut in range(1, len(raw)):
        seen = await serve(ChatCompatMiddleware(streaming(raw[:cut], raw[cut:])))
        calls = [call for chunk in seen.chunks() for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
        assert "".join(call["function"]["arguments"] for call in calls) == '{"a":"\U0001f642\\n\\u2028"}'
        assert seen.is_whole()


async def test_an_error_glued_to_a_byte_order_mark_arrives() -> None:
    error = b'\xef\xbb\xbfdata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    seen = await serve(ChatCompatMiddleware(streaming(error)))
    assert seen.status == 529
    assert b"Overloaded" in seen.body


async def test_a_large_line_in_small_messages_arrives() -> None:
    text = "x" * 4 * 1024 * 1024
    delta = {**HELLO[2], "delta": {"type": "text_delta", "text": text}}
    raw = b"".join(map(frame, [*HELLO[:2], delta, *HELLO[4:]]))
    seen = await serve(ChatCompatMiddleware(streaming(*split(raw, 128))))
    assert seen.text() == text
    assert seen.is_whole()


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_530 + b"\n"], ids=["line", "data lines"])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_never_ends_is_given_up_within_bounded_memory(piece: bytes, stream: bool) -> None:
    first = body(b"".join(map(frame, HELLO[:3])) + b"data: ")
    app = app_of(SSE, first, *[body(piece)] * (96 * 16))
    tracemalloc.start()
    seen = await serve(ChatCompatMiddleware(app), chat(stream=stream))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.fails()
    assert peak < 40 * 1024 * 1024


@pytest.mark.parametrize("over", [0, 1, 1_000_000])
async def test_an_event_is_bounded_at_its_bound(over: int) -> None:
    delta = frame({**HELLO[2], "delta": {"type": "text_delta", "text": "x" * 500 + "y" * over}})
    line = len(delta.rstrip().partition(b"\n")[2])
    app = ChatCompatMiddleware(
        streaming(*map(frame, HELLO[:2]), delta, *map(frame, HELLO[4:])),
        max_event_bytes=line - over if over < line else 1000,
    )
    seen = await serve(app)
    assert seen.is_whole() if over == 0 else seen.fails()
