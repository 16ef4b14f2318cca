"""Bytes -> server-sent events: the cases of the WHATWG standard, a naive reference, and size limits.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation and the cases of
web-platform-tests, `eventsource/format-*`.
"""

import re
import time
import tracemalloc
from collections.abc import Callable
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat.wire.sse import EventDecoder, EventTooLarge, encode_comment, encode_data

BOM = b"\xef\xbb\xbf"


def decode(pieces: list[bytes], **options: int) -> tuple[list[bytes], bool]:
    """The events, and whether an event was too large."""
    decoder = EventDecoder(**options)
    events: list[bytes] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
    except EventTooLarge as error:
        return events + error.events, True
    return events, False


def reference(raw: bytes, max_bytes: int = 1 << 30) -> tuple[list[bytes], bool]:
    """The standard applied line by line to the whole stream, with the size limit on a line and the data before it."""
    *lines, unfinished = re.split(rb"\r\n|\r|\n", raw.removeprefix(BOM))
    events: list[bytes] = []
    data = b""
    for line in lines:
        if len(data) + len(line) > max_bytes:
            return events, True
        field, _, value = line.partition(b":")
        if field == b"data":
            data += value.removeprefix(b" ") + b"\n"
        elif not line and data:
            events.append(data[:-1])
            data = b""
    return events, len(data) + len(unfinished) > max_bytes


FORMAT: list[tuple[str, bytes, list[bytes]]] = [
    ("bom", BOM + b"data:1\n\n" + BOM + b"data:2\n\ndata:3\n\n", [b"1", b"3"]),
    ("bom-2", BOM + BOM + b"data:1\n\ndata:2\n\ndata:3\n\n", [b"2", b"3"]),
    (
        "comments",
        b"data:1\r:\0\n:\r\ndata:2\n:" + b"x" * 2048 + b"\rdata:3\n:data:fail\r:\ndata:4\n\n",
        [b"1\n2\n3\n4"],
    ),
    ("data-before-final-empty-line", b"retry:1000\ndata:test1\n\nid:test\ndata:test2", [b"test1"]),
    ("field-data", b"data:\n\ndata\ndata\n\ndata:test\n\n", [b"", b"\n", b"test"]),
    ("field-event", b"event:test\ndata:x\n\ndata:x\n\n", [b"x", b"x"]),
    ("field-event-empty", b"event: \ndata:data\n\n", [b"data"]),
    ("field-id", b"id: a\ndata: 1\n\nid\ndata: 2\n\n", [b"1", b"2"]),
    (
        "field-parsing",
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\n"
        b"da-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        [b"\0\n 2\n1\n3\n\n4"],
    ),
    ("field-retry", b"retry:03000\ndata:x\n\n", [b"x"]),
    ("field-retry-bogus", b"retry:1000x\ndata:x\n\n", [b"x"]),
    ("field-unknown", b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n", [b"test\n"]),
    ("leading-space", b"data:\ttest\rdata: \ndata:test\n\n", [b"\ttest\n\ntest"]),
    ("newlines", b"data:test\r\ndata\ndata:test\r\n\r", [b"test\n\ntest"]),
    ("null-character", b"data:\0\n\n\n\n", [b"\0"]),
    ("utf-8", "data:ok…\n\n".encode(), ["ok…".encode()]),
    ("case", b"DATA: 1\nData: 2\ndata: 3\n\n", [b"3"]),
    ("colons", b"data:: a:b\n\ndata:::\n\n", [b": a:b", b"::"]),
    ("no data", b"\n\nevent: x\n\n:\n\nid: 1\n\n", []),
    (
        "other line ends",
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg".encode()],
    ),
    ("carriage returns", b"data: a\rdata: b\r\rdata: c\r\r", [b"a\nb", b"c"]),
    ("nothing", b"", []),
    ("bom only", BOM, []),
    ("bom cut", BOM[:2] + b"data: 1\n\ndata: 2\n\n", [b"2"]),
    ("bom later", b"data: 1\n\n" + BOM + b"data: 2\n\n", [b"1"]),
    ("frames", b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", [b"1", b"2"]),
]


@pytest.mark.parametrize(("raw", "events"), [case[1:] for case in FORMAT], ids=[case[0] for case in FORMAT])
def test_format(raw: bytes, events: list[bytes]) -> None:
    assert reference(raw) == (events, False)
    assert decode([raw]) == (events, False)
    assert decode([raw[at : at + 1] for at in range(len(raw))]) == (events, False)
    for at in range(len(raw) + 1):
        assert decode([raw[:at], b"", raw[at:]]) == (events, False)


TOKENS = [b"data", b":", b" ", b"\r", b"\n", b"\r\n", b"\n\n", BOM, BOM[:1], BOM[1:], b"x", b"id", b"\0", b"event: e\n"]
FRAMES = [b"event: e\ndata: x\n\n", b"event: e\ndata: \n\n", b"event: e\nid: 1\ndata: x\n\n", b"data: x\r\r", b"\n"]
LONG_FRAMES = [b"event: e\ndata: %b\n\n" % (b"x" * size) for size in (900, 1_100, 3_000)]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from([*TOKENS, *FRAMES, *FRAMES]), max_size=20),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(len(BOM), 40),
)
def test_any_bytes_cut_anywhere_are_read_as_the_standard_says(tokens: list[bytes], at: list[int], bound: int) -> None:
    raw = b"".join(tokens)
    ends = [*sorted(index % (len(raw) + 1) for index in at), len(raw)]
    for pieces in ([raw[a:b] for a, b in zip([0, *ends], ends, strict=False)], tokens, [raw]):
        assert decode(pieces) == reference(raw)
        assert decode(pieces, max_bytes=bound) == reference(raw, bound)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(FRAMES), max_size=6),
    st.lists(st.sampled_from([*FRAMES, *LONG_FRAMES]), min_size=1, max_size=4),
)
def test_whole_frames_are_read_as_their_lines_are(before: list[bytes], frames: list[bytes]) -> None:
    piece = b"".join(frames)
    together, apart = EventDecoder(), EventDecoder()
    for frame in before:
        assert together.feed(frame) == apart.feed(frame)
    by_line = [event for line in piece.splitlines(keepends=True) for event in apart.feed(line)]
    assert together.feed(piece) == by_line


