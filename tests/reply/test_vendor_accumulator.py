"""What the vendor's own client makes of a stream: its accumulator joins all deltas, and refuses what it cannot join."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tests.reply.test_kinds import FUNCTION, ask, cite, events, reply, text, use

STREAMS = sorted((Path(__file__).parents[1] / "golden" / "streams").glob("*.chunks.sse"))
PLACE = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
    "file_id": None,
}


def accumulated(out: str) -> Any:
    state = ChatCompletionStreamState()
    for line in out.split("\n\n"):
        if line.startswith("data: {") and not line.startswith('data: {"error"'):
            chunk: Any = construct_type(type_=ChatCompletionChunk, value=json.loads(line[6:]))
            state.handle_chunk(chunk)
    return state.current_completion_snapshot.choices[0].message.to_dict()


def has_custom_call(path: Path) -> bool:
    return '"type":"custom"' in path.read_text()  # of which that client knows none in a stream


@pytest.mark.parametrize("path", [path for path in STREAMS if not has_custom_call(path)], ids=lambda path: path.name)
def test_each_stream_can_be_accumulated(path: Path) -> None:
    out = path.read_text()
    if '"choices":[{' in out:
        assert accumulated(out)["role"] == "assistant"


@pytest.mark.parametrize("between", [[], [use("f", {}, "toolu_1")]], ids=["text", "call"])
def test_all_citations_of_a_stream_are_accumulated(between: list[Any]) -> None:
    urls = ["https://x.test/1", "https://x.test/2"]
    cited = [text("a", citations=[cite(urls[0]), PLACE]), *between, text("b", citations=[PLACE, cite(urls[1])])]
    stream = ask(tools=[FUNCTION]).stream()
    message = accumulated((stream.feed(events(reply(cited))) + stream.close()).decode())
    assert message["content"] == "ab"
    assert [note["url_citation"]["url"] for note in message["annotations"]] == urls
    assert [(note["start_index"], note["end_index"]) for note in message["citations"]] == [(0, 1), (1, 2)]
