"""What is noted of a streamed reply, so that its thinking can be kept: exact, in bounded space, and once."""

import json
from typing import Any

import pytest

from chatcompat import translate
from chatcompat.reply.chunk_writer import ChunkWriter
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import BATCH, MAX_SAID_BYTES, TextDigest, digest_of
from chatcompat.reply.turn_keys import Turn, lost_turns, to_key
from chatcompat.request import decode_chat_request
from chatcompat.wire.reasoning import to_entry_id
from tests.asgi.driver import HELLO, chat

TRANSLATION = translate(chat())


def frame(event: dict[str, Any], **form: Any) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, **form)}\n\n".encode()


PLAIN: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}  # what the short way reads
FORMS: list[dict[str, Any]] = [PLAIN, {}]


def said(text: str, index: int = 1) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def block(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        {"type": "content_block_stop", "index": index},
    ]


THOUGHT = block(0, {"type": "thinking", "thinking": "hm", "signature": "s"})
TEXT = block(1, {"type": "text", "text": ""})
CALL = block(2, {"type": "tool_use", "id": "x", "name": "f", "input": {}})


def begun() -> ChunkStream:
    """A stream that has thought, and whose text is open."""
    stream = TRANSLATION.stream()
    for event in [HELLO[0], *THOUGHT, TEXT[0]]:
        stream.feed(frame(event))
    return stream


@pytest.mark.parametrize("run", [1, 7])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "piece", ["word ", "w\u00f6rd\U0001f600", 'a\n\t"\\b', "\u2028\x7f\x01", "x" * (BATCH + 1), "\u20ac" * BATCH]
)
def test_the_text_is_noted_exactly(piece: str, form: dict[str, Any], run: int) -> None:
    """Pieces of every form, alone and in runs, beyond one batch."""
    stream = begun()
    piece *= 100 // len(piece) + 1
    texts = [piece] * (BATCH // len(piece) + 7)
    frames = [frame(said(text), **form) for text in texts]
    for at in range(0, len(frames), run):
        stream.feed(b"".join(frames[at : at + run]))
    for event in [TEXT[1], *CALL, *HELLO[-2:]]:
        stream.feed(frame(event))
    turn = stream.summary.thinking
    assert turn is not None
    assert turn.text == digest_of("".join(texts))
    assert [(detail.type, detail.id) for detail in turn.details] == [
        ("reasoning.text", to_entry_id(turn.details[0], [], [("t", len("".join(texts))), ("c", 1)]))
    ]


@pytest.mark.parametrize("form", FORMS)
def test_text_without_end_takes_no_space(form: dict[str, Any]) -> None:
    stream = begun()
    for _ in range(BATCH // 50):
        stream.feed(frame(said("x" * 100), **form))
        assert len(stream._writer.content.unread) <= BATCH


def writer() -> ChunkWriter:
    """The writer of a stream that has begun."""
    written = ChunkWriter(TRANSLATION.context)
    written.begin(ReplySummary("chatcmpl_1", "m"))
    return written


@pytest.mark.parametrize("piece", ["", "x" * 100])
def test_calls_without_end_take_no_space(piece: str) -> None:
    of = writer()
    for index in range(MAX_SAID_BYTES // 50):
        of.call(index, "c", "f")(piece)
        of.out.clear()
    assert not of.calls._calls
    assert len(of.calls.unread) <= BATCH
    assert of.said_calls() == []


@pytest.mark.parametrize("piece", ["x", "x" * 100, "x" * (BATCH + 1)])
def test_arguments_without_end_take_no_space(piece: str) -> None:
    of = writer()
    first, second = of.call(0, "c", "f"), of.call(1, "d", "g")
    kept = of.calls._calls[:]
    for number in range(2 * MAX_SAID_BYTES // len(piece)):
        (second if number % 100 == 99 else first)(piece)
        of.out.clear()
        assert len(of.calls.unread) <= BATCH
    assert of.said_calls() == []
    assert all(call.arguments == [] for call in kept)


@pytest.mark.parametrize("count", [1, BATCH // 3 - 1, BATCH // 3, BATCH // 3 + 1, 9000])
def test_each_call_has_all_pieces_of_its_own(count: int) -> None:
    of = writer()
    first, second = of.call(0, "c", "f"), of.custom_call(1, "d", "g")
    for number in range(count):
        first("x\n")
        if number % 7 == 3:
            second('"')
    assert of.said_calls() == [("function", "f", "x\n" * count), ("custom", "g", '"' * ((count + 3) // 7))]


@pytest.mark.parametrize("arguments", ['{"a": ', "[" * 9_999, '{"a": 1} 2', '{"a": ' + "9" * 5_000 + "}", "\u00e9"])
def test_arguments_that_are_no_json_are_compared_as_they_are(arguments: str) -> None:
    """As those that a limit cut off."""
    stream = begun()
    delta = {"type": "input_json_delta", "partial_json": arguments}
    for event in [CALL[0], {"type": "content_block_delta", "index": 2, "delta": delta}, *HELLO[-2:]]:
        stream.feed(frame(event))
    turn = stream.summary.thinking
    assert turn is not None
    keys = [to_key(b"", b"", Turn(digest_of(""), [("function", "f", said)], [])) for said in (arguments, arguments[1:])]
    assert to_key(b"", b"", turn) == keys[0] != keys[1]


def test_no_text_has_the_digest_of_an_empty_one() -> None:
    assert TextDigest().digest == digest_of("")
    assert TextDigest().length == 0


def test_what_many_turns_answer_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[int] = []

    def count(messages: Any) -> bytes:
        digested.append(len([*messages]))
        return b""

    monkeypatch.setattr("chatcompat.reply.turn_keys.digest_of_run", count)
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    question = {"role": "user", "content": "hi"}
    turn = {"role": "assistant", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "c", "content": "r"}
    body = chat(messages=[question, question, *[turn] * 50, *[answer] * 50, *[turn] * 50, answer])
    assert len(lost_turns(decode_chat_request(body).chat.messages)) == 100
    assert digested == [50, 2]
