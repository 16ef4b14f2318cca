"""The parts of a stream whose turn may pause, as they are passed on."""

import json
from typing import Any

import pytest

from chatcompat.reply.pause_turn import PausedTurn, StreamPart
from tests.asgi.driver import HELLO, frame


def part(*, first: bool = True, content: int = 0) -> StreamPart:
    turn = PausedTurn(max_bytes=10**6)
    reading = StreamPart(turn, first=True, last=False, max_event_bytes=10**6)
    for index in range(content):
        for event in HELLO[1:5]:
            reading.feed(frame({**event, "index": index}))
    reading.feed(frame({"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {}}))
    return StreamPart(turn, first=first, last=False, max_event_bytes=10**6)


def payloads(out: bytes) -> list[Any]:
    return [json.loads(each.removeprefix(b"data: ")) for each in out.split(b"\n\n")[:-1]]


@pytest.mark.parametrize("size", [1, 7, 50, 100_000])
def test_events_of_several_lines_are_passed_on_as_one(size: int) -> None:
    lines = [
        b"".join(b"data: %b\n" % line for line in json.dumps(event, indent=1).encode().split(b"\n")) for event in HELLO
    ]
    raw, reading = b"\n".join(lines) + b"\n", part()
    out = b"".join(reading.feed(raw[cut : cut + size]) for cut in range(0, len(raw), size))
    if size < len(raw):
        assert payloads(out) == HELLO
    else:
        assert out == raw


def test_an_index_that_is_far_too_large_is_passed_on() -> None:
    reading, digits = part(first=False, content=2), "9" * 5000
    assert payloads(reading.feed(frame({**HELLO[1], "index": 1})))[0]["index"] == 3
    raw = b'data: {"type":"content_block_stop","index":%b}\n\n' % digits.encode()
    assert reading.feed(raw) == raw
