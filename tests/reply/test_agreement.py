"""One message, four ways: whole, streamed, replayed as a stream, collected from a stream. A client reads the same."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat import InvalidReply, Translation
from chatcompat.request.structured_output import JSON_TOOL
from tests.reply.support import (
    ALLOWED,
    AS_JSON,
    GOLDEN,
    PING,
    STOP,
    WITH_USAGE,
    Json,
    Read,
    close_block,
    frame,
    frames,
    golden_names,
    golden_translation,
    partial,
    read_chunks,
    read_completion,
    start,
    stream,
    text,
    translation,
)
from tests.vendor import chat_sse, check_chat_reply

NAMES = golden_names("streams", ".events.sse")
PARTIAL = ("broken-", "cut-", "error-", "framing-loose", "odd-")  # no whole message, or none that is plain to see


def collect(pieces: list[bytes], of: Translation) -> tuple[int, bytes]:
    """The status and the body that a client gets which asked for a whole reply."""
    collector = of.collector()
    try:
        assert b"".join(map(collector.feed, pieces)) == b""
        body = collector.close()
    except InvalidReply as failure:
        return failure.status, failure.body
    assert collector.ended
    return collector.error.status if collector.error else 200, body


def with_usage(of: Translation) -> Translation:
    return msgspec.structs.replace(of, context=msgspec.structs.replace(of.context, include_usage=True))


# ------------------------------------------------------------------ golden streams
@pytest.mark.parametrize("name", NAMES)
def test_golden_stream_reads_the_same_collected_and_as_a_stream(name: str) -> None:
    events = (GOLDEN / "streams" / f"{name}.events.sse").read_bytes()
    of = with_usage(golden_translation("streams", name))
    chunks = of.stream()
    streamed = read_chunks(chunks.feed(events) + chunks.close())
    status, body = collect([events], of)
    if chunks.error is not None:
        assert status == chunks.error.status
        assert streamed.error is not None
        assert streamed.error == json.loads(chunks.error.body)["error"]
        collected = json.loads(body)["error"]
        if chunks.started:  # behind the start the code is the native type, before it that of an HTTP error
            collected["code"] = streamed.error["code"]
        assert streamed.error == collected
        return
    assert status == 200
    assert read_completion(body) == streamed
    if streamed.finish[0] != "length":  # else a call may be cut, and its arguments are given as they came
        assert check_chat_reply(json.loads(body), allow=ALLOWED) == []


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(PARTIAL)])
def test_golden_stream_reads_the_same_as_its_whole_message(name: str) -> None:
    events = (GOLDEN / "streams" / f"{name}.events.sse").read_bytes()
    of = with_usage(golden_translation("streams", name))
    message = assemble(events)
    if message is not None:
        assert read_everywhere([events], message, of)


def assemble(events: bytes) -> bytes | None:
    """The whole message of a stream, put together naively; None where a call was cut, so that there is none."""
    message: Json = {}
    inputs: dict[int, str] = {}
    for data in re.findall(rb"^data: (.*)$", events, re.MULTILINE):
        event = json.loads(data)
        index = event.get("index")
        match event["type"]:
            case "message_start":
                message = event["message"]
                blocks: dict[int, Json] = {}
            case "content_block_start":
                blocks[index] = event["content_block"]
                found = re.search(rb'"input":(.*)}}$', data)
                inputs[index] = found[1].decode() if found and event["content_block"]["input"] else ""
            case "content_block_delta" if "text" in event["delta"] and "text" in blocks[index]:
                blocks[index]["text"] += event["delta"]["text"]
            case "content_block_delta" if "partial_json" in event["delta"]:
                inputs[index] += event["delta"]["partial_json"]
            case "message_delta":
                if event["delta"]["stop_reason"]:
                    message.update(event["delta"])
                message["usage"].update({k: v for k, v in event["usage"].items() if v is not None})
    message["content"] = []
    for index, block in blocks.items():
        if block["type"] == "tool_use":
            block["input"] = f"@{index}@"
        message["content"].append(block)
    whole = json.dumps(message)
    for index, joined in inputs.items():
        whole = whole.replace(f'"@{index}@"', joined or "{}")
    try:
        json.loads(whole)
    except ValueError:
        return None
    return whole.encode()


def read_everywhere(pieces: list[bytes], message: bytes, of: Translation) -> Read:
    """What a client reads, the same in all four ways."""
    streamed = stream(pieces, of)
    assert chat_sse(streamed, include_usage=True, allow=ALLOWED) == []
    ended = of.stream()
    replayed = ended.replay(message)
    assert ended.error is None
    assert chat_sse(replayed, include_usage=True, allow=ALLOWED) == []
    whole = of.reply(message)
    assert check_chat_reply(json.loads(whole), allow=ALLOWED) == []
    read = read_completion(whole)
    assert read_completion(collect(pieces, of)[1]) == read
    assert read_chunks(replayed) == read
    assert read_chunks(streamed) == read
    return read


# ------------------------------------------------------------------ generated messages
CUTS = st.lists(st.integers(0, 5000), max_size=8)
TEXTS = st.lists(st.text(max_size=8), max_size=4)
OBJECTS = st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3), max_size=3)
COUNTS = st.none() | st.integers(10, 50)
USAGE = st.fixed_dictionaries(
    {"output_tokens": st.integers(10, 50)},
    optional={
        "input_tokens": COUNTS,
        "cache_read_input_tokens": COUNTS,
        "cache_creation_input_tokens": COUNTS,
        "output_tokens_details": st.sampled_from([None, {"thinking_tokens": 0}, {"thinking_tokens": 9}]),
        "credits_consumed": st.none() | st.integers() | st.floats(0, 9),
        "region": st.text(max_size=3) | OBJECTS,
    },
)
REASONS = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"]
STOP_DELTAS = st.fixed_dictionaries(
    {"stop_reason": st.sampled_from([*REASONS, "model_context_window_exceeded", "new", None])},
    optional={
        "stop_sequence": st.none() | st.text(max_size=3),
        "stop_details": st.none() | st.fixed_dictionaries({"explanation": st.none() | st.text(max_size=9)}),
    },
)
Block = tuple[Json, list[Json]]  # as it stands in a whole message, and its events without start and stop


@st.composite
def text_blocks(draw: st.DrawFn) -> Block:
    pieces = draw(TEXTS)
    return {"type": "text", "text": "".join(pieces)}, [text(piece) for piece in pieces]


@st.composite
def tool_blocks(draw: st.DrawFn) -> Block:
    name, call = draw(st.sampled_from(["f", "g", JSON_TOOL])), draw(st.sampled_from(["a", "a_2", "b"]))
    block = {"type": "tool_use", "id": call, "name": name, "input": draw(OBJECTS)}
    if not block["input"] and draw(st.booleans()):
        return block, draw(st.sampled_from([[], [partial("")]]))
    sent = json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
    return block, [partial(piece) for piece in split(sent, draw(CUTS))]


@st.composite
def hidden_blocks(draw: st.DrawFn) -> Block:
    kind = draw(st.sampled_from(["thinking", "redacted_thinking", "server_tool_use", "note"]))
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "note_delta", "text": "hidden"}}
    return {"type": kind}, draw(st.lists(st.sampled_from([text("hidden"), partial("hidden"), delta]), max_size=3))


BLOCKS = st.lists(text_blocks() | tool_blocks() | hidden_blocks(), max_size=5)


def split(whole: Any, at: list[int]) -> list[Any]:
    ends = [*sorted(index % (len(whole) + 1) for index in at), len(whole)]
    return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


EMPTY: dict[str, Json] = {"text": {"text": ""}, "tool_use": {"input": {}}}


def to_native_events(blocks: list[Block], stop: Json, first: Json, last: Json) -> bytes:
    events = [frame(start(first)), frame(PING)]
    for index, (block, deltas) in enumerate(blocks):
        empty = EMPTY.get(block["type"], {})
        events.append(frame({"type": "content_block_start", "index": index, "content_block": {**block, **empty}}))
        events += [frame({**delta, "index": index}) for delta in deltas]
        events.append(frame(close_block(index)))
    delta = {"type": "message_delta", "delta": stop, "usage": last}
    return b"".join([*events, frames(delta, STOP)])


def to_message(blocks: list[Block], stop: Json, first: Json, last: Json) -> bytes:
    usage = {**first, **{name: count for name, count in last.items() if count is not None or name not in first}}
    head = start()["message"]
    stop = stop if stop["stop_reason"] is not None else {"stop_reason": None}
    message = {**head, "content": [block for block, _ in blocks], **stop, "usage": usage}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


@settings(max_examples=200, deadline=None)
@given(
    given_message=st.tuples(BLOCKS, STOP_DELTAS, USAGE, USAGE),
    cuts=CUTS,
    as_json=st.booleans(),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_message_reads_the_same_whole_streamed_replayed_and_collected(
    given_message: tuple[list[Block], Json, Json, Json], cuts: list[int], as_json: bool, line_end: bytes
) -> None:
    events = to_native_events(*given_message)
    of = with_usage(translation(AS_JSON if as_json else WITH_USAGE))
    read = read_everywhere(split(events.replace(b"\n", line_end), cuts), to_message(*given_message), of)
    note(f"finish_reason {read.finish[0]}")
    assert "hidden" not in json.dumps(read.__dict__)
    assert len({call for call, _, _ in read.calls}) == len(read.calls)
    one_by_one = re.split(rb"(?<=\n\n)", events)  # each event in a piece of its own, the common case
    assert stream(one_by_one, of) == stream([events], of)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["start", "text", "tool", "hidden", "json", "say", "close", "end"]), max_size=12),
    CUTS,
    st.booleans(),
)
def test_any_order_of_events_is_read_the_same_streamed_and_collected(
    order: list[str], cuts: list[int], begun: bool
) -> None:
    kinds: dict[str, Json] = {
        "start": start(),
        "text": {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "T"}},
        "tool": {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f"},
        },
        "hidden": {"type": "content_block_start", "index": 0, "content_block": {"type": "note", "text": "hidden"}},
        "json": partial("{}"),
        "say": text("x"),
        "close": close_block(),
        "end": {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
    }
    events = frames(*[start()] * begun, *[kinds[kind] for kind in order], STOP)
    of, pieces = translation(WITH_USAGE), split(events, cuts)
    streamed = read_chunks(stream(pieces, of))
    status, body = collect(pieces, of)
    if status == 200:
        assert read_completion(body) == streamed
    else:
        assert streamed.error == json.loads(body)["error"]


# ------------------------------------------------------------------ collecting
def test_collector_says_nothing_until_it_is_closed() -> None:
    collector = translation(WITH_USAGE).collector()
    assert collector.feed(frames(start(), PING)) == b""
    assert (collector.ended, collector.error) == (False, None)
    with pytest.raises(InvalidReply, match="before the message was complete") as raised:
        collector.close()
    assert raised.value.code == "incomplete_stream"
    collector.feed(frame(STOP))
    assert collector.ended
    assert read_completion(collector.close()).finish == ["stop", None, None, None]


def test_collector_takes_nothing_behind_the_end() -> None:
    for late in (frame("{broken"), frame(start()), frame(text("late"))):
        together, apart = translation().collector(), translation().collector()
        together.feed(frames(start(), STOP) + late)
        apart.feed(frames(start(), STOP))
        apart.feed(late)
        assert together.close() == apart.close()
        assert read_completion(apart.close()).content is None


def test_collector_takes_nothing_before_the_start() -> None:
    for early in (text("x"), close_block(), STOP):
        with pytest.raises(InvalidReply, match="content before the start of its message"):
            translation().collector().feed(frames(PING, early, start()))


def test_collector_bounds_an_event() -> None:
    collector = translation().collector(max_event_bytes=500)
    collector.feed(frame(start()))
    with pytest.raises(InvalidReply, match="too large"):
        collector.feed(frame(text("x" * 500)))
