"""Blocks of server tools, and reasoning of other vendors, in the history that a client sends."""

from typing import Any

import pytest
from msgspec.json import encode

from chatcompat.simulator.blocks import Message
from chatcompat.simulator.decode import decode_messages_request
from chatcompat.simulator.errors import Failure
from chatcompat.simulator.signature import sign
from chatcompat.simulator.turns import check_conversation

USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}, "caller": {"type": "direct"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
SAID = {"type": "text", "text": "so"}


def check(*blocks: Any, role: str = "assistant") -> None:
    turns: list[Any] = [{"role": "user", "content": "hi"}, {"role": role, "content": [*blocks]}]
    body = {"model": "claude-test", "max_tokens": 9, "messages": [*turns, {"role": "user", "content": "go on"}]}
    messages: list[Message] = decode_messages_request(encode(body)).messages
    check_conversation(messages, latest=True, system_role=False)


def test_a_call_of_a_server_tool_with_its_result_is_taken() -> None:
    check({"type": "thinking", "thinking": "a", "signature": sign("a")}, USE, FOUND, SAID)
    check({"type": "container_upload", "file_id": "file_1"}, SAID)


@pytest.mark.parametrize(
    ("blocks", "role", "why"),
    [
        ([USE, SAID], "assistant", "was found without its result"),
        ([FOUND, USE, SAID], "assistant", "unexpected `tool_use_id`"),
        ([USE, FOUND, FOUND, SAID], "assistant", "unexpected `tool_use_id`"),
        ([{**USE, "id": "toolu_1"}, SAID], "assistant", "should match pattern"),
        ([USE, FOUND], "user", "can only be in `assistant` messages"),
        ([FOUND], "user", "can only be in `assistant` messages"),
        ([{"type": "thinking", "thinking": "a", "signature": "c2ln"}], "assistant", "Invalid `signature`"),
        ([{"type": "redacted_thinking", "data": "gAAAAABo"}], "assistant", "Invalid `data`"),
        ([{"type": "redacted_thinking", "data": "{}"}], "assistant", "Invalid `data`"),
    ],
)
def test_a_broken_order_or_a_foreign_block_is_refused(blocks: list[Any], role: str, why: str) -> None:
    with pytest.raises(Failure) as refused:
        check(*blocks, role=role)
    assert why in refused.value.message
