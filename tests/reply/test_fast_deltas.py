"""Deltas that are copied read as those that are decoded: `ChunkStream` decodes all of them, whole or cut anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat import Dialect, Translation
from chatcompat.reply.fast_deltas import FastChunkStream
from chatcompat.reply.message_reader import MessageReader
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.text_digest import BATCH
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
    frame,
    frames,
    start,
    text,
    translation,
)

FIELDS = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}
KINDS = [*FIELDS]
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
BYTES = [b"", b" ", b"\n", b"\r", b'"', b"\\", b"0", b"}", b",", b"\xc3", b"\xff", b"\x00", b"\x7f", b"x"]
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
OPENED: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "call": CALL,
    "custom call": {**CALL, "name": "c"},
    "JSON": {**CALL, "name": "respond_with_json"},
    "thinking": THINKING,
    "redacted": {"type": "redacted_thinking", "data": "x"},
    "unknown": {"type": "unknown"},
}
BLOCK_OF = dict(zip(KINDS, ("text", "call", "thinking"), strict=True))
ARRAY = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}
PREFILLED = {**STREAMED, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "a b"}]}
ASKED: dict[str, Translation] = {
    "plain": translation(),
    "usage": translation({**WITH_USAGE, "service_tier": "auto"}),
    "custom tools": translation({**STREAMED, "tools": [{"type": "custom", "custom": {"name": "c"}}]}),
    "functions": translation({**STREAMED, "functions": [{"name": "f"}]}),
    "JSON": translation(AS_JSON),
    "wrapped JSON": translation({**STREAMED, "response_format": ARRAY}),
    "no reasoning": translation({**STREAMED, "include_reasoning": False}),
    "prefill": translation(PREFILLED, dialect=Dialect(repeats_prefill=True)),
}
PLAIN = ASKED["plain"]


def delta(kind: str, said: object, index: int = 0) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, FIELDS[kind]: said}}


def opened(name: str, index: int = 0) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": OPENED[name]}


def signed(index: int) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": "s"}}


def after(kind: str) -> bytes:
    """The end of a message whose open block has this kind of delta. It has a call, so that its thinking is kept."""
    return frames(delta(kind, "!"), signed(0), close_block(0), opened("call", 1), close_block(1), END, STOP)


def check_same(pieces: list[bytes], of: Translation = PLAIN, **bounds: int) -> FastChunkStream:
    """Check that the pieces give the same as if all events were decoded. Return the stream that is not."""
    fast, typed = FastChunkStream(of.context, **bounds), ChunkStream(of.context, **bounds)
    for piece in pieces:
        assert fast.feed(piece) == typed.feed(piece), piece
        assert fast.has_content == typed.has_content
    assert fast.close() == typed.close()
    assert fast.summary == typed.summary
    assert fast._reader.reply.left == typed._reader.reply.left
    assert fast.feed(frames(*(delta(kind, "x") for kind in KINDS))) == b""
    return fast


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_frames_one_byte_away_from_the_common_form(kind: str, count: int) -> None:
    common = frames(delta(kind, 'He"'))
    before, end = frames(start(), opened(BLOCK_OF[kind])), after(kind)
    for at in range(len(common)):
        for byte in BYTES:
            for changed in (common[:at] + byte + common[at + 1 :], common[:at] + byte + common[at:]):
                check_same([before, common * (count - 1) + changed + common * ((count - 1) // 2), end])


ESCAPED = st.sampled_from(
    ["\\n", "\\t", '\\"', "\\\\", "\\r", "\\f", "\\/", "\\u0041", "\\ud83d\\ude42", "\\ud800", "\\b", "\\x", "\\"]
)
CHARACTERS = st.sampled_from(
    ["a", " ", "\u00e9", "\u0085", "\U0001f642", "\u2028", "\x7f", "<", "'", '"', "{", "}}", "\n", '"}}\n\n']
)
PADDING = st.sampled_from(["", "   ", "\t", ",", '"x":1'])
INDEX = st.sampled_from(["0", "1", "2", "7", "01", "-1", "1.0", "9999999"])


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A delta in the common form, or nearly."""
    said = "".join(draw(st.lists(ESCAPED | CHARACTERS, max_size=4)))
    kind = draw(st.sampled_from(KINDS))
    # Mostly the block of this kind: of the blocks 0, 1 and 2, and of these most often the first.
    index = draw(INDEX) if draw(st.integers(0, 3)) == 0 else str(KINDS.index(kind))
    of_kind = f'{{"type":"{kind}","{FIELDS[kind]}":"{said}"}}{draw(PADDING)}'
    data = f'{{"type":"content_block_delta","index":{index},"delta":{of_kind}}}'
    raw = f"event: content_block_delta\ndata: {data}\n\n".encode()
    return raw.replace("\U0001f642".encode(), draw(st.sampled_from([b"\xf0\x9f\x99\x82", b"\xf0\x9f", b"\x99\x82"])))


