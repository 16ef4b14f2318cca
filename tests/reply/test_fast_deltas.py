"""Frames that are recognised whole are read as any other: as the same bytes cut in two, which no short path takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat import Translation
from tests.reply.support import (
    AS_JSON,
    PING,
    STOP,
    STREAMED,
    close_block,
    frames,
    open_text,
    start,
    text,
    translation,
)

BEFORE = frames(start(), open_text())
AFTER = frames(
    text("!"), close_block(0), {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}, STOP
)
OF = translation()
COMMON = frames(text("Hello"))
BYTES = [b"", b" ", b"\n", b"\r", b'"', b"\\", b"0", b"}", b",", b"\xc3", b"\xff", b"\x00", b"\x7f", b"x"]


def both_ways(piece: bytes, of: Translation = OF, before: bytes = BEFORE) -> tuple[bytes, bytes]:
    whole, cut = of.stream(), of.stream()
    assert whole.feed(before) == cut.feed(before)
    middle = len(piece) // 2
    short = whole.feed(piece) + whole.feed(AFTER) + whole.close()
    return short, cut.feed(piece[:middle]) + cut.feed(piece[middle:]) + cut.feed(AFTER) + cut.close()


@pytest.mark.parametrize("count", [1, 3])
def test_frames_one_byte_away_from_the_common_form(count: int) -> None:
    for at in range(len(COMMON)):
        for byte in BYTES:
            for changed in (COMMON[:at] + byte + COMMON[at + 1 :], COMMON[:at] + byte + COMMON[at:]):
                piece = COMMON * (count - 1) + changed + COMMON * (count - 1)
                short, typed = both_ways(piece)
                assert short == typed, changed


ESCAPED = st.sampled_from(
    ["\\n", "\\t", '\\"', "\\\\", "\\/", "\\u0041", "\\ud83d\\ude42", "\\ud800", "\\b", "\\x", "\\"]
)
CHARACTERS = st.sampled_from(
    ["a", " ", "\u00e9", "\u0085", "\U0001f642", "\u2028", "\x7f", "<", "'", '"', "{", "}}", "\n"]
)
PADDING = st.sampled_from(["", "   ", "\t", ",", '"x":1'])
INDEX = st.sampled_from(["0", "7", "01", "-1", "1.0", "9999999"])


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A text delta in the common form, or nearly."""
    said = "".join(draw(st.lists(ESCAPED | CHARACTERS, max_size=4)))
    delta = f'{{"type":"text_delta","text":"{said}"}}{draw(PADDING)}'
    data = f'{{"type":"content_block_delta","index":{draw(INDEX)},"delta":{delta}}}'
    raw = f"event: content_block_delta\ndata: {data}\n\n".encode()
    return raw.replace("\U0001f642".encode(), draw(st.sampled_from([b"\xf0\x9f\x99\x82", b"\xf0\x9f", b"\x99\x82"])))


@given(st.lists(written() | st.just(COMMON) | st.just(frames(PING)), min_size=1, max_size=5))
def test_any_run_of_deltas_reads_the_same(pieces: list[bytes]) -> None:
    short, typed = both_ways(b"".join(pieces))
    assert short == typed


OPENED = {
    "call": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    "custom call": {"type": "tool_use", "id": "toolu_1", "name": "c", "input": {}},
    "JSON": {"type": "tool_use", "id": "toolu_1", "name": "respond_with_json", "input": {}},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "redacted": {"type": "redacted_thinking", "data": "x"},
    "unknown": {"type": "unknown"},
}
ASKED = [
    OF,
    translation({**STREAMED, "tools": [{"type": "custom", "custom": {"name": "c"}}]}),
    translation({**STREAMED, "functions": [{"name": "f"}]}),
    translation(AS_JSON),
]
SAID = st.sampled_from(["", "a", '{"a": "\\n', "\u00e9", "\u2028", "\x85", '"}', "\\"])
DELTAS = st.one_of(
    st.builds(lambda said: {"type": "input_json_delta", "partial_json": said}, SAID),
    st.builds(lambda said: {"type": "thinking_delta", "thinking": said}, SAID),
    st.builds(lambda said: {"type": "signature_delta", "signature": said}, SAID),
    st.builds(lambda said: {"type": "text_delta", "text": said}, SAID),
    st.sampled_from([{"type": "unknown_delta"}, {"type": "text_delta"}, {}, None]),
)


@given(
    st.sampled_from(sorted(OPENED)),
    st.sampled_from(ASKED),
    st.lists(DELTAS, max_size=4),
    st.integers(0, 1),
    st.booleans(),
)
def test_any_delta_of_any_block_reads_the_same(
    opened: str, of: Translation, deltas: list[object], index: int, by_one: bool
) -> None:
    start_of_block = {"type": "content_block_start", "index": 0, "content_block": OPENED[opened]}
    before = frames(start(), start_of_block)
    events = [frames({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
    if by_one:
        whole, cut = of.stream(), of.stream()
        pieces = [before, *events, AFTER]
        short = b"".join(map(whole.feed, pieces)) + whole.close()
        typed = b"".join(cut.feed(piece[:9]) + cut.feed(piece[9:]) for piece in pieces) + cut.close()
    else:
        short, typed = both_ways(b"".join(events), of, before)
    assert short == typed


def test_the_places_of_thinking_count_the_text_of_short_paths() -> None:
    thinking = [
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "signature_delta", "signature": "s"}},
        close_block(1),
    ]
    deltas = frames(text('a "b"\n')) + frames(text("c\td"), text("\u00e9"))
    short, typed = both_ways(deltas + frames(close_block(0), *thinking))
    assert short == typed
    stream = OF.stream()
    out = b"".join(map(stream.feed, [BEFORE, deltas[: deltas.index(b"\n\n") + 2], deltas[deltas.index(b"\n\n") + 2 :]]))
    out += stream.feed(frames(close_block(0), *thinking)) + stream.feed(AFTER)
    assert b"_t10_" in out  # the step before the thinking


@pytest.mark.parametrize("count", [1, 4])
def test_the_bound_of_an_event_holds_on_short_paths(count: int) -> None:
    stream = OF.stream(max_event_bytes=400)
    stream.feed(BEFORE)
    assert stream.feed(frames(text("x" * 200)) * count)
    assert stream.error is None
    stream.feed(frames(text("x" * 400)) * count)
    assert stream.error is not None
