"""Replies of text and calls: the text goes on as the bytes that came, and nothing goes on unproven."""

import json
from typing import Any

import pytest

from chatcompat import InvalidReply, translate
from chatcompat.reply.text_only import to_plain_completion

OF = translate(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', created=1)
USAGE = {"input_tokens": 1, "output_tokens": 2}


def reply(*content: Any, **fields: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    return json.dumps({**message, "stop_reason": "end_turn", "usage": USAGE, **fields}).encode()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def call(call_id: str = "toolu_1", given: Any = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": given or {}}


def test_the_text_goes_on_as_it_came() -> None:
    body = reply(text("?")).replace(b'"?"', rb'"a\/\u00e9\ud83d\ude00 \n"')
    assert rb'"content":"a\/\u00e9\ud83d\ude00 \n"' in OF.reply(body)


@pytest.mark.parametrize(
    "body",
    [
        reply(text("hello")),
        reply(text("")),
        reply(),
        reply(call(), stop_reason="tool_use"),
        reply(text("h\u00e9"), call(given={"a": "\u00e9"}), call("toolu_2"), stop_reason="tool_use"),
    ],
)
def test_what_goes_the_short_way(body: bytes) -> None:
    short = to_plain_completion(body, OF.context)
    assert short is not None
    assert short[0] == OF.reply(body)


@pytest.mark.parametrize(
    "body",
    [
        reply(text("a"), text("b")),
        reply(call(), text("a")),
        reply(call(), call()),
        reply({**text("a"), "citations": []}),
        reply({"type": "thinking", "thinking": "t", "signature": "s"}),
        reply(call(given=[1])),
        reply(text("no"), stop_reason="refusal", stop_details={"explanation": "because"}),
        reply({"type": "text", "text": None}),
        reply({"type": "text", "text": 1}),
        b"{",
    ],
)
def test_what_does_not(body: bytes) -> None:
    assert to_plain_completion(body, OF.context) is None


@pytest.mark.parametrize("said", [b'"\xff"', b'"\xed\xa0\x80"', rb'"\ud800"', b'"\x01"', b"null", b"1", b"[]", b'"a'])
def test_text_that_is_none_is_refused(said: bytes) -> None:
    with pytest.raises(InvalidReply):
        OF.reply(reply(text("?")).replace(b'"?"', said))
