"""Whole replies that are no message, or not one that can be translated: `InvalidReply`, and never another error."""

import json
from typing import Any

import pytest

from chatcompat import InvalidReply, translate
from chatcompat.wire.invalid_reply import BLOCK_BYTES, FEW_BLOCKS, MAX_BLOCKS, MAX_USAGE_FIELDS
from tests.reply.support import AS_JSON, CHAT, STREAMED, WITH_USAGE, Json, read_completion, translation
from tests.vendor import chat_error, chat_sse

MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "SECRET"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
WHOLE = json.dumps(MESSAGE).encode()


def edited(**changes: Any) -> bytes:
    return json.dumps({key: value for key, value in {**MESSAGE, **changes}.items() if value is not ...}).encode()


def with_block(**block: Any) -> bytes:
    return edited(content=[{"type": "text", "text": "SECRET"}, block])


NO_OBJECTS: tuple[Any, ...] = (5, [], "[1]", True)
NO_MESSAGE = [
    pytest.param(b"", id="empty"),
    pytest.param(b"[]", id="array"),
    pytest.param(b"{}", id="empty object"),
    pytest.param(b"null", id="null"),
    pytest.param(b"5", id="number"),
    pytest.param(b'"SECRET"', id="text"),
    pytest.param(WHOLE[:-1], id="cut by one byte"),
    pytest.param(WHOLE[:40], id="cut"),
    pytest.param(WHOLE + b"}", id="one byte more"),
    pytest.param(WHOLE + WHOLE, id="two messages"),
    pytest.param(b"\xef\xbb\xbf" + WHOLE, id="byte order mark"),
    pytest.param(WHOLE.decode().encode("utf-16"), id="UTF-16"),
    pytest.param(b"<html>SECRET</html>", id="HTML"),
    pytest.param(b"event: message_start\ndata: {}\n\n", id="event stream"),
    pytest.param(b"[" * 100_000, id="deep array"),
    pytest.param(b'{"id":' * 100_000, id="deep object"),
    pytest.param(b'{"content":[' * 100_000, id="deep content"),
    pytest.param(edited(content=[{"type": "x", "y": None}]).replace(b"null", b"[" * 100_000), id="deep block"),
    pytest.param(b'{"type":"error","error":{"type":"api_error","message":"SECRET"}}', id="error object"),
    pytest.param(b'{"id":"x","object":"chat.completion","model":"m","choices":[]}', id="chat completion"),
    pytest.param(edited(id=...), id="no id"),
    pytest.param(edited(id=5), id="id of no text"),
    pytest.param(edited(model=...), id="no model"),
    pytest.param(edited(model=None), id="model null"),
    pytest.param(edited(content=...), id="no content"),
    pytest.param(edited(content=None), id="content null"),
    pytest.param(edited(content="SECRET"), id="content of text"),
    pytest.param(edited(content=["SECRET"]), id="block of text"),
    pytest.param(edited(stop_reason=5), id="stop reason of no text"),
    pytest.param(edited(stop_sequence=["x"]), id="stop sequence of no text"),
    pytest.param(edited(stop_details="SECRET"), id="stop details of text"),
    pytest.param(edited(usage=5), id="usage of no object"),
    pytest.param(with_block(text="x"), id="block without type"),
    pytest.param(with_block(type=5), id="block type of no text"),
    pytest.param(with_block(type="text"), id="text block without text"),
    pytest.param(with_block(type="text", text=None), id="text null"),
    pytest.param(with_block(type="tool_use", id="t", input={}), id="call without name"),
    pytest.param(with_block(type="tool_use", name="f", input={}), id="call without id"),
    *[pytest.param(with_block(type="tool_use", id="t", name="f", input=x), id=f"input {x!r}") for x in NO_OBJECTS],
    pytest.param(WHOLE.replace(b"SECRET", b"\xff"), id="bad UTF-8 in text"),
    pytest.param(edited(new="?").replace(b"?", b"\xff"), id="bad UTF-8 in an unknown field"),
    pytest.param(
        with_block(type="tool_use", id="t", name="f", input={"a": "?"}).replace(b"?", b"\xff"), id="bad UTF-8 in input"
    ),
    pytest.param(edited(usage={"x": "?"}).replace(b"?", b"\xff"), id="bad UTF-8 in usage"),
    pytest.param(WHOLE.replace(b"SECRET", b"\\ud800"), id="lone surrogate"),
]
SENTENCE = "The messages service sent a reply that is not a message."