COMMON = st.builds(
    lambda kind, said: frames(delta(kind, said, KINDS.index(kind))),
    st.sampled_from(KINDS),
    st.sampled_from(["Hello", '{"a": "\\n', "\u00e9\n"]),
)
MISNAMED = b'event: content_block_delta\ndata: {"type":"ping"}\n\n'
OTHERS = st.sampled_from([MISNAMED, frames(PING), frames(signed(2)), frames(close_block(0)), frames(opened("text"))])


@settings(deadline=None)
@given(
    st.sampled_from(sorted(ASKED)),
    st.lists(st.lists(written() | COMMON | OTHERS, min_size=1, max_size=4).map(b"".join), max_size=6),
)
def test_any_run_of_deltas_reads_the_same(asked: str, pieces: list[bytes]) -> None:
    before = frames(start(), *(opened(BLOCK_OF[kind], index) for index, kind in enumerate(KINDS)))
    check_same([before, *pieces, frames(signed(2)), after("text_delta")], ASKED[asked])


@pytest.mark.parametrize("kind", KINDS)
def test_copied_and_decoded_deltas_stay_in_order(kind: str) -> None:
    copied, decoded = frames(delta(kind, "a")), frames(delta(kind, "b")).replace(b'"b"', rb'"\u0062"')
    pieces = [copied, copied, decoded, copied, decoded, decoded, copied * 3, decoded * 3, copied + decoded]
    check_same([frames(start(), opened(BLOCK_OF[kind])), *pieces, after(kind)])


@settings(deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.sampled_from(["a", '"', "\n", "\u00e9", ""]), min_size=2), st.data())
def test_a_run_of_one_block_reads_the_same(kind: str, said: list[str], data: st.DataObject) -> None:
    padding = st.sampled_from([b"", b"", b" ", b"    "])
    run = [frames(delta(kind, piece)).replace(b"}}\n", b"}" + data.draw(padding) + b"}\n") for piece in said]
    at = data.draw(st.integers(0, len(run)))
    check_same([frames(start(), opened(BLOCK_OF[kind])), b"".join(run[:at]), b"".join(run[at:]), after(kind)])


SAID = st.sampled_from(["", "a", " b", '{"a": "\\n', "\u00e9", "\u2028", "\x85", '"}', "\\"])
DELTAS = st.one_of(
    st.builds(delta, st.sampled_from(KINDS), SAID, st.sampled_from([0, 0, 0, 1])),
    st.sampled_from([signed(0), signed(1)]),
    st.builds(
        lambda of_kind: {"type": "content_block_delta", "index": 0, "delta": of_kind},
        st.sampled_from([{"type": "unknown_delta"}, {"type": "text_delta"}, {}, None]),
    ),
)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(OPENED)),
    st.sampled_from(sorted(ASKED)),
    st.lists(DELTAS, max_size=6),
    st.booleans(),
)
def test_any_delta_of_any_block_reads_the_same(name: str, asked: str, deltas: list[Json], by_one: bool) -> None:
    before = frames(start(), opened(name))
    events = [*map(frame, deltas)] if by_one else [frames(*deltas)]
    check_same([before, *events, after("text_delta")], ASKED[asked])


