"""What a model or a server can make long costs in proportion: counted in what is built, and never in seconds."""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from msgspec import Raw

from chatcompat.errors import InvalidReply
from chatcompat.reply.pause_turn import PausedTurn, StreamPart
from chatcompat.reply.prefill import PrefillFilter
from chatcompat.reply.tool_input import to_unwrapped
from tests.cost.counting import PACKAGE
from tests.cost.patterns import used_patterns
from tests.reply.cost import built
from tests.reply.support import Json, frame, frames, start, translation

PIECE = "0123456789"
BLOCKS: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "tool_use": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    "server_tool_use": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "f", "input": {}},
}
CITATION = {"type": "web_search_result_location", "url": "https://x/1", "title": "T"}
DELTAS: dict[str, tuple[str, Json]] = {
    "text": ("text", {"type": "text_delta", "text": PIECE}),
    "thinking": ("thinking", {"type": "thinking_delta", "thinking": PIECE}),
    "signature": ("thinking", {"type": "signature_delta", "signature": PIECE}),
    "citation": ("text", {"type": "citations_delta", "citation": CITATION}),
    "input": ("tool_use", {"type": "input_json_delta", "partial_json": PIECE}),
    "input of the service's own": ("server_tool_use", {"type": "input_json_delta", "partial_json": PIECE}),
}
REQUESTS: dict[str, Json] = {
    "plain": {},
    "json": {"response_format": {"type": "json_object"}},
    "prefill": {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": PIECE * 600}]},
}


def delta(kind: str) -> bytes:
    return frame({"type": "content_block_delta", "index": 0, "delta": DELTAS[kind][1]})


def begun(kind: str) -> bytes:
    block = BLOCKS[DELTAS[kind][0]]
    return frames(start(), {"type": "content_block_start", "index": 0, "content_block": block})


def request(name: str) -> Any:
    return translation({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True} | REQUESTS[name])


def part() -> StreamPart:
    return StreamPart(PausedTurn(max_bytes=10**6), first=True, last=False, max_event_bytes=10**6)


READERS: dict[str, Callable[[], Any]] = {
    "a turn that may pause": part,
    **{f"a message, {name}": partial(lambda name: request(name).collector(), name) for name in REQUESTS},
    **{f"a stream, {name}": partial(lambda name: request(name).stream(), name) for name in REQUESTS},
}


@pytest.mark.parametrize("kind", DELTAS)
@pytest.mark.parametrize("reader", READERS)
def test_what_grows_in_a_stream_is_never_copied_to_grow(reader: str, kind: str) -> None:
    def cost(count: int) -> int:
        reading = READERS[reader]()
        reading.feed(begun(kind))
        return built(reading, (reading.feed(delta(kind)) for _ in range(count)))

    few, many = cost(60), cost(240)
    assert many <= 5 * few + 1000, "four times the deltas, and a square would be sixteen"


def test_a_repeated_prefill_is_compared_once() -> None:
    prefill = PIECE * 100

    def cost(size: int) -> int:
        echo = PrefillFilter(prefill)
        return built(echo, (echo.feed(prefill[at : at + size]) for at in range(0, len(prefill) - 1, size)))

    assert cost(1) == cost(500) == len(prefill)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("text", ["", "Dear", "Dear ", "Dear Sir", "Dear Dear ", "Deer ", "D", "x"])
def test_a_repeated_prefill_is_cut_off_however_it_comes(text: str, size: int) -> None:
    echo = PrefillFilter("Dear ")
    said = "".join(echo.feed(text[at : at + size]) for at in range(0, len(text), size)) + echo.flush()
    assert said == text.removeprefix("Dear ")


# ---------------------------------------------------------------- regular expressions


PATTERNS = used_patterns()
SEEN_BY_MODELS = ["fast_deltas._match_rest", "fast_deltas._match_text", "tool_input._WRAPPING"]


@pytest.mark.parametrize("name", SEEN_BY_MODELS)
def test_no_pattern_that_sees_a_models_text_keeps_what_it_matched(name: str) -> None:
    pattern = PATTERNS[f"chatcompat.reply.{name}"].pattern.pattern
    pattern = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    bare = re.sub(r"\[(?:\\.|[^\]\\])*\]|\\.", "C", pattern)  # without classes and escapes
    assert re.findall(r"[*+]\+", bare)
    assert re.findall(r"[*+]", re.sub(r"[*+]\+", "", bare)) == [], "a repeat that is not possessive"


@pytest.mark.parametrize(
    ("given", "unwrapped"),
    [
        ('{"value": {"a": 1}}', '{"a": 1}'),
        (' \n{ "value" :\t[1, {"value": 2', '[1, {"value": 2'),
        ('{"items": [{"value": 1}, {"value": 2', '{"items": [{"value": 1}, {"value": 2'),
        ('{"value"', '{"value"'),
        ("{" + " " * 200_000, "{" + " " * 200_000),
        (" " * 200_000 + "x", " " * 200_000 + "x"),
        ("", ""),
    ],
)
def test_a_wrapping_is_taken_off_at_the_very_start_only(given: str, unwrapped: str) -> None:
    assert to_unwrapped(given) == unwrapped


# ---------------------------------------------------------------- bounds of what is kept


@pytest.mark.parametrize("kind", ["thinking", "citation", "input", "text"])
def test_what_a_stream_keeps_is_bounded(kind: str) -> None:
    asked = request("json" if kind in ("text", "citation") else "plain")
    if kind == "input":
        asked = translation(
            {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
            | {"tools": [{"type": "custom", "custom": {"name": "f"}}]}
        )
    stream = asked.stream(max_held_bytes=2_000)
    stream.feed(begun(kind))
    fed = 0
    while stream.error is None:
        stream.feed(delta(kind))
        fed += 1
        assert fed <= 200
    assert stream.error.status == 502
    assert b"too large" in stream.error.body
    assert fed > 10


@pytest.mark.parametrize("block", [BLOCKS["tool_use"], {"type": "redacted_thinking", "data": "x" * 99}])
def test_the_blocks_and_usages_that_a_stream_keeps_are_bounded(block: Json) -> None:
    stream = request("plain").stream(max_held_bytes=10_000)
    stream.feed(frames(start()))
    for index in range(200):
        stream.feed(frame({"type": "content_block_start", "index": index, "content_block": block}))
    assert stream.error is not None
    stream = request("plain").stream(max_held_bytes=10_000)
    stream.feed(frames(start()))
    for index in range(200):
        usage = {f"field_{index}": "x" * 50}
        stream.feed(frame({"type": "message_delta", "delta": {"stop_reason": None}, "usage": usage}))
    assert stream.error is not None


@pytest.mark.parametrize("name", ["id", "model"])
def test_an_id_that_each_chunk_would_repeat_is_bounded(name: str) -> None:
    begin = start()
    begin["message"] = {**begin["message"], name: "x" * 5_000}
    stream = request("plain").stream()
    assert b"too long" in stream.feed(frame(begin))
    assert stream.error is not None
    assert stream.error.status == 502
    assert not stream.started


# ---------------------------------------------------------------- a turn that may pause

PAUSED = {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 1}}


def test_the_content_kept_to_continue_a_turn_is_bounded() -> None:
    turn = PausedTurn(max_bytes=5_000)
    reading = StreamPart(turn, first=True, last=False, max_event_bytes=10**6)
    reading.feed(begun("text"))
    kept = [(reading.feed(delta("text")), sum(map(len, _strings(reading))))[1] for _ in range(500)]
    assert max(kept) < 5_000
    assert kept[-1] < 1_000, "it is let go as soon as it is too much"
    assert b"pause_turn" in reading.feed(frame(PAUSED)), "the client sees it as cut off"
    assert not reading.paused


def _strings(reading: StreamPart) -> list[str]:
    texts = [growing.deltas.texts for growing in reading._open.values()]
    return [piece for text in texts for pieces in text.values() for piece in pieces]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "odd_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta"}},
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_start", "index": 1},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        b'{"type": "odd", "text": "\xff"}',
        b"nope",
    ],
)
def test_a_turn_with_an_event_that_cannot_be_kept_is_not_continued(event: Json | bytes) -> None:
    turn = PausedTurn(max_bytes=5_000)
    reading = StreamPart(turn, first=True, last=False, max_event_bytes=10**6)
    reading.feed(begun("text"))
    raw = frame(event)
    assert raw.partition(b"data: ")[2] in reading.feed(raw), "the reader of the stream judges it"
    assert b"pause_turn" in reading.feed(frame(PAUSED))
    assert not reading.paused
    assert turn.content == []


