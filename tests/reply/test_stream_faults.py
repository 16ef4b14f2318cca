"""Streams that go wrong: what came before stays, then one error frame, and nothing behind it."""

import json
from typing import Any

import pytest

from chatcompat.wire.sse import MAX_EVENT_BYTES
from tests.reply.support import (
    AS_JSON,
    PING,
    STOP,
    STREAMED,
    WITH_USAGE,
    Json,
    close_block,
    cuts,
    each_byte,
    each_frame,
    end,
    frame,
    frames,
    open_text,
    open_tool,
    partial,
    read_chunks,
    start,
    stream,
    text,
    translation,
)
from tests.vendor import chat_sse

BEGUN = frames(start(), open_text(), text("Hel"))
BEGUN_CHUNKS = (
    b'data: {"id":"chatcmpl_1","object":"chat.completion.chunk","created":1746748800,"model":"m","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
    b'data: {"id":"chatcmpl_1","object":"chat.completion.chunk","created":1746748800,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}]}\n\n'
)
REST = frames(text("never"), close_block(), end(), STOP)


def error_frame(message: str, code: str = "invalid_reply") -> bytes:
    error = {"message": message, "type": "server_error", "param": None, "code": code}
    return b"data: %b\n\n" % json.dumps({"error": error}, separators=(",", ":")).encode()


UNREADABLE = error_frame("The messages service sent an event that cannot be read.")
UNSTARTED = error_frame("The messages service sent content before the start of its message.")
UNOPENED = error_frame("The messages service sent a part of a block that it had not begun.")
INCOMPLETE = error_frame("The messages service ended its stream before the message was complete.", "incomplete_stream")
TOO_LARGE = error_frame("The messages service sent an event that is too large.")


def edited(event: Json, **changes: Any) -> Json:
    return {key: value for key, value in {**event, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param("{broken", UNREADABLE, id="bad JSON"),
        pytest.param('{"type":"ping"}}', UNREADABLE, id="more than JSON"),
        pytest.param("5", UNREADABLE, id="number"),
        pytest.param("null", UNREADABLE, id="null"),
        pytest.param("[]", UNREADABLE, id="array"),
        pytest.param("{}", UNREADABLE, id="no type"),
        pytest.param("[DONE]", UNREADABLE, id="the chat side's end"),
        pytest.param('{"type":7}', UNREADABLE, id="type of no text"),
        pytest.param('{"error":5}', UNREADABLE, id="error of no object"),
        pytest.param("[" * 100_000, UNREADABLE, id="deep array"),
        pytest.param('{"type":"x","y":' * 100_000, UNREADABLE, id="deep object"),
        pytest.param(
            b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}',
            UNREADABLE,
            id="bad UTF-8",
        ),
        pytest.param(b'{"type":"message_delta","delta":{},"usage":{"x":"\xff"}}', UNREADABLE, id="bad UTF-8 in usage"),
        pytest.param(edited(text("x"), delta=...), UNREADABLE, id="delta missing"),
        pytest.param(edited(text("x"), delta=None), UNREADABLE, id="delta null"),
        pytest.param(edited(text("x"), delta={}), UNREADABLE, id="delta without type"),
        pytest.param(edited(text("x"), index=...), UNREADABLE, id="index missing"),
        pytest.param(edited(text("x"), index="0"), UNREADABLE, id="index as text"),
        pytest.param(edited(text("x"), type=...), UNREADABLE, id="delta event without type"),
        pytest.param(text(7), UNREADABLE, id="text of no text"),
        pytest.param(text(None), UNREADABLE, id="text null"),
        pytest.param(partial({}), UNREADABLE, id="input of no text"),
        pytest.param(edited(open_text(), content_block=...), UNREADABLE, id="block missing"),
        pytest.param(edited(open_text(), content_block={"type": "text"}), UNREADABLE, id="text block without text"),
        pytest.param(
            edited(open_text(), content_block={"type": "tool_use", "id": "x"}), UNREADABLE, id="nameless tool"
        ),
        pytest.param(edited(end(), delta={"stop_reason": 5}), UNREADABLE, id="stop reason of no text"),
        pytest.param(edited(end(), usage=[]), UNREADABLE, id="usage of no object"),
        pytest.param({"type": "error"}, UNREADABLE, id="error without error"),
        pytest.param(partial("{", index=1), UNOPENED, id="input for a block that was not begun"),
    ],
)
def test_event_of_the_wrong_form_is_an_error_and_no_hole(event: Json | str | bytes, expected: bytes) -> None:
    raw = BEGUN + frame(event) + REST
    assert stream([raw], translation()) == BEGUN_CHUNKS + expected
    assert stream(each_frame(raw), translation()) == BEGUN_CHUNKS + expected
    if len(raw) < 2000:
        for pieces in cuts(raw):
            assert stream(pieces, translation()) == BEGUN_CHUNKS + expected, pieces
    assert chat_sse(BEGUN_CHUNKS + expected) == []