INTERLEAVED = [
    start(),
    opened("thinking", 0),
    *(delta("thinking_delta", said, 0) for said in ("hm ", 'so "it"', "\nis")),
    signed(0),
    close_block(0),
    opened("text", 1),
    *(delta("text_delta", said, 1) for said in ("a", " b", " \u00e9")),
    opened("call", 2),
    opened("custom call", 3),
    *(delta("input_json_delta", said, index) for said in ('{"input"', ': "\\n', 'x"}') for index in (2, 3)),
    *(delta("text_delta", said, index) for said in ("c", "d") for index in (1, 2)),
    *map(close_block, (1, 2, 3)),
    opened("JSON", 4),
    *(delta("input_json_delta", said, 4) for said in ("", '{"value":', "[1]", "}")),
    PING,
    delta("input_json_delta", "", 4),
    END,
    STOP,
]


@pytest.mark.parametrize("asked", ASKED)
def test_a_stream_of_all_kinds_reads_the_same(asked: str) -> None:
    raw = frames(*INTERLEAVED)
    for pieces in ([raw], each_frame(raw), each_byte(raw)):
        check_same(pieces, ASKED[asked])


def test_a_stream_of_all_kinds_reads_the_same_however_cut() -> None:
    for pieces in cuts(frames(*INTERLEAVED)):
        check_same(pieces)


@pytest.mark.parametrize("piece", [MISNAMED, b"event: content_block_delta\ndata: {\n\n"])
def test_a_frame_under_the_name_of_deltas_reads_the_same(piece: bytes) -> None:
    check_same([frames(start(), opened("text")), piece, after("text_delta")])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", [b"data: ", b"data: {}\n", b"event: x", b"\r", b":", b"\xef"])