def test_whole_frames_of_one_line_each_are_not_read_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(EventDecoder, "_feed_lines")
    decoder = EventDecoder()
    for count in range(1, 9):
        data = [b"%d" % index + b"x" * 120 for index in range(count)]
        frames = (
            b"event: e\ndata: %b\n\n" % one if index % 2 else b"data: %b\n\n" % one for index, one in enumerate(data)
        )
        assert decoder.feed(b"".join(frames)) == data
        assert decoder.idle


def test_decoder_knows_when_it_holds_nothing() -> None:
    decoder = EventDecoder()
    assert not decoder.idle  # a byte order mark may come
    for piece, idle in [
        (b"\n", True),
        (b"da", False),
        (b"ta: x\n", False),
        (b"\n", True),
        (b"\r", False),
        (b"", False),
    ]:
        decoder.feed(piece)
        assert decoder.idle is idle
    assert decoder.feed(b"\ndata: y\n\n") == [b"y"]


# ------------------------------------------------------------------ bounds
def whole(raw: bytes) -> list[bytes]:
    return [raw]


def by_byte(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]


@pytest.mark.parametrize("cut", [whole, by_byte])
@pytest.mark.parametrize(
    ("fitting", "excess"),
    [
        pytest.param(b"data: " + b"x" * 14, b"data: " + b"x" * 15, id="data"),
        pytest.param(b"data: 2345678\ndata:1234567", b"data: 2345678\ndata:12345678", id="two lines of data"),
        pytest.param(b":" + b"x" * 19, b":" + b"x" * 20, id="comment"),
        pytest.param(b"id: " + b"x" * 16, b"id: " + b"x" * 17, id="another field"),
        pytest.param(b"data\n" * 17, b"data\n" * 18, id="lines of no data"),
    ],
)
def test_event_at_its_bound_passes_and_one_byte_more_is_refused(
    fitting: bytes, excess: bytes, cut: Callable[[bytes], list[bytes]]
) -> None:
    before, behind = b"event: a\ndata: 1\n\n", b"\n\nevent: b\ndata: 2\n\n"
    events, refused = decode(cut(before + fitting + behind), max_bytes=20)
    assert (events[0], events[-1], refused) == (b"1", b"2", False)
    assert decode(cut(before + excess + behind), max_bytes=20) == ([b"1"], True)
    assert decode([before, *cut(excess)], max_bytes=20) == ([b"1"], True)  # before its end has come