@pytest.mark.parametrize("body", NO_MESSAGE)
def test_what_is_no_message_is_refused_and_not_quoted(body: bytes) -> None:
    for reply in (translation(CHAT).reply, translation(STREAMED).stream().replay, translation(AS_JSON).reply):
        with pytest.raises(InvalidReply) as raised:
            reply(body)
        assert (raised.value.status, raised.value.message) == (502, SENTENCE)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
        assert b"SECRET" not in raised.value.body
        error = json.loads(raised.value.body)
        assert chat_error(error) == []
        assert error["error"] == {"message": SENTENCE, "type": "server_error", "param": None, "code": "invalid_reply"}


UNREADABLE_USAGE: list[Json] = [
    {"input_tokens": "SECRET"},
    {"input_tokens": 1.5},
    {"output_tokens": [1]},
    {"output_tokens": True},
    {"cache_read_input_tokens": {}},
    {"cache_creation_input_tokens": "1"},
    {"output_tokens_details": 5},
    {"output_tokens_details": {"thinking_tokens": "x"}},
]


@pytest.mark.parametrize("usage", UNREADABLE_USAGE, ids=json.dumps)
def test_usage_that_cannot_be_counted_is_an_error_where_it_is_told(usage: Json) -> None:
    with pytest.raises(InvalidReply, match=r"^The messages service sent a usage that cannot be read\.$"):
        translation(CHAT).reply(edited(usage=usage))
    ended = translation(WITH_USAGE).stream()
    chunks = ended.replay(edited(usage=usage))
    error = ended.error
    assert error is not None
    assert error.status == 502
    assert chunks.endswith(b"data: %b\n\n" % error.body)
    assert chat_sse(chunks, include_usage=True) == []
    ended = translation(STREAMED).stream()
    assert ended.replay(edited(usage=usage)).endswith(b"data: [DONE]\n\n")  # nobody asked for it
    assert ended.error is None


def test_large_counts_stay_exact() -> None:
    body = translation(CHAT).reply(edited(usage={"input_tokens": 10**30, "output_tokens": 2**64}))
    assert read_completion(body).usage == {
        "prompt_tokens": 10**30,
        "completion_tokens": 2**64,
        "total_tokens": 10**30 + 2**64,
    }


@pytest.mark.parametrize("at", range(0, len(WHOLE), 7))
def test_message_cut_anywhere_is_refused(at: int) -> None:
    with pytest.raises(InvalidReply):
        translation(CHAT).reply(WHOLE[:at])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        {"type": "thinking", "thinking": "a", "signature": "s"},
    ],
    ids=lambda block: block["type"],
)
def test_a_reply_has_a_bound_of_blocks(block: Any) -> None:
    of = translate(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')

    def reply(count: int, size: int = BLOCK_BYTES) -> bytes:
        body = json.dumps({"id": "msg_1", "model": "m", "content": [block] * count}).encode()
        return body.ljust(count * size)

    for count, size in ((FEW_BLOCKS, 0), (FEW_BLOCKS + 1, BLOCK_BYTES), (MAX_BLOCKS, BLOCK_BYTES)):
        of.reply(reply(count, size))
    with pytest.raises(InvalidReply, match="more than 1024 blocks with less than 256 bytes each"):
        of.reply(reply(FEW_BLOCKS + 1, size=0))
    with pytest.raises(InvalidReply, match="more than 16384 blocks"):
        of.reply(reply(MAX_BLOCKS + 1))
    with pytest.raises(InvalidReply, match="more than 16384 blocks"):
        of.stream().replay(reply(MAX_BLOCKS + 1))


@pytest.mark.parametrize("event", ["message_start", "message_delta"])
def test_a_usage_has_a_bound_of_fields(event: str) -> None:
    of = translate(
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true},'
        b'"messages":[{"role":"user","content":"hi"}]}'
    )
    start: Json = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
    delta: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}

    def read(count: int) -> bytes:
        usage = {f"u{number}": number for number in range(count)}
        own_start = {**start, "message": {**start["message"], "usage": usage if event == "message_start" else {}}}
        own_delta = {**delta, "usage": usage if event == "message_delta" else {}}
        stream = of.stream()
        events = [own_start, own_delta, {"type": "message_stop"}]
        return b"".join(stream.feed(f"data: {json.dumps(each)}\n\n".encode()) for each in events) + stream.close()

    assert b'"u999":999' in read(MAX_USAGE_FIELDS)
    for count in (MAX_USAGE_FIELDS + 1, 2 * MAX_USAGE_FIELDS + 1):
        assert b"a usage of more than 1000 fields" in read(count)
    with pytest.raises(InvalidReply, match="a usage of more than 1000 fields"):
        of.reply(edited(usage={f"u{number}": 1 for number in range(MAX_USAGE_FIELDS + 1)}))
