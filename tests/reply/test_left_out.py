"""A whole reply without `stop_reason` or `usage` is read as a stream without them is."""

import json
from typing import Any

import pytest

from chatcompat import translate
from tests.asgi.driver import CHAT, frame

TEXT = {"type": "text", "text": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
USED = {"input_tokens": 3, "output_tokens": 5}
TOOL = {"type": "function", "function": {"name": "f"}}


def translation(**fields: Any) -> Any:
    chat = CHAT | {"tools": [TOOL], "stream": True, "stream_options": {"include_usage": True}} | fields
    return translate(json.dumps(chat).encode(), created=1)


def whole(block: dict[str, Any], fields: dict[str, Any]) -> tuple[Any, Any]:
    completion = json.loads(translation().reply(json.dumps(HEAD | {"content": [block]} | fields).encode()))
    return completion["choices"][0]["finish_reason"], completion.get("usage")


def streamed(block: dict[str, Any], fields: dict[str, Any], *, has_delta: bool) -> tuple[Any, Any]:
    end = {"type": "message_delta", "delta": {key: fields[key] for key in ("stop_reason",) if key in fields}}
    usage = {key: fields[key] for key in ("usage",) if key in fields}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": HEAD | {"content": []} | usage},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        *([end | usage] if has_delta else []),
        {"type": "message_stop"},
    ]
    chunks = translation().stream()
    lines = (chunks.feed(b"".join([frame(event) for event in events])) + chunks.close()).decode().split("\n\n")
    read = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert lines[-2] == "data: [DONE]"
    assert "error" not in read[-1]
    finish = [choice["finish_reason"] for chunk in read for choice in chunk["choices"] if choice["finish_reason"]]
    return finish[0], read[-1]["usage"]


@pytest.mark.parametrize("block", [TEXT, CALL], ids=["text", "call"])
@pytest.mark.parametrize("stop", [{}, {"stop_reason": None}, {"stop_reason": "end_turn"}], ids=str)
@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": {}}, {"usage": USED}], ids=str)
def test_what_a_reply_leaves_out_means_the_same_whole_and_streamed(
    block: dict[str, Any], stop: dict[str, Any], usage: dict[str, Any]
) -> None:
    fields = stop | usage
    finish, counted = whole(block, fields)
    assert finish == ("tool_calls" if block is CALL else "stop")
    assert counted["completion_tokens"] == (5 if usage.get("usage") else 0)
    for has_delta in (True, False) if not stop else (True,):
        assert streamed(block, fields, has_delta=has_delta) == (finish, counted)
