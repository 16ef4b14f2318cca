"""What the native API refuses together: one of both is sent, and the other is reported."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, translate
from chatcompat.dialect import NATIVE_2026

HI = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = [HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
TOOL = {"type": "function", "function": {"name": "f"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
AS_JSON = {"response_format": {"type": "json_object"}}


def sent(messages: list[Any], dialect: Dialect | None = None, **fields: Any) -> tuple[Any, list[str]]:
    body = json.dumps({"model": "m", "messages": messages, "max_tokens": 8000, **fields}).encode()
    translation = translate(body, dialect=dialect or Dialect())
    return json.loads(translation.body), [*translation.ignored]


@pytest.mark.parametrize(
    "asked",
    [
        {"reasoning_effort": "low"},
        {"reasoning": {"max_tokens": 2000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ],
    ids=lambda asked: next(iter(asked)),
)
@pytest.mark.parametrize(
    "messages",
    [
        [HI, {"role": "assistant", "content": "Well"}],
        [*CALLED, {"role": "tool", "tool_call_id": "c1", "content": "ok"}],
        [*CALLED, {"role": "tool", "tool_call_id": "c1", "content": "ok"}, {"role": "system", "content": "Be brief."}],
    ],
    ids=["prefill", "results", "results and an instruction"],
)
def test_thinking_is_not_asked_for_where_the_turn_lacks_its_own(messages: list[Any], asked: dict[str, Any]) -> None:
    dialect = Dialect(system_messages=True, native_keys=frozenset({"thinking"}))
    request, ignored = sent(messages, dialect, tools=[TOOL], **asked)
    assert "thinking" not in request
    assert ignored
    assert "thinking" in sent([HI], dialect, **asked)[0]


@pytest.mark.parametrize("content", [[IMAGE], [{"type": "text", "text": "no"}, IMAGE]])
def test_a_failed_result_keeps_its_image(content: list[Any]) -> None:
    result = {"role": "tool", "tool_call_id": "c1", "content": content, "is_error": True}
    request, ignored = sent([*CALLED, result], tools=[TOOL])
    found = request["messages"][-1]["content"][0]
    assert found["content"][-1]["type"] == "image"
    assert "is_error" not in found
    assert ignored == ["messages[].is_error"]


@pytest.mark.parametrize("content", ["no", "", [{"type": "text", "text": "no"}], None])
def test_a_failed_result_of_text_is_told_as_one(content: Any) -> None:
    result = {"role": "tool", "tool_call_id": "c1", "content": content, "is_error": True}
    request, ignored = sent([*CALLED, result], tools=[TOOL])
    assert request["messages"][-1]["content"][0]["is_error"] is True
    assert ignored == []


@pytest.mark.parametrize(
    ("fields", "choice", "reported"),
    [
        ({"functions": [{"name": "f"}], "tool_choice": "none"}, {"type": "none"}, []),
        ({"functions": [{"name": "f"}], "tool_choice": "required"}, ("any", True), []),
        ({"functions": [{"name": "f"}]}, ("auto", True), []),
        ({"functions": [{"name": "f"}], "function_call": {"name": "f"}, "tool_choice": TOOL}, ("tool", True), []),
        (
            {"functions": [{"name": "f"}], "function_call": "none", "tool_choice": "auto"},
            {"type": "none"},
            ["tool_choice"],
        ),
        ({"tools": [TOOL], "tool_choice": "required", "function_call": "auto"}, {"type": "any"}, ["function_call"]),
        ({"tools": [TOOL], "tool_choice": "auto", "function_call": "auto"}, {"type": "auto"}, []),
        ({"tools": [TOOL], "function_call": "none"}, {"type": "none"}, []),
        ({"tools": [TOOL], "functions": [], "tool_choice": "required"}, {"type": "any"}, []),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_of_two_choices_one_is_sent(fields: dict[str, Any], choice: Any, reported: list[str]) -> None:
    request, ignored = sent([HI], **fields)
    found = request["tool_choice"]
    if isinstance(choice, tuple):
        assert (found["type"], found["disable_parallel_tool_use"]) == choice
    else:
        assert found == choice
    assert ignored == reported


def test_tools_beside_an_empty_list_of_functions_get_calls_of_tools() -> None:
    body = json.dumps({"model": "m", "messages": [HI], "tools": [TOOL], "functions": []}).encode()
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    reply = {"id": "a", "model": "m", "content": [call], "stop_reason": "tool_use", "usage": {}}
    message = json.loads(translate(body).reply(json.dumps(reply).encode()))["choices"][0]["message"]
    assert "tool_calls" in message


def test_json_that_cannot_be_forced_reports_a_choice_that_it_breaks() -> None:
    request, ignored = sent([HI], NATIVE_2026, tools=[TOOL], tool_choice="none", **AS_JSON)
    assert request["tool_choice"]["type"] == "auto"
    assert "tool_choice" in ignored
    request, ignored = sent([HI], NATIVE_2026, tools=[TOOL], parallel_tool_calls=False, **AS_JSON)
    assert request["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("own", "told", "reported"),
    [(None, "D", []), ("D", "D", []), ("own", "own", ["response_format.json_schema.description"])],
)
def test_a_native_format_keeps_its_description(own: str | None, told: str, reported: list[str]) -> None:
    schema = SCHEMA if own is None else {**SCHEMA, "description": own}
    asked = {"type": "json_schema", "json_schema": {"name": "n", "description": "D", "schema": schema}}
    request, ignored = sent([HI], NATIVE_2026, response_format=asked)
    assert request["output_config"]["format"]["schema"]["description"] == told
    assert ignored == reported


@pytest.mark.parametrize(
    ("schema", "moved"),
    [
        ({"type": "array", "items": {"$ref": "#node"}, "$defs": {"n": {"$anchor": "node"}}}, {"$ref": "#node"}),
        ({"type": "array", "items": {"$ref": "#"}}, {"$ref": "#/properties/value"}),
        ({"type": "array", "items": {"$dynamicRef": "#/$defs/n"}}, {"$dynamicRef": "#/properties/value/$defs/n"}),
        ({"type": "array", "items": {"$id": "u:x", "$ref": "#/a"}}, {"$id": "u:x", "$ref": "#/a"}),
        ({"type": "array", "items": {"$ref": "other.json"}}, {"$ref": "other.json"}),
    ],
)
def test_what_a_wrapped_schema_refers_to_stays_the_same(schema: dict[str, Any], moved: dict[str, Any]) -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    request, _ = sent([HI], response_format=asked)
    assert request["tools"][0]["input_schema"]["properties"]["value"]["items"] == moved


@pytest.mark.parametrize("blank", ["", "  "])
def test_of_instructions_alone_the_last_with_text_is_the_users(blank: str) -> None:
    said = [{"role": "system", "content": text} for text in ("A", "B", blank)]
    request, ignored = sent(said)
    assert [request["system"][0]["text"], request["messages"]] == ["A", [{"role": "user", "content": "B"}]]
    assert ignored == ["messages[].role"]


@pytest.mark.parametrize("field", ["tools", "functions"])
def test_a_mark_within_a_function_stands_on_its_tool(field: str) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    function = {"name": "f", "cache_control": mark}
    fields: dict[str, Any] = {field: [{"type": "function", "function": function}] if field == "tools" else [function]}
    request, ignored = sent([HI], **fields)
    assert (request["tools"][0]["cache_control"], ignored) == (mark, [])


def test_a_native_format_is_not_sent_beside_citations() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    parts: dict[str, dict[str, Any]] = {
        "document": {"type": "document", "source": source},
        "search_result": {
            "type": "search_result",
            "source": "u",
            "title": "t",
            "content": [{"type": "text", "text": "x"}],
        },
    }
    asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    for part in parts.values():
        for enabled in (True, False):
            cited = {"role": "user", "content": [{**part, "citations": {"enabled": enabled}}]}
            request, _ = sent([cited], Dialect(json_schema=True), response_format=asked)
            assert ("output_config" in request) is not enabled
            assert ("tools" in request) is enabled


@pytest.mark.parametrize(
    ("choice", "legacy", "reported"),
    [
        ({"type": "function", "name": "f"}, {"name": "f"}, []),
        ({"type": "auto"}, "auto", []),
        ({"type": "none"}, "auto", ["function_call"]),
    ],
)
def test_a_choice_that_repeats_another_is_no_loss(choice: Any, legacy: Any, reported: list[str]) -> None:
    assert sent([HI], tools=[TOOL], tool_choice=choice, function_call=legacy)[1] == reported


def test_of_two_marks_of_a_tool_the_outer_wins() -> None:
    inner = {"name": "f", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    tool = {"type": "function", "function": inner, "cache_control": {"type": "ephemeral"}}
    request, ignored = sent([HI], tools=[tool])
    assert request["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert ignored == ["tools[].function.cache_control"]
