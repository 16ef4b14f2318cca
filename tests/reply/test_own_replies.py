"""A reply keeps what chat has no form for, and goes back word for word without a report."""

import json
from typing import Any

import pytest

from chatcompat import translate
from tests.reply.support import AS_JSON, CHAT, STREAMED, Json, frames, start, translation

WEB = {"type": "web_search_result_location", "url": "https://a.example", "title": None, "encrypted_index": "x"}
SEARCHED = {"type": "search_result_location", "source": "https://b.example", "title": "B", "search_result_index": 0}
SHELF = {"type": "search_result_location", "source": "shelf 5", "title": "B", "search_result_index": 0}
CHARS = {"type": "char_location", "cited_text": "x", "document_index": 0, "start_char_index": 0, "end_char_index": 1}
NEWER = {"type": "newer_location", "n": [1, {"m": None}]}
ODD = {"type": 5, "url": ["SECRET"]}
NO_URL = {"type": "web_search_result_location", "url": ["SECRET"]}
CITATIONS = [WEB, SEARCHED, SHELF, CHARS, NEWER, ODD, NO_URL]


def message(*content: Json, stop: str = "end_turn") -> Json:
    head = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": stop}
    return {**head, "content": list(content), "usage": {"input_tokens": 1, "output_tokens": 1}}


def whole(request: Json, *content: Json) -> Json:
    reply: Json = json.loads(translation(request).reply(json.dumps(message(*content)).encode()))
    found: Json = reply["choices"][0]["message"]
    return found


def streamed(request: Json, events: bytes) -> Json:
    """The deltas of a stream, joined as clients join them."""
    said: dict[str, Any] = {}
    for line in translation(request).stream().feed(events).split(b"\n\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                for name, value in choice["delta"].items():
                    said[name] = said[name] + value if name in said else value
    return said


def cited(found: Json) -> tuple[list[Any], list[Any]]:
    urls = [annotation["url_citation"]["url"] for annotation in found["annotations"]]
    return urls, [span["citation"] for span in found["citations"]]


def test_citations_of_urls_are_annotations_and_others_keep_their_form() -> None:
    text = {"type": "text", "text": "four", "citations": CITATIONS}
    expected = (["https://a.example", "https://b.example"], [SHELF, CHARS, NEWER, ODD, NO_URL])
    found = whole(CHAT, {"type": "text", "text": "ab"}, text, text)
    assert cited(found) == (expected[0] * 2, expected[1] * 2)
    assert [(span["start_index"], span["end_index"]) for span in found["citations"]] == [(2, 6)] * 5 + [(6, 10)] * 5
    deltas = [{"type": "citations_delta", "citation": citation} for citation in CITATIONS]
    events = frames(
        start(),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "four"}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    )
    assert cited(streamed(STREAMED, events)) == expected
    assert cited(streamed(AS_JSON, events)) == expected


@pytest.mark.parametrize(
    ("given", "arguments"),
    [('{"a": 1.50}', '{"a": 1.50}'), (' {"é":[]} ', '{"é":[]}'), ("{}", "{}"), ("", "{}"), (None, "{}"), ({}, "{}")],
)
def test_input_that_is_a_string_of_json_is_read(given: Any, arguments: str) -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": given}
    for before in ([], [{"type": "text", "text": "a"}]):
        assert whole(CHAT, *before, call)["tool_calls"][0]["function"]["arguments"] == arguments
    events = frames(
        start(), {"type": "content_block_start", "index": 0, "content_block": call}, {"type": "message_stop"}
    )
    calls = streamed(STREAMED, events)["tool_calls"]
    assert "".join(call["function"]["arguments"] for call in calls) == arguments


REPLIES: list[list[Json]] = [
    [{"type": "text", "text": "a"}],
    [{"type": "text", "text": "a", "citations": CITATIONS}],
    [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}],
    [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}],
    [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    ],
    [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}],
]


@pytest.mark.parametrize("content", REPLIES)
def test_reply_goes_back_word_for_word_under_strict(content: list[Json]) -> None:
    reply = whole(CHAT, *content)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "name": call["function"]["name"], "content": "r"}
        for call in reply.get("tool_calls", [])
    ]
    messages = [{"role": "user", "content": "hi"}, reply, *results, {"role": "user", "content": "on"}]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    assert translate(body, strict=True).ignored == ()
