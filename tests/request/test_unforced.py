"""Combinations: unsupported forced calls, breakpoints on marked text, JSON output after earlier calls."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, Translation, translate
from tests.vendor import check_messages_request

HI: Any = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
UNFORCED = Dialect(forced_tools=False)


def ask(dialect: Dialect, **fields: Any) -> tuple[Any, Translation]:
    body = {"model": "m", "max_tokens": 9, "messages": [HI], **fields}
    translation = translate(json.dumps(body).encode(), dialect=dialect)
    sent = json.loads(translation.body)
    assert check_messages_request(sent) == []
    return sent, translation


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_an_unsupported_forced_call_becomes_auto_and_is_reported(choice: Any) -> None:
    sent, translation = ask(UNFORCED, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert translation.ignored == ("tool_choice",)


def test_a_forced_legacy_call_likewise() -> None:
    sent, translation = ask(UNFORCED, functions=[{"name": "f"}], function_call={"name": "f"})
    assert sent["tool_choice"]["type"] == "auto"
    assert translation.ignored == ("function_call",)


def test_an_unsupported_forced_call_beside_json_offers_both() -> None:
    """The same tools and instructions as in a request that forces nothing."""
    wanted = {"type": "json_object"}
    sent, translation = ask(UNFORCED, tools=[TOOL], tool_choice="required", response_format=wanted)
    unforced, _ = ask(UNFORCED, tools=[TOOL], response_format=wanted)
    assert [tool["name"] for tool in sent["tools"]] == ["f", "respond_with_json"]
    assert (sent["tools"], sent["system"]) == (unforced["tools"], unforced["system"])
    assert sent["tool_choice"] == {"type": "auto"}
    assert translation.ignored == ("tool_choice", "response_format")


def test_breakpoints_on_marked_text_count_too() -> None:
    def cached(role: str) -> Any:
        return {"role": role, "content": role, "cache_control": {"type": "ephemeral"}}

    sent, translation = ask(Dialect(), messages=[HI, cached("assistant"), *[cached("system")] * 4, HI])
    marked = [block for block in sent["messages"][2]["content"] if "cache_control" in block]
    assert [block["text"] for block in marked] == ["<system>\nsystem\n</system>"] * 4
    assert translation.ignored == ("cache_control",)


def test_a_call_of_the_json_tools_name_in_the_history_is_declared_once() -> None:
    call = {"id": "c", "function": {"name": "respond_with_json", "arguments": "{}"}}
    messages = [HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "r"}]
    sent, _ = ask(Dialect(), messages=messages, response_format={"type": "json_object"})
    assert [tool["name"] for tool in sent["tools"]] == ["respond_with_json"]
