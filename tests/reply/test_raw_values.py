"""Values that go on as they came: they stay in their frame, are UTF-8, and cost no reply."""

import json
from typing import Any

import pytest

from chatcompat import InvalidReply, translate
from chatcompat.reply.pause_turn import PausedTurn, continued_body

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
HI = {"messages": [{"role": "user", "content": "hi"}]}
OF = translate(json.dumps(ASKED | HI).encode(), created=1)
HEAD = b'data: {"type":"message_start","message":{"id":"a","model":"m"}}\n\n'
TEXT = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}\n\n'
END = b'data: {"type":"message_stop"}\n\n'
REFUSED = {"id": "a", "model": "m", "content": [], "stop_reason": "refusal"}


@pytest.mark.parametrize("indent", ["\n", "\n\n", "\r\n", "\r"])
def test_a_frame_is_one_line_whatever_the_service_indents(indent: str) -> None:
    message = {
        "id": "msg_1",
        "model": "m",
        "content": [{"type": "text", "text": "a\nb", "citations": [{"type": "x", "cited_text": "c", "y": {"z": [1]}}]}],
        "stop_reason": "refusal",
        "stop_details": {"category": "cyber", "more": {"a": [1, 2]}},
        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_creation": {"e": [0, 1]}},
    }
    chunks = OF.stream().replay(json.dumps(message, indent=1).replace("\n", indent).encode())
    assert b"\r" not in chunks
    frames = chunks.split(b"\n\n")
    assert frames.pop() == b""
    assert frames.pop() == b"data: [DONE]"
    assert all(json.loads(frame.removeprefix(b"data: "))["object"] == "chat.completion.chunk" for frame in frames)
    lines = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"x":{"a":1,\ndata: "b":2}}}\n\n'
    assert all(b"\n" not in frame for frame in OF.stream().feed(HEAD + lines + END).split(b"\n\n"))


@pytest.mark.parametrize("text", [b"a", b""])
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_citation_that_is_not_utf8_is_an_error(text: bytes, pieces: int) -> None:
    citation = b'{"type":"char_location","cited_text":"\xff"}'
    delta = (
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":%b}}\n\n'
        % citation
    )
    named = b"event: content_block_delta\n" + delta
    for event in (delta, named):
        stream = OF.stream()
        parts = [HEAD, TEXT.replace(b'"a"', b'"%b"' % text), event + END]
        out = b"".join(map(stream.feed, parts if pieces == 3 else [b"".join(parts)])) + stream.close()
        assert stream.error is not None
        assert b"[DONE]" not in out
        assert out.decode()
        collector = OF.collector()
        with pytest.raises(InvalidReply):
            collector.feed(b"".join(parts))


@pytest.mark.parametrize("odd", ["1e999", "1" * 5000, "5", "[]", "{}", "null", "true"])
def test_the_details_of_a_refusal_may_be_anything(odd: str) -> None:
    details = f'{{"explanation":{odd},"category":"cyber"}}'
    body = json.dumps(REFUSED | {"stop_details": 0}).replace('"stop_details": 0', f'"stop_details": {details}').encode()
    message = json.loads(OF.reply(body), parse_int=str)["choices"][0]["message"]
    assert message["refusal"] == "cyber"
    delta = f'data: {{"type":"message_delta","delta":{{"stop_reason":"refusal","stop_details":{details}}}}}\n\n'
    assert OF.stream().feed(HEAD + delta.encode() + END).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "caller", [{"type": "direct", "x": 1}, {"id": "a"}, {"type": "code_execution", "tool_id": "a"}]
)
def test_a_caller_is_kept_in_the_short_way_too(caller: Any) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": caller}
    reply = {"id": "a", "model": "m", "content": [call], "stop_reason": "tool_use", "usage": {}}
    (details,) = json.loads(OF.reply(json.dumps(reply).encode()))["choices"][0]["message"]["reasoning_details"]
    assert json.loads(details["data"])["caller"] == caller


@pytest.mark.parametrize(
    ("details", "kept"),
    [
        ({"thinking_tokens": 1, "x": 7}, True),
        ({"x": 7}, True),
        ({"thinking_tokens": 1}, False),
        ({}, False),
        (None, False),
    ],
)
def test_other_details_of_the_output_are_kept(details: Any, kept: bool) -> None:
    reply = {"id": "a", "model": "m", "content": [], "usage": {"output_tokens_details": details}}
    usage = json.loads(OF.reply(json.dumps(reply).encode()))["usage"]
    assert usage.get("output_tokens_details") == (details if kept else None)
    assert ("completion_tokens_details" in usage) is bool(details and "thinking_tokens" in details)


@pytest.mark.parametrize("last", ["", "\n\n", "Let me look. ", "a"])
def test_a_paused_turn_goes_on_without_blank_text_and_space_at_its_end(last: str) -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    blank, said = {"type": "text", "text": " "}, {"type": "text", "text": "b "}
    content = [blank, said, use, {"type": "text", "text": last, "x": 1}]
    turn = PausedTurn(max_bytes=10_000)
    part = {"id": "a", "model": "m", "content": content, "stop_reason": "pause_turn", "usage": {}}
    assert turn.take_message(json.dumps(part).encode(), first=True, last=False) is None
    sent = json.loads(continued_body(json.dumps(HI).encode(), turn))["messages"][-1]["content"]
    end = [{"type": "text", "text": last.rstrip(), "x": 1}] if last.strip() else []
    assert sent == [said, use, *end]


@pytest.mark.parametrize("odd", ["1e999", "[1e999]", "5", "null"])
def test_a_block_whose_text_is_none_goes_back_as_it_came(odd: str) -> None:
    turn = PausedTurn(max_bytes=10_000)
    block = f'{{"type":"new","text":{odd}}}'
    part = f'{{"id":"a","model":"m","content":[{block}],"stop_reason":"pause_turn","usage":{{}}}}'
    assert turn.take_message(part.encode(), first=True, last=False) is None
    assert f'"content":[{block}]'.encode() in continued_body(json.dumps(HI).encode(), turn)
