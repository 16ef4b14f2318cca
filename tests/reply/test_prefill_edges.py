"""A reply that repeats the client's prefill: only a whole repetition is taken out."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, translate
from tests.asgi.driver import REPLY, frame

PREFILL = "The answer is"
REPEATS = Dialect(repeats_prefill=True)
BODY = json.dumps(
    {
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": PREFILL}],
    }
)


def streamed(pieces: list[str]) -> str:
    """The text that the client gets of a reply in these pieces."""
    made: list[Any] = [
        {"type": "message_start", "message": {**REPLY, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    stream = translate(BODY.encode(), dialect=REPEATS).stream()
    sent = b"".join(stream.feed(frame(event)) for event in made) + stream.close()
    assert sent.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in sent.decode().split("\n\n")[:-2]]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["The answer is", " 4"], " 4"),
        (["The ans", "wer is 4"], " 4"),
        (["The ans"], "The ans"),
        (["The ans", "wer"], "The answer"),
        (["The ans", "wers"], "The answers"),
        (["4"], "4"),
    ],
)
def test_a_part_of_the_prefill_is_no_repetition(pieces: list[str], said: str) -> None:
    assert streamed(pieces) == said
    whole = {**REPLY, "content": [{"type": "text", "text": "".join(pieces)}]}
    reply = json.loads(translate(BODY.encode(), dialect=REPEATS).reply(json.dumps(whole).encode()))
    assert reply["choices"][0]["message"]["content"] == said