def test_a_frame_behind_an_incomplete_one_reads_the_same(kind: str, rest: bytes) -> None:
    common = frames(delta(kind, "x"))
    check_same([frames(start(), opened(BLOCK_OF[kind])), common, rest, common, common, after(kind)])
    check_same([rest, common, common])


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("said", ["word ", 'a\n\t"\\b', "\u20ac", "x" * (BATCH // 2), "x" * (BATCH + 1)])
@pytest.mark.parametrize("run", [1, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_copied_is_kept_exactly(kind: str, run: int, said: str) -> None:
    count = 3 * BATCH // len(said) + 7
    pieces = [frames(delta(kind, said)) * run for _ in range(count // run + 1)]
    fast = check_same([frames(start(), opened(BLOCK_OF[kind])), *pieces, after(kind)])
    turn = fast.summary.said
    assert turn is not None or kind != "thinking_delta"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [1, 4])
@pytest.mark.parametrize("max_held_bytes", [500, 501, 777])
def test_the_bound_of_what_is_held_is_the_same(kind: str, run: int, max_held_bytes: int) -> None:
    pieces = [frames(delta(kind, said)) * run for said in ("x" * 9, "\u00e9" * 9, "\n") * 50]
    block = frames(start(), opened(BLOCK_OF[kind]))
    fast = check_same([block, *pieces, after(kind)], max_held_bytes=max_held_bytes)
    assert (fast.error is None) == (kind != "thinking_delta")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [1, 4])
def test_the_bound_of_an_event_is_the_same(kind: str, run: int) -> None:
    before = frames(start(), opened(BLOCK_OF[kind]))
    small, large = (frames(delta(kind, "x" * size)) * run for size in (200, 400))
    assert check_same([before, small, after(kind)], max_event_bytes=400).error is None
    assert check_same([before, small, large, after(kind)], max_event_bytes=400).error is not None


def test_the_positions_of_thinking_count_copied_text() -> None:
    thinking = [opened("thinking", 1), signed(1), close_block(1)]
    pieces = [frames(text('a "b"\n')), frames(text("c\td"), text("\u00e9"))]
    whole = [frames(start(), opened("text")), *pieces, frames(close_block(0), *thinking), after("text_delta")]
    check_same(whole)
    stream = PLAIN.stream()
    assert b"_t10_" in b"".join(map(stream.feed, whole))  # the step before the thinking


# ---------------------------------------------------------------- what takes the fast path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", ["plain", "usage", "functions"])
@pytest.mark.parametrize("padding", [b"", b"   "])
@pytest.mark.parametrize("run", [1, 16])
def test_common_deltas_are_not_decoded(
    kind: str, asked: str, padding: bytes, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = ASKED[asked].stream()
    stream.feed(frames(start(), opened(BLOCK_OF[kind])))
    piece = frames(delta(kind, 'a "\n\\\u00e9')).replace(b"}}\n\n", b"}" + padding + b"}\n\n") * run
    monkeypatch.setattr(MessageReader, "on_delta", None)
    monkeypatch.setattr(MessageReader, "read", None)
    chunks = b"".join([stream.feed(piece) for _ in range(2_000 // run)])
    assert chunks.count(b"\n\n") == 2_000 // run * run


@pytest.mark.parametrize("kind", KINDS)
def test_common_deltas_between_two_blocks_of_a_piece_are_not_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = PLAIN.stream()
    piece = frames(start(), opened(BLOCK_OF[kind]), *[delta(kind, "x")] * 9, close_block(0), opened("text", 1))
    check_same([piece, frames(close_block(1)), after(kind)])
    decoded: list[object] = []
    monkeypatch.setattr(MessageReader, "on_delta", lambda _, event: decoded.append(event))
    assert stream.feed(piece).count(b'"x"') == 9
    assert decoded == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [700, 1_024, 5_000, 65_536, 70_000, 200_000])
def test_common_deltas_of_pieces_that_are_cut_anywhere_are_not_decoded(
    kind: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = PLAIN.stream()
    stream.feed(frames(start(), opened(BLOCK_OF[kind])))
    raw = frames(delta(kind, 'a "\n\\\u00e9')) * 3_000
    monkeypatch.setattr(MessageReader, "on_delta", None)
    chunks = [stream.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    assert b"".join(chunks).count(b"\n\n") == 3_000
    ends = [raw[:end].count(b"\n\n") for end in range(size, len(raw), size)]
    assert [b"".join(chunks[:at]).count(b"\n\n") for at in range(1, len(chunks))] == ends, (
        "none waits for the next piece"
    )


def test_the_start_of_a_frame_is_joined_once() -> None:
    def joined(count: int) -> int:
        stream = FastChunkStream(PLAIN.context)
        stream.feed(frames(start(), opened("text")))
        stream.feed(frames(*[text("x")] * 20, text("y" * count))[: -count - 6])
        held = 0
        for piece in [b"y"] * count:
            held += len(stream._cut)
            assert stream.feed(piece) == b""
        return held

    assert 0 < joined(10) == joined(1_000) < 200


@pytest.mark.parametrize(("asked", "name"), [("JSON", "JSON"), ("prefill", "text")])
def test_json_and_text_behind_a_prefill_are_not_decoded(asked: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "text_delta" if name == "text" else "input_json_delta"
    stream = ASKED[asked].stream()
    stream.feed(frames(start(), opened(name), delta(kind, "[")))
    monkeypatch.setattr(MessageReader, "on_delta", None)
    assert b'"content":"a"' in stream.feed(frames(delta(kind, "a")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_failed_copies_nothing(kind: str) -> None:
    stream = PLAIN.stream()
    stream.feed(frames(start(), opened(BLOCK_OF[kind]), delta(kind, "x")))
    assert stream.feed(frames(delta(kind, "x")))
    assert b"incomplete_stream" in stream.close()
    assert stream.feed(frames(delta(kind, "x"))) == b""