@pytest.mark.parametrize("tool_input", ["5", "[]", '"[1]"', '"x"', "true", '{"a":"\xff"}'])
def test_input_of_a_call_that_is_no_object_is_an_error(tool_input: str) -> None:
    event = frame(open_tool(1, "t", "f")).replace(b'"input":{}', b'"input":' + tool_input.encode("latin-1"))
    assert stream([BEGUN + event + REST], translation()) == BEGUN_CHUNKS + UNREADABLE


def test_input_after_the_end_of_its_block_is_an_error() -> None:
    raw = BEGUN + frames(close_block(), partial("{"))
    assert stream([raw], translation()) == BEGUN_CHUNKS + UNOPENED


@pytest.mark.parametrize(
    "event",
    [text("x"), text(""), partial("{"), open_text(), open_tool(0, "t", "f"), close_block(), end(), STOP],
    ids=lambda event: event.get("delta", event).get("type", "message_delta"),
)
def test_content_before_the_message_is_an_error(event: Json) -> None:
    for pieces in cuts(frame(event) + BEGUN):
        assert stream(pieces, translation()) == UNSTARTED
    chunks = translation().stream()
    chunks.feed(frame(event))
    assert chunks.error is not None
    assert (chunks.started, chunks.ended, chunks.error.status) == (False, True, 502)


@pytest.mark.parametrize("event", [PING, {"type": "news"}, ""], ids=["ping", "unknown", "empty"])
def test_what_is_no_content_may_come_before_the_message(event: Json | str) -> None:
    for pieces in cuts(frame(event) + BEGUN):
        assert stream(pieces, translation()) == BEGUN_CHUNKS + INCOMPLETE


@pytest.mark.parametrize("tail", ["data:\n\n", "data\n\n", "event: x\n\n", "\n\n\n", ":\n\n", "id: 1\ndata: \n\n"])
def test_events_without_data_say_nothing(tail: str) -> None:
    for pieces in cuts(BEGUN + tail.encode()):
        assert stream(pieces, translation()) == BEGUN_CHUNKS + INCOMPLETE


WHOLE = BEGUN + frames(text("lo"), close_block(), end(), STOP)


@pytest.mark.parametrize("request_", [STREAMED, WITH_USAGE, AS_JSON], ids=["plain", "usage", "JSON"])
def test_stream_that_ends_early_says_so_wherever_it_ends(request_: Json) -> None:
    of = translation(request_)
    whole = stream([WHOLE], of)
    assert whole.endswith(b"data: [DONE]\n\n")
    for length in range(len(WHOLE)):
        cut = stream([WHOLE[:length]], of)
        assert cut.endswith(INCOMPLETE)
        assert whole.startswith(cut.removesuffix(INCOMPLETE))  # what did come is a true beginning
        assert b'"finish_reason":"' not in cut
        assert chat_sse(cut, include_usage=request_ is WITH_USAGE, allow=("native_finish_reason",)) == []


def test_error_is_told_with_its_status() -> None:
    chunks = translation().stream()
    assert (chunks.feed(frames(PING)), chunks.started, chunks.error) == (b"", False, None)
    frame_of_error = chunks.feed(frame({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}))
    assert chunks.error is not None
    assert (chunks.error.status, chunks.started, chunks.ended) == (429, False, True)
    assert frame_of_error == b"data: %b\n\n" % chunks.error.body
    assert chunks.feed(BEGUN) == chunks.close() == b""


def test_nothing_follows_the_end_or_an_error() -> None:
    for raw in (WHOLE, BEGUN + frame("5")):
        chunks = translation().stream()
        assert chunks.feed(raw)
        assert chunks.ended
        for late in (frame(text("late")), frames(start()), frame("{broken"), frame(STOP), b"data: x" * 9):
            assert chunks.feed(late) == b""
        assert chunks.close() == b""
        assert chunks.close() == b""


