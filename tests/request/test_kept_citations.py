"""The citations of an earlier reply go back to the service with the text that they belong to."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, Translation, translate
from tests.asgi.test_store_conversations import Client, results, user
from tests.reply.test_opaque_entries import message_of

HI = {"role": "user", "content": "hi"}
FOUND = {
    "type": "web_search_result_location",
    "cited_text": "x \u2028 \u00e9",
    "encrypted_index": "e/+=",
    "title": None,
    "url": "https://x",
}
QUOTED = {"start_char_index": 12345678901234567890, "type": "char_location", "score": 2.50, "cited_text": ""}


def text(words: str, *citations: Any) -> Any:
    return {"type": "text", "text": words, **({"citations": [*citations]} if citations else {})}


def answered(message: Any) -> Translation:
    body = {"model": "m", "messages": [HI, message, HI]}
    return translate(json.dumps(body).encode())


def turn_of(translation: Translation) -> Any:
    return json.loads(translation.body)["messages"][1]["content"]


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "blocks",
    [
        [text("cited", FOUND)],
        [text("plain "), text("cited", FOUND, QUOTED), text(" plain")],
        [text("one", FOUND), text("two", FOUND), text("three", QUOTED)],
        [THINKING, text("one", FOUND), SEARCH, text("two", QUOTED)],
        [text("\U0001f600", FOUND), THINKING, text("b")],
    ],
)
def test_a_text_goes_back_with_its_citations(blocks: list[Any], streamed: bool) -> None:
    translation = answered(message_of(blocks, streamed=streamed))
    assert turn_of(translation) == blocks
    assert translation.ignored == ()


def test_the_citations_keep_their_bytes() -> None:
    (translation,) = [answered(message_of([text("a", QUOTED)], streamed=False))]
    kept = json.dumps(QUOTED, ensure_ascii=False, separators=(",", ":")).encode()
    assert b'"citations":[%b]' % kept in translation.body


@pytest.mark.parametrize("content", ["cited and more", "", None])
def test_citations_of_a_text_that_the_client_changed_are_reported(content: str | None) -> None:
    message = message_of([THINKING, text("cited", FOUND)], streamed=False)
    translation = answered({**message, "content": content})
    assert turn_of(translation) == [THINKING, *([text(content)] if content else [])]
    assert "messages[].reasoning_details" in translation.ignored


@pytest.mark.parametrize(
    ("blocks", "sent"),
    [
        ([text(" ", FOUND), text("b")], "b"),
        ([text("b"), text(" ", FOUND)], "b"),
        ([THINKING, text(" ", FOUND)], [THINKING]),
        ([text("a", QUOTED), text(" ", FOUND)], [text("a", QUOTED)]),
    ],
)
def test_the_citations_of_blank_text_have_no_block_to_go_to(blocks: Any, sent: Any) -> None:
    translation = answered(message_of(blocks, streamed=False))
    assert (turn_of(translation), translation.ignored) == (sent, ())


@pytest.mark.parametrize("data", ['{"citations":5}', '{"citations":[],"x":1}', '{"citations":'])
def test_citations_in_another_form_are_reported(data: str) -> None:
    detail = {"type": "reasoning.encrypted", "data": data, "format": "anthropic-claude-v1"}
    translation = answered({"role": "assistant", "content": "a", "reasoning_details": [detail]})
    assert (turn_of(translation), translation.ignored) == ("a", ("messages[].reasoning_details",))


@pytest.mark.anyio
@pytest.mark.parametrize("streams", [False, True])
async def test_a_client_that_drops_citations_gets_them_back(streams: bool) -> None:
    client = Client(dialect=Dialect(reasoning="effort", adaptive_thinking=True), streams=streams)
    blocks = [THINKING, text("so", FOUND), {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]
    message = await client.ask([user("hi")], blocks)
    assert set(message) == {"role", "content", "tool_calls", "annotations"}
    del message["annotations"]
    await client.signatures([user("hi"), message, *results(message)])
    assert client.inner.bodies[0]["messages"][1]["content"] == blocks
