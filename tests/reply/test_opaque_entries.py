"""What has an entry in `reasoning_details`, and what a block of a stream is once its deltas are put together."""

import json
from typing import Any

import pytest
from msgspec import Raw

from chatcompat import ChatCompatMiddleware
from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.raw_blocks import GrowingBlock
from tests.asgi.driver import call, chat
from tests.asgi.test_pause_turn import TOOLS, Pausing, events, part, text
from tests.reply.test_opaque_blocks import events_of, native, sent_back
from tests.strategies.client import read_stream, read_whole, stream
from tests.strategies.replies import PLAIN, dumps, frames


def message_of(blocks: list[Any], *, streamed: bool) -> Any:
    if streamed:
        return read_stream(stream([frames(events_of(blocks))], PLAIN))["message"]
    return read_whole(PLAIN.reply(dumps(native(blocks)).encode()))["message"]


# ---------------------------------------------------------------- what has an entry


@pytest.mark.parametrize("streamed", [False, True])
def test_empty_redacted_thinking_has_no_entry(streamed: bool) -> None:
    said = {"type": "text", "text": "so"}
    message = message_of([{"type": "redacted_thinking", "data": ""}, said], streamed=streamed)
    assert message["content"] == "so"
    assert "reasoning_details" not in message
    signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    message = message_of([{"type": "redacted_thinking", "data": ""}, signed, said], streamed=streamed)
    assert [entry["type"] for entry in message["reasoning_details"]] == ["reasoning.text"]
    assert sent_back(message)[0] == [signed, said]


DIRECT = ['"caller":{"type":"direct"}', '"caller" : {\n\t"type" :\r "direct" }', '"caller":null', '"toolset_name":null']
BROWSER = '"toolset_name":"browser"'
CODE = '"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}'


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fields", "data"),
    [
        *((fields, None) for fields in DIRECT),
        *((f"{fields},{BROWSER}", f"{{{BROWSER}}}") for fields in DIRECT[:3]),
        (CODE, f"{{{CODE}}}"),
        (f"{CODE},{BROWSER}", f"{{{CODE},{BROWSER}}}"),
    ],
)
def test_fields_of_a_call_have_an_entry_unless_they_are_defaults(fields: str, data: str | None, streamed: bool) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "mark": 0}
    if streamed:
        raw = frames(events_of([block])).replace(b'"mark":0', " ".join(fields.splitlines()).encode())
        message = read_stream(stream([raw], PLAIN))["message"]
    else:
        raw = dumps(native([block])).encode().replace(b'"mark":0', fields.encode())
        message = read_whole(PLAIN.reply(raw))["message"]
    assert fields.partition(":")[0].encode() in raw
    assert [entry["data"] for entry in message.get("reasoning_details", ())] == ([] if data is None else [data])
    (sent,) = sent_back(message)[0]
    assert sent == {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, **json.loads(data or "{}")}


# ---------------------------------------------------------------- blocks of a stream

CITATION = b'{"type":"char_location",  "cited_text":"\\u2028"}'


def test_a_block_without_deltas_stays_byte_for_byte() -> None:
    raw = b'{"type" : "hologram","depth":[1.0, 1e2]}'
    assert bytes(GrowingBlock(Raw(raw)).built()) == raw


@pytest.mark.parametrize(
    ("before", "citations"),
    [
        (b"", CITATION),
        (b',"citations":null', CITATION),
        (b',"citations":[]', CITATION),
        (b',"citations":[{"n": 1.50}]', b'{"n": 1.50},' + CITATION),
    ],
)
def test_citations_follow_those_of_the_start(before: bytes, citations: bytes) -> None:
    block = GrowingBlock(Raw(b'{"type":"text","text":"a"%b}' % before))
    block.add_citation(Raw(CITATION))
    block.add_text("text", "b")
    assert bytes(block.built()) == b'{"type":"text","text":"ab","citations":[%b]}' % citations


@pytest.mark.parametrize("citations", [b'"x"', b"7", b"{}"])
def test_citations_that_are_no_list_make_a_block_invalid(citations: bytes) -> None:
    block = GrowingBlock(Raw(b'{"type":"text","citations":%b}' % citations))
    block.add_citation(Raw(CITATION))
    with pytest.raises(DECODE_ERRORS):
        block.built()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("encrypted", "expected"),
    [(None, {}), ("ZW5j", {"encrypted_content": "ZW5j"})],
    ids=["plain", "encrypted"],
)
async def test_a_compaction_goes_back_when_a_turn_is_resumed(encrypted: str | None, expected: Any) -> None:
    cited = text("x", citations=[json.loads(CITATION)])
    paused, last = events(part(1, [{"type": "compaction", "content": None}, cited])), part(2, [text("y")], "end_turn")
    delta = {"type": "compaction_delta", "content": "short", "encrypted_content": encrypted}
    (start,) = [index for index, event in enumerate(paused) if event.get("index") == 0 and "content_block" in event]
    paused.insert(start + 1, {"type": "content_block_delta", "index": 0, "delta": delta})

    async def stream_paused(send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": frames(paused)})

    inner = Pausing([stream_paused, last], stream=True)
    reply = await call(ChatCompatMiddleware(inner), chat(tools=TOOLS, stream=True))
    compaction = {"type": "compaction", "content": "short", **expected}
    assert inner.bodies[1]["messages"][-1] == {"role": "assistant", "content": [compaction, cited]}
    message = read_stream(reply.body)["message"]
    assert message["content"] == "xy"
    assert sent_back(message)[0] == [compaction, cited, text("y")]
