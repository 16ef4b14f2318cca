"""Tools of every kind and `tool_choice`, on the bytes that the inner app receives."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from tests.vendor import check_messages_request

HI = [{"role": "user", "content": "hi"}]
FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "shell", "description": "Runs a command."}}
SEARCH = {"type": "web_search_20260318", "name": "web_search", "max_uses": 2}
FREE_TEXT = (
    '"input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],'
    '"additionalProperties":false}'
)


def ask(**fields: Any) -> Translation:
    body = {"model": "m", "max_tokens": 9, "messages": HI, **fields}
    translation = translate(json.dumps(body).encode(), created=1)
    assert check_messages_request(json.loads(translation.body)) == []
    return translation


def sent(**fields: Any) -> Any:
    return json.loads(ask(**fields).body)


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        ask(**fields)
    return raised.value


# ---------------------------------------------------------------- custom tools


def test_a_custom_tool_is_a_tool_of_one_string() -> None:
    body = ask(tools=[CUSTOM]).body.decode()
    assert f'"tools":[{{"name":"shell",{FREE_TEXT},"description":"Runs a command."}}]' in body


def test_a_grammar_is_told_to_the_model_and_reported() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
    translation = ask(tools=[{"type": "custom", "custom": {"name": "x", "format": grammar}}])
    assert "start: WORD" in json.loads(translation.body)["tools"][0]["description"]
    assert translation.ignored == ("tools[].custom.format",)


def test_a_text_format_is_what_a_custom_tool_has_anyway() -> None:
    translation = ask(tools=[{"type": "custom", "custom": {"name": "x", "format": {"type": "text"}}}])
    assert translation.ignored == ()
    assert "description" not in json.loads(translation.body)["tools"][0]


def test_custom_calls_in_the_history_keep_their_text() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": 'ls "a\nb"'}}
    messages = [
        *HI,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ]
    turn = sent(tools=[CUSTOM], messages=messages)["messages"][1]
    assert turn["content"] == [{"type": "tool_use", "id": "c1", "name": "shell", "input": {"input": 'ls "a\nb"'}}]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ({"id": "c1", "type": "custom"}, "custom"),
        ({"id": "c1", "type": "function"}, "function"),
        ({"id": "c1"}, "function"),
    ],
)
def test_a_call_without_its_part_is_refused(call: Any, place: str) -> None:
    error = refusal(messages=[*HI, {"role": "assistant", "tool_calls": [call]}])
    assert error.param == f"messages[1].tool_calls[0].{place}"


# ---------------------------------------------------------------- native tools


def test_tools_in_the_native_shape_pass_as_they_came() -> None:
    plain = '{"name":"n","input_schema":{"type":"object","maximum":1e2}}'
    body = (
        '{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": ['
        + plain
        + ", "
        + json.dumps(FUNCTION)
        + ', {"type": "bash_20250124", "name": "bash"}]}'
    )
    translation = translate(body.encode())
    tools = translation.body.decode().partition('"tools":[')[2]
    assert tools.startswith(plain + ',{"name":"f"')
    assert tools.endswith(',{"type":"bash_20250124","name":"bash"}]}')
    assert translation.ignored == ()


def test_a_native_tool_beside_an_unknown_field() -> None:
    translation = ask(tools=[SEARCH, {**FUNCTION, "odd": 1}], odd=2)
    assert set(translation.ignored) == {"odd", "tools[].odd"}
    assert [tool["name"] for tool in json.loads(translation.body)["tools"]] == ["web_search", "f"]


def test_a_native_tool_can_be_chosen_by_name() -> None:
    choice = {"type": "function", "function": {"name": "web_search"}}
    assert sent(tools=[SEARCH], tool_choice=choice)["tool_choice"] == {"type": "tool", "name": "web_search"}


def test_a_toolset_needs_no_name() -> None:
    toolset = {"type": "browser_toolset_20260801"}
    assert sent(tools=[toolset])["tools"] == [toolset]


@pytest.mark.parametrize(
    ("tools", "param", "code"),
    [
        ([None], "tools[0]", "invalid_type"),
        ([SEARCH, SEARCH], "tools[1]", "duplicate_tool"),
        ([FUNCTION, FUNCTION], "tools[1]", "duplicate_tool"),
        ([FUNCTION, {"type": "custom", "custom": {"name": "f"}}], "tools[1]", "duplicate_tool"),
        ([{"type": "function", "function": {"name": ""}}], "tools[0]", "invalid_value"),
        ([{**SEARCH, "name": 5}], "tools[0].name", "invalid_type"),
        ([{"type": "video"}], "tools[0]", "unsupported_value"),
        (["x"], "tools[0]", "invalid_type"),
        (5, "tools", "invalid_type"),
    ],
)
def test_what_is_no_tool_is_refused(tools: Any, param: str, code: str) -> None:
    error = refusal(tools=tools)
    assert (error.param, error.code) == (param, code)


def test_a_native_tool_is_bounded_in_depth() -> None:
    schema: Any = {}
    for _ in range(200):
        schema = {"items": schema}
    error = refusal(tools=[{"name": "n", "input_schema": schema}])
    assert (error.param, error.code) == ("tools[0]", "nested_too_deeply")


def test_breakpoints_in_native_tools_count_towards_the_four() -> None:
    mark = {"type": "ephemeral"}
    schema = {"type": "object"}
    native = [{"name": f"n{number}", "input_schema": schema, "cache_control": mark} for number in range(3)]
    parts = [{"type": "text", "text": "a", "cache_control": mark}] * 2
    translation = ask(tools=native, messages=[{"role": "user", "content": parts}])
    tools = json.loads(translation.body)["tools"]
    assert [("cache_control" in tool) for tool in tools] == [False, True, True]
    assert translation.body.count(b'"cache_control"') == 4
    assert translation.ignored == ("cache_control",)


def test_an_unknown_field_that_is_no_list_of_tools_is_named_by_the_decoder() -> None:
    assert refusal(tools={}, odd=1).param == "tools"


# ---------------------------------------------------------------- allowed tools


@pytest.mark.parametrize(("mode", "native"), [("auto", "auto"), ("required", "any")])
def test_allowed_tools_are_the_listed_ones_only(mode: str, native: str) -> None:
    listed = [FUNCTION, CUSTOM, {"type": "web_search_20260318", "name": "web_search"}]
    for entry in listed:
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [entry_of(entry)]}}
        body = sent(tools=[FUNCTION, CUSTOM, SEARCH], tool_choice=choice)
        assert [tool["name"] for tool in body["tools"]] == [name_of(entry)]
        assert body["tool_choice"] == {"type": native}


def entry_of(tool: Any) -> Any:
    if tool["type"] in ("function", "custom"):
        return {"type": tool["type"], tool["type"]: {"name": name_of(tool)}}
    return tool


def name_of(tool: Any) -> Any:
    return tool[tool["type"]]["name"] if tool["type"] in ("function", "custom") else tool["name"]


def test_an_allowed_tool_that_is_not_offered_is_refused() -> None:
    listed = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": listed}}
    error = refusal(tools=[FUNCTION], tool_choice=choice)
    assert (error.param, error.code) == ("tool_choice.allowed_tools.tools[1]", "unknown_tool")


def test_a_custom_tool_can_be_chosen_by_name() -> None:
    choice = {"type": "custom", "custom": {"name": "shell"}}
    assert sent(tools=[CUSTOM], tool_choice=choice)["tool_choice"] == {"type": "tool", "name": "shell"}


# ---------------------------------------------------------------- web search


def search(options: Any, **fields: Any) -> Translation:
    body = {"model": "m", "max_tokens": 9, "messages": HI, "web_search_options": options, **fields}
    return translate(json.dumps(body).encode(), dialect=Dialect(web_search="web_search_20260318"))


def test_web_search_is_the_services_own_tool_where_the_dialect_has_it() -> None:
    place = {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO"}}
    translation = search({"user_location": place, "search_context_size": "high"}, tools=[FUNCTION])
    body = json.loads(translation.body)
    assert check_messages_request(body) == []
    assert body["tools"][1] == {
        "type": "web_search_20260318",
        "name": "web_search",
        "user_location": {"type": "approximate", "city": "Oslo", "country": "NO"},
    }
    assert translation.ignored == ("web_search_options.search_context_size",)
    assert search({"search_context_size": "medium"}).ignored == search({}).ignored == ()


def test_web_search_beside_a_tool_of_its_name_is_refused() -> None:
    with pytest.raises(InvalidRequest) as raised:
        search({}, tools=[{"type": "function", "function": {"name": "web_search"}}])
    assert raised.value.param == "web_search_options"


# ---------------------------------------------------------------- legacy functions


@pytest.mark.parametrize(
    ("call", "native"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
        ({"name": "f"}, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    ],
)
def test_legacy_functions_are_tools_that_are_called_one_at_a_time(call: Any, native: Any) -> None:
    fields = {"function_call": call} if call else {}
    body = sent(functions=[{"name": "f", "parameters": {"type": "object"}}], **fields)
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == native


def test_a_legacy_history_is_paired_with_one_made_id() -> None:
    call = {"name": "f", "arguments": '{"a": 1.10}'}
    messages = [
        *HI,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "one"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "function", "name": "f", "content": None},
    ]
    translation = ask(functions=[{"name": "f"}], messages=messages)
    assert b'"input":{"a":1.10}' in translation.body
    turns = json.loads(translation.body)["messages"]
    used = [turn["content"][0]["id"] for turn in turns if turn["role"] == "assistant"]
    answered = [turn["content"][0]["tool_use_id"] for turn in turns[2::2]]
    assert used == answered
    assert len(set(used)) == 2
    assert turns[2]["content"][0]["content"] == "one"
    assert "content" not in turns[4]["content"][0]
    assert translation.ignored == ()


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([*HI, {"role": "function", "name": "f", "content": "x"}], "messages[1].name"),
        ([*HI, {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}], "messages[1].function_call"),
        (
            [
                *HI,
                {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "g", "content": "x"},
            ],
            "messages[2].name",
        ),
        (
            [*HI, {"role": "assistant", "function_call": {"name": "f", "arguments": "[]"}}],
            "messages[1].function_call.arguments",
        ),
    ],
)
def test_a_legacy_history_that_does_not_pair_is_refused(messages: Any, param: str) -> None:
    assert refusal(functions=[{"name": "f"}], messages=messages).param == param


def test_tools_and_functions_together_are_refused() -> None:
    assert refusal(functions=[{"name": "f"}], tools=[FUNCTION]).param == "functions"


def test_a_function_call_without_functions_is_left_out_unless_it_names_one() -> None:
    assert "tool_choice" not in sent(function_call="auto")
    assert refusal(function_call={"name": "f"}).param == "function_call"


# ---------------------------------------------------------------- cache breakpoints and tiers


def test_a_prompt_cache_breakpoint_is_cache_control_for_an_hour() -> None:
    part = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    translation = ask(messages=[{"role": "user", "content": [part]}])
    assert json.loads(translation.body)["messages"][0]["content"] == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    assert translation.ignored == ()


def test_twelve_hours_cannot_be_had_and_are_reported() -> None:
    part = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    translation = ask(messages=[{"role": "user", "content": [part]}])
    assert translation.ignored == ("messages[].content[].prompt_cache_breakpoint.ttl",)


def test_the_last_four_breakpoints_are_kept() -> None:
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    cached = {"cache_control": {"type": "ephemeral"}}
    parts = [{"type": "text", "text": str(number), **mark} for number in range(3)]
    messages = [
        {"role": "system", "content": "s", **cached},
        {"role": "user", "content": parts},
    ]
    translation = ask(tools=[{**FUNCTION, **cached}, {**CUSTOM, **cached}], messages=messages)
    body = json.loads(translation.body)
    assert ["cache_control" in tool for tool in body["tools"]] == [False, False]
    assert "cache_control" in body["system"][0]
    assert all("cache_control" in block for block in body["messages"][0]["content"])
    assert translation.ignored == ("cache_control", "cache_control.ttl")


@pytest.mark.parametrize(
    ("tier", "native", "ignored"),
    [("auto", "auto", ()), ("default", "standard_only", ()), ("flex", None, ("service_tier",))],
)
def test_service_tiers(tier: str, native: str | None, ignored: tuple[str, ...]) -> None:
    translation = ask(service_tier=tier)
    assert json.loads(translation.body).get("service_tier") == native
    assert translation.ignored == ignored