def test_text_goes_out_with_the_piece_that_completes_it() -> None:
    chunks = translation().stream()
    first = chunks.feed(BEGUN[:-1])
    assert first + chunks.feed(BEGUN[-1:]) == BEGUN_CHUNKS
    assert first != BEGUN_CHUNKS
    assert read_chunks(chunks.feed(frame(text("lo")))).content == "lo"  # a frame in a piece of its own, the common case
    assert chunks.feed(b"") == b""


# ------------------------------------------------------------------ bounds
def padded(size: int) -> bytes:
    """A text delta whose data line has `size` bytes."""
    line = frame(text("")).split(b"\n")[1]
    return frame(text("#" * (size - len(line))))


@pytest.mark.parametrize("cut", [lambda raw: [raw], each_frame, each_byte], ids=["whole", "frames", "bytes"])
def test_event_above_its_bound_ends_the_stream_behind_what_came_before(cut: Any) -> None:
    bound = max(map(len, WHOLE.split(b"\n")))
    fitting = stream(cut(BEGUN + padded(bound)), translation(), max_event_bytes=bound)
    assert fitting.startswith(BEGUN_CHUNKS)
    assert fitting.endswith(INCOMPLETE)
    assert fitting.count(b"#") > 10
    for excess in (padded(bound + 1), padded(bound + 1).replace(b"data", b"\ndata"), b": " + b"x" * bound):
        raw = BEGUN + excess + REST
        assert stream(cut(raw), translation(), max_event_bytes=bound) == BEGUN_CHUNKS + TOO_LARGE


def test_large_events_pass_by_default() -> None:
    raw = BEGUN + padded(4 * 1024 * 1024)
    assert read_chunks(stream(each_frame(raw), translation())).content == "Hel" + "#" * raw.count(b"#")
    assert MAX_EVENT_BYTES == 8 * 1024 * 1024


# ------------------------------------------------------------------ one event in a piece: the short way
SHORT = b"event: content_block_delta\ndata: "


@pytest.mark.parametrize(
    "piece",
    [
        frame(text("plain")),
        frame(text("U+2028 \u2028 é 🙂")),
        frame(text("")),
        frame(partial("{")),
        frame(text("a")) + frame(text("b")),
        SHORT + b'{"type":"ping"}\n\n',
        SHORT + b'{"type":"message_stop"}\n\n',
        SHORT + b'{"index":0,"delta":{"type":"text_delta","text":"no type"}}\n\n',
        SHORT + b'{"type":"content_block_delta","index":0,\rdata: "delta":{"type":"text_delta","text":"x"}}\n\n',
        SHORT + b'{"type":"content_block_delta","index":0,\ndata: "delta":{"type":"text_delta","text":"x"}}\n\n',
        SHORT + b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}\n\n',
        SHORT + b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x","new":"\xff"}}\n\n',
        SHORT + b'{"type":"content_block_delta","index":0,"delta":{"type":"new_delta"}}\n\n',
        SHORT + b"{broken\n\n",
        SHORT + b"\n\n",
        SHORT[:-6] + b"\n\n",
        frame(text("padded" * 40)),
    ],
    ids=lambda piece: repr(piece[len(SHORT) :][:60]),
)
def test_event_in_a_piece_of_its_own_is_read_as_any_other(piece: bytes) -> None:
    raw = BEGUN + piece + REST
    expected = stream([raw[:5], raw[5:]], translation(), max_event_bytes=250)
    assert stream([BEGUN, piece, REST], translation(), max_event_bytes=250) == expected
    for at in range(1, len(piece)):
        assert stream([BEGUN, piece[:at], piece[at:] + REST], translation(), max_event_bytes=250) == expected


def test_text_of_a_hidden_block_stays_hidden_in_a_piece_of_its_own() -> None:
    thinking = {"type": "content_block_start", "index": 1, "content_block": {"type": "thinking", "thinking": ""}}
    hidden = [frames(start(), open_text()), frame(thinking), frame(text("hidden", 1)), frame(text("shown"))]
    assert read_chunks(stream(hidden, translation())).content == "shown"
    hidden += [frame(close_block(1)), frame(text("too", 1))]
    assert read_chunks(stream(hidden, translation())).content == "showntoo"