def test_size_is_that_of_one_event_not_of_the_stream() -> None:
    raw = b"event: a\ndata: 12345\n\n" * 100 + b"data: 12345\r\n\r\n" * 100
    assert decode([raw], max_bytes=20) == ([b"12345"] * 200, False)
    assert decode(by_byte(raw), max_bytes=20) == ([b"12345"] * 200, False)


@pytest.mark.parametrize(
    "piece",
    [b"x" * 65536, b"data: " + b"x" * 1000 + b"\n", b"data\n" * 200, b"ab", b"data: x\n"],
    ids=["line", "data lines", "empty data lines", "line in small pieces", "small data lines"],
)
def test_what_never_ends_is_refused_within_bounded_memory(piece: bytes) -> None:
    bound = 128 * 1024
    decoder = EventDecoder(max_bytes=bound)
    tracemalloc.start()
    try:
        with pytest.raises(EventTooLarge, match="an event is larger than 131072 bytes"):
            any(map(decoder.feed, repeat(piece, bound)))
        assert tracemalloc.get_traced_memory()[1] < 6 * bound
    finally:
        tracemalloc.stop()


def test_endless_comments_between_events_are_no_event() -> None:
    decoder = EventDecoder(max_bytes=100)
    for _ in range(1000):
        assert decoder.feed(b": ping\n") == []
    assert decoder.feed(b"\ndata: x\n\n") == [b"x"]


@pytest.mark.parametrize("field", [b"data: ", b":"])
def test_long_line_in_small_pieces_takes_linear_time(field: bytes) -> None:
    raw = field + b"x" * (4 * 1024 * 1024) + b"\n\n"
    begun = time.perf_counter()
    events, refused = decode([raw[at : at + 128] for at in range(0, len(raw), 128)])
    assert time.perf_counter() - begun < 6
    assert not refused
    assert events == ([raw[6:-2]] if field == b"data: " else [])


# ------------------------------------------------------------------ writing
@given(st.binary().filter(lambda data: not re.search(rb"[\r\n]", data)))
def test_what_is_written_is_read_again(data: bytes) -> None:
    raw = encode_data(data) + encode_comment(b"data: no")
    assert decode([raw]) == reference(raw) == ([data], False)
    assert encode_comment(b"ping") == b": ping\n\n"


@pytest.mark.parametrize("size", [1, 2_000])
@pytest.mark.parametrize("start", [b"", BOM])
@pytest.mark.parametrize(
    "form",
    [
        b"data: %b\n\n",
        b"event: message\ndata: %b\n\n",
        b"event: message\n\ndata: %b\n\n",
        b"event:message\ndata:%b\n\n",
        b"event: message\r\ndata: %b\r\n\r\n",
        b"event: message\ndata: %b\r\n\n",
        b"event: a\rdata: b\ndata: %b\n\n",
        b"id: 1\ndata: %b\n\n",
        b"event: message\nid: 1\ndata: %b\n\n",
        b"data: x\ndata: %b\n\n",
        b"event: message\ndata: %b\n",
        b"event: message\ndata: %b\n\n\n",
        b"event: message\ndata: %b\ndata: y\n\n",
        b"event: message\ndata: %b\n\ndata: z\n\n",
        b"event: data: %b\n\n",
        b"event: %b",
    ],
)
def test_a_piece_of_one_event_is_read_as_any_other(form: bytes, start: bytes, size: int) -> None:
    pieces = [form % (b"x" * size)] * 3
    pieces[0] = start + pieces[0]
    assert decode(pieces) == reference(b"".join(pieces))
    for max_bytes in (1, size, size + 8, size + 30):
        assert decode(pieces, max_bytes=max_bytes) == reference(b"".join(pieces), max_bytes)
