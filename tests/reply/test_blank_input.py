"""The input of a call that is blank becomes the object that clients expect, however it is cut."""

import json
from itertools import accumulate, pairwise
from typing import Any

import pytest

from chatcompat import translate

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
OF = translate(json.dumps(ASKED).encode(), created=1)


def frames(start: str, pieces: list[str]) -> list[bytes]:
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": json.loads(start)}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "a", "model": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]
    return [
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in events
    ]


def arguments(chunks: bytes) -> str:
    assert chunks.endswith(b"data: [DONE]\n\n")
    deltas = [json.loads(chunk[6:])["choices"][0]["delta"] for chunk in chunks.split(b"\n\n")[:-2]]
    return "".join(call["function"].get("arguments", "") for delta in deltas for call in delta.get("tool_calls", ()))


@pytest.mark.parametrize("start", ["{}", '{"a":1}'])
@pytest.mark.parametrize(
    "pieces",
    [[], [""], [" "], ["\n", "\t "], [" ", "", "  "], [" ", '{"b"', ":2}"], ['{"b":2}', " "], ["{", '"b":2', "}"]],
)
def test_blank_input_is_the_object_of_the_start(start: str, pieces: list[str]) -> None:
    sent = frames(start, pieces)
    whole = b"".join(sent)
    expected = json.loads("".join(pieces) if "".join(pieces).strip() else start)
    ends = [*accumulate(map(len, sent))]
    cuts = [[whole], sent, [whole[at : at + 1] for at in range(len(whole))]]
    cuts += [[whole[:at], whole[at:]] for at in range(0, len(whole), 7)]
    cuts += [[whole[: ends[1]], whole[ends[1] :]], [whole[a:b] for a, b in pairwise([0, *ends[1::2], len(whole)])]]
    for parts in cuts:
        stream = OF.stream()
        assert json.loads(arguments(b"".join(map(stream.feed, parts)) + stream.close())) == expected
