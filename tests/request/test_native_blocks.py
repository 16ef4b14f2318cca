"""Native blocks in chat messages, as clients send them that mix the two shapes."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, translate
from chatcompat.dialect import LLAMA_CPP

HI: Any = {"role": "user", "content": "hi"}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
MARK = {"cache_control": {"type": "ephemeral"}}
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
TEXT = {"type": "text", "text": "x"}
PARTS: dict[str, Any] = {
    "image": {"type": "image", "source": PNG, **MARK},
    "image by URL": {"type": "image", "source": {"type": "url", "url": "https://x"}},
    "image by id": {"type": "image", "source": {"type": "file", "file_id": "f"}},
    "PDF": {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
    "document by URL": {"type": "document", "source": {"type": "url", "url": "https://x"}, "title": "t", **MARK},
    "document by id": {"type": "document", "source": {"type": "file", "file_id": "f"}, "context": "c"},
    "text document": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
    "document of blocks": {
        "type": "document",
        "source": {"type": "content", "content": [TEXT, {"type": "image", "source": PNG}]},
        "citations": {"enabled": True},
    },
    "document of text": {"type": "document", "source": {"type": "content", "content": "d"}},
    "search result": {"type": "search_result", "source": "s", "title": "t", "content": [TEXT], "citations": {}},
}


def ask(*messages: Any, dialect: Dialect = Dialect(), **fields: Any) -> Any:  # noqa: B008
    body = {"model": "m", "messages": [HI, *messages], "tools": TOOLS, **fields}
    translation = translate(json.dumps(body).encode(), dialect=dialect, created=1)
    return json.loads(translation.body)["messages"], translation.ignored


def assistant(*parts: Any, **fields: Any) -> Any:
    return {"role": "assistant", "content": [*parts], **fields}


def user(*parts: Any, **fields: Any) -> Any:
    return {"role": "user", "content": [*parts], **fields}


@pytest.mark.parametrize("name", PARTS)
def test_a_native_block_passes_in_a_message_and_a_result(name: str) -> None:
    part = PARTS[name]
    turns, ignored = ask(user(part, {**part, "zz": 1}))
    assert turns[0]["content"][1] == part
    assert ignored == ("messages[].content[].zz",)
    tool = {"role": "tool", "tool_call_id": "t1", "content": [part]}
    unmarked = {key: value for key, value in part.items() if key != "cache_control"}
    for answer in (user({**RESULT, "content": [part]}), tool):
        result = ask(assistant(USE), answer)[0][2]["content"][0]
        assert (result["content"], result.get("cache_control")) == ([unmarked], part.get("cache_control"))


def test_calls_and_results_in_native_blocks_are_paired() -> None:
    second = {**USE, "id": "t2", "input": {}}
    calls = assistant(TEXT, THINKING, USE, {"type": "text", "text": "y"}, {**second, **MARK})
    failed = {**RESULT, "tool_use_id": "t2", "is_error": True, **MARK}
    turns, ignored = ask(calls, user({"type": "text", "text": "so"}, failed, RESULT))
    assert turns[1]["content"] == calls["content"]
    assert turns[2]["content"] == [RESULT, failed, {"type": "text", "text": "so"}]
    assert ignored == ()


def test_the_caller_and_the_toolset_of_a_native_call_pass() -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    call, result = {**USE, "caller": caller, "toolset_name": "s"}, {**RESULT, "toolset_name": "s"}
    turns, ignored = ask(assistant(call), user(result))
    assert (turns[1]["content"], turns[2]["content"], ignored) == ([call], [result], ())
    direct = {**USE, "caller": {"type": "direct"}, "toolset_name": None}
    assert ask(assistant(direct), user(RESULT))[0][1]["content"] == [{**USE, "caller": {"type": "direct"}}]


def test_the_toolset_of_a_result_that_its_call_lacks_is_reported() -> None:
    turns, ignored = ask(assistant(USE), user({**RESULT, "toolset_name": "s"}))
    assert (turns[2]["content"], ignored) == ([RESULT], ("messages[].content[].toolset_name",))


def test_native_calls_pair_with_tool_messages_and_the_reverse() -> None:
    chat_call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    tool = {"role": "tool", "tool_call_id": "t1", "content": "r"}
    wanted = ask(assistant(USE), user(RESULT))
    assert ask(assistant(USE), tool) == wanted
    assert ask({"role": "assistant", "tool_calls": [chat_call]}, user(RESULT)) == wanted
    assert ask(assistant(USE, tool_calls=[chat_call]), tool) == wanted
    other = {**chat_call, "id": "t2"}
    turns, _ = ask(assistant(USE, tool_calls=[other]), tool, {**tool, "tool_call_id": "t2"})
    assert [block["id"] for block in turns[1]["content"]] == ["t1", "t2"]
    legacy = assistant(USE, function_call={"name": "g", "arguments": "{}"})
    turns, _ = ask(legacy, tool, {"role": "function", "name": "g", "content": "r"})
    assert len(turns[2]["content"]) == 2


@pytest.mark.parametrize(
    ("given", "sent", "ignored"),
    [
        (None, {}, ()),
        ('{"a": 1}', {"a": 1}, ()),
        ("", {}, ()),
        ('{"a', {}, ("messages[].content[].input",)),
    ],
)
def test_an_input_may_be_missing_or_a_string_of_json(given: Any, sent: Any, ignored: Any) -> None:
    turns, reported = ask(assistant({**USE, "input": given}), user(RESULT))
    assert (turns[1]["content"][0]["input"], reported) == (sent, ignored)
    absent = {name: value for name, value in USE.items() if name != "input"}
    assert ask(assistant(absent), user(RESULT))[0][1]["content"][0]["input"] == {}


def test_thinking_that_cannot_go_back_is_reported() -> None:
    unsigned = {"type": "thinking", "thinking": "hm"}
    redacted = {"type": "redacted_thinking", "data": "d"}
    report = ("messages[].content[].thinking",)
    assert ask(assistant(unsigned, TEXT), HI) == ([HI, {"role": "assistant", "content": "x"}, HI], report)
    assert ask(assistant(THINKING, TEXT), HI, dialect=LLAMA_CPP)[1] == report
    assert ask(assistant(redacted, {"type": "refusal", "refusal": "no"}, TEXT), HI)[0][1]["content"][0] == redacted
    assert ask(assistant(unsigned), HI)[0] == [{"role": "user", "content": [{"type": "text", "text": "hi"}] * 2}]


def test_reasoning_details_place_native_calls() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    turns, _ = ask(assistant(TEXT, USE, reasoning_details=details), user(RESULT), reasoning_effort="low")
    assert turns[1]["content"][0] == THINKING


def test_a_mark_on_a_message_of_results_stands_on_the_last() -> None:
    turns, _ = ask(assistant(USE), user(RESULT, **MARK))
    assert turns[2]["content"] == [{**RESULT, **MARK}]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([user(RESULT)], "messages[1].content[0].tool_use_id"),
        ([assistant(USE), HI], "messages[1].content[0]"),
        ([assistant({**USE, "input": []}), user(RESULT)], "messages[1].content[0].input"),
        ([assistant({"type": "tool_use"})], "messages[1].content[0].id"),
        ([user(RESULT, {"type": "image", "source": {"type": "url", "url": "file:///x"}})], None),
        ([user({"type": "image", "source": {"type": "url", "url": "file:///x"}})], "messages[1].content[0].source.url"),
        ([user({"type": "image", "source": {**PNG, "data": ""}})], "messages[1].content[0].source.data"),
        ([user({"type": "image", "source": {**PNG, "media_type": "application/pdf"}})], "messages[1].content[0]"),
        ([user({"type": "document", "source": PNG})], "messages[1].content[0]"),
        ([user(THINKING)], "messages[1].content[0]"),
        ([{"role": "tool", "tool_call_id": "t1", "content": [RESULT]}], "messages[1].content[0]"),
    ],
)
def test_an_error_names_the_block(messages: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(*messages)
    assert raised.value.param == (param or "messages[1].content[0].tool_use_id")


def test_blank_text_within_a_document_is_left_out() -> None:
    blank = {"type": "text", "text": " "}
    part = {"type": "document", "source": {"type": "content", "content": [blank, TEXT]}}
    assert ask(user(part))[0][0]["content"][1]["source"]["content"] == [TEXT]