@pytest.mark.parametrize("more", [b"", frame({"type": "content_block_stop", "index": 0})])
def test_a_block_whose_input_is_cut_off_is_not_sent_back(more: bytes) -> None:
    reading = part()
    reading.feed(begun("input of the service's own"))
    reading.feed(frame({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta"}}))
    reading.feed(delta("input of the service's own").replace(b'"0123', b'"{0123') + more)
    assert b"pause_turn" in reading.feed(frame(PAUSED))


def test_a_block_that_begins_in_place_of_an_open_one_ends_it() -> None:
    turn = PausedTurn(max_bytes=10**6)
    reading = StreamPart(turn, first=True, last=False, max_event_bytes=10**6)
    again = frame({"type": "content_block_start", "index": 0, "content_block": BLOCKS["text"]})
    reading.feed(begun("text") + delta("text") + again + delta("text") + frame(PAUSED))
    assert reading.paused
    assert [json.loads(bytes(block))["text"] for block in turn.content] == [PIECE, PIECE]


@pytest.mark.parametrize("content", ['{"n": 1e999}', '{"n": %s}' % ("1" * 5000), '{"n": 1.0, "n": 2}'])
def test_what_a_service_wrote_goes_back_byte_for_byte(content: str) -> None:
    turn = PausedTurn(max_bytes=10**6)
    block = '{"type":"server_tool_use","id":"s","name":"n","input":' + content + "}"
    message = '{"id":"msg_1","content":[' + block + '],"stop_reason":"pause_turn","usage":{}}'
    assert turn.take_message(message.encode(), first=True, last=False) is None
    assert turn.content == [Raw(block.encode())]


def test_a_usage_that_has_no_sum_is_an_error_of_the_stream() -> None:
    turn = PausedTurn(max_bytes=10**6)
    turn.usage = {"output_tokens": Raw(b"1e999")}
    reading = StreamPart(turn, first=False, last=True, max_event_bytes=10**6)
    with pytest.raises(InvalidReply):
        reading.feed(frame(PAUSED))


def test_events_before_one_that_is_too_large_are_passed_on() -> None:
    reading = StreamPart(PausedTurn(max_bytes=10**6), first=True, last=False, max_event_bytes=400)
    out = reading.feed(begun("text") + delta("text") + b"data: " + b"x" * 500 + b"\n\n")
    assert PIECE.encode() in out
    assert reading.too_large


def test_events_cost_a_turn_that_may_pause_the_same_number_of_calls() -> None:
    def calls(count: int) -> int:
        reading, counted = part(), 0
        reading.feed(begun("text"))

        def count_call(caller: FrameType, *_: Any) -> None:
            nonlocal counted
            counted += caller.f_code.co_filename.startswith(PACKAGE)  # others look at each collection of garbage

        piece = delta("text") * count
        sys.setprofile(count_call)
        try:
            reading.feed(piece)
        finally:
            sys.setprofile(None)
        return counted

    assert calls(400) - calls(200) == calls(600) - calls(400)


def test_text_that_a_part_sends_is_json_still() -> None:
    reading = StreamPart(PausedTurn(max_bytes=10**6), first=False, last=True, max_event_bytes=10**6)
    reading._offset = 2
    out = reading.feed(b"data: " + json.dumps(json.loads(delta("text").partition(b"data: ")[2])).encode() + b"\n\n")
    assert json.loads(out.partition(b"data: ")[2])["index"] == 2
