"""Edges of native keys, blocks and tool shapes: values at a limit, in two places at once, or not readable."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.dialect import LLAMA_CPP, NATIVE_KEYS
from chatcompat.reply.turn_keys import to_key, to_turn
from chatcompat.request import decode_chat_request
from chatcompat.request.bounds import RequestBounds

HI: Any = {"role": "user", "content": "hi"}
SERVER = {"type": "url", "url": "https://x", "name": "n"}
USE: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
FUNCTION = {"type": "function", "name": "f"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "n"}
NATIVE = {"name": "g", "input_schema": {"type": "object"}}


def ask(dialect: Dialect = Dialect(), *, raw: Any = None, **fields: Any) -> Translation:  # noqa: B008
    """Translate a request. `raw` replaces each `"RAW"` in it with bytes."""
    body = json.dumps({"model": "m", "messages": [HI], **fields}).encode()
    return translate(body if raw is None else body.replace(b'"RAW"', raw), dialect=dialect, created=1)


def sent(*arguments: Any, **fields: Any) -> Any:
    return json.loads(ask(*arguments, **fields).body)


def refused(**fields: Any) -> tuple[str | None, str | None]:
    with pytest.raises(InvalidRequest) as raised:
        ask(**fields)
    assert raised.value.status == 400
    return raised.value.param, raised.value.code


# ---------------------------------------------------------------- keys


SKILL = {"type": "custom", "skill_id": "s", "version": "1"}


@pytest.mark.parametrize(
    ("container", "native"),
    [
        ("c", "c"),
        ({"id": "c", "expires_at": "2026-11-26T00:00:00Z"}, "c"),  # as a reply names it
        ({"id": "c", "skills": [SKILL]}, {"id": "c", "skills": [SKILL]}),
        ({"skills": [SKILL]}, {"skills": [SKILL]}),
        ({"skills": []}, None),
        ({}, None),
    ],
)
def test_a_container_is_an_id_or_has_skills(container: Any, native: Any) -> None:
    assert sent(container=container).get("container") == native


def test_null_keys_are_as_absent_ones() -> None:
    nulls: dict[str, Any] = dict.fromkeys(NATIVE_KEYS | {"reasoning", "include_reasoning"})
    translation = ask(**nulls)
    assert translation.body == ask().body
    assert (translation.ignored, translation.betas) == ((), ())


def test_null_fields_within_keys_are_as_absent_ones() -> None:
    keys: dict[str, Any] = {
        "output_config": {"effort": None, "format": None, "task_budget": None},
        "thinking": {"type": "adaptive", "display": None, "budget_tokens": None, "block_binding": None},
        "container": {"id": "c", "skills": None},
        "context_management": {"edits": None},
        "mcp_servers": [{**SERVER, "authorization_token": None, "tool_configuration": None}],
    }
    body = sent(**keys)
    assert "output_config" not in body
    assert body["thinking"] == {"type": "adaptive"}
    assert (body["container"], body["context_management"], body["mcp_servers"]) == ("c", {}, [SERVER])
    assert ask(**keys).ignored == ()


@pytest.mark.parametrize(
    ("edits", "betas"),
    [
        ([], ("context-management-2025-06-27",)),
        ([{"type": "compact_20260112"}], ("compact-2026-01-12",)),
        ([{"type": "compact_20260112"}, {"type": 5}], ("compact-2026-01-12", "context-management-2025-06-27")),
        ([{}], ("context-management-2025-06-27",)),
    ],
)
def test_the_betas_of_edits_are_those_of_their_types(edits: Any, betas: Any) -> None:
    assert ask(context_management={"edits": edits}).betas == betas


@pytest.mark.parametrize("effort", ["low", "high"])
def test_thinking_is_not_reported_if_the_effort_asks_for_the_same(effort: str) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_048}
    translation = ask(reasoning_effort=effort, thinking=thinking)
    assert translation.ignored == (() if effort == "low" else ("thinking",))
    assert json.loads(translation.body)["thinking"]["budget_tokens"] == {"low": 2_048, "high": 16_384}[effort]


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_the_client_stays_as_it_is_beside_native_thinking(limit: str) -> None:
    thinking = {"type": "enabled", "budget_tokens": 5_000}
    translation = ask(Dialect(), thinking=thinking, **{limit: 6_000})
    body = json.loads(translation.body)
    assert (body["max_tokens"], body["thinking"], translation.ignored) == (6_000, thinking, ())


FREE: dict[str, tuple[str, Any]] = {
    "output_config.format": ("output_config", {"format": "RAW"}),
    "output_config.task_budget": ("output_config", {"task_budget": "RAW"}),
    "thinking.block_binding": ("thinking", {"type": "adaptive", "block_binding": "RAW"}),
    "context_management.edits[1]": ("context_management", {"edits": [{}, "RAW"]}),
    "mcp_servers[1].tool_configuration": ("mcp_servers", [SERVER, {**SERVER, "tool_configuration": "RAW"}]),
    "tools[0].input_examples[0]": ("tools", [{**FUNCTION, "input_examples": ["RAW"]}]),
}


@pytest.mark.parametrize("path", FREE)
def test_a_free_object_is_an_object_of_bounded_depth(path: str) -> None:
    name, value = FREE[path]
    assert b'{"x":1.50}' in ask(**{name: value}, raw=b'{"x": 1.50}').body
    assert refused(**{name: value}, raw=b"[1]") == (path, "invalid_type")
    assert refused(**{name: value}, raw=b'{"x":' * 200 + b"1" + b"}" * 200) == (path, "nested_too_deeply")
    assert refused(**{name: value}, raw=b'{"x": "\xff"}') == (None, "invalid_utf8")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"container": {"skills": [SKILL] * 3}}, "container.skills"),
        ({"context_management": {"edits": [{}] * 3}}, "context_management.edits"),
        ({"mcp_servers": [SERVER] * 3}, "mcp_servers"),
        ({"tools": [{**FUNCTION, "input_examples": [{}] * 3}]}, "tools[0].input_examples"),
    ],
)
def test_a_list_within_a_key_is_bounded(fields: Any, path: str) -> None:
    body = json.dumps({"model": "m", "messages": [HI], **fields}).encode()
    translate(body, bounds=RequestBounds(tools=3, parts=3))
    with pytest.raises(InvalidRequest) as raised:
        translate(body, bounds=RequestBounds(tools=2, parts=2))
    assert (raised.value.param, raised.value.status) == (path, 400)


# ---------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("defer_loading", True),
        ("eager_input_streaming", False),
        ("allowed_callers", ["direct"]),
        ("input_examples", [{"a": 1}]),
    ],
)
def test_the_same_field_on_a_tool_and_its_function_is_not_reported(name: str, value: Any) -> None:
    translation = ask(tools=[{"type": "function", name: value, "function": {"name": "f", name: value}}])
    assert json.loads(translation.body)["tools"][0][name] == value
    assert translation.ignored == ()


def test_a_nested_custom_tool_wins_over_fields_on_the_tool() -> None:
    custom = {"name": "c", "description": "d"}
    both = {"type": "custom", "custom": custom, **custom}
    nested = ask(tools=[{"type": "custom", "custom": custom}])
    assert (ask(tools=[both]).body, ask(tools=[both]).ignored) == (nested.body, ())
    differing = ask(tools=[{**both, "name": "other", "description": "e"}])
    assert (differing.body, differing.ignored) == (nested.body, ("tools[].name", "tools[].description"))


def test_an_inexact_service_gets_the_chosen_native_tool_alone() -> None:
    tools = [FUNCTION, NATIVE, TOOLSET]
    translation = ask(LLAMA_CPP, tools=tools, tool_choice={"type": "tool", "name": "g"}, parallel_tool_calls=False)
    body = json.loads(translation.body)
    assert (body["tools"], body["tool_choice"]) == ([NATIVE], {"type": "any"})
    assert translation.ignored == ("parallel_tool_calls",)
    assert [tool["name"] for tool in sent(LLAMA_CPP, tools=tools, tool_choice=FUNCTION)["tools"]] == ["f"]
    assert "tools" not in sent(LLAMA_CPP, tools=tools, tool_choice={"type": "none"})


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_a_choice_without_a_name_is_refused(kind: str) -> None:
    missing = (f"tool_choice.{kind}", "missing_required_parameter")
    assert refused(tools=[FUNCTION], tool_choice={"type": kind}) == missing


LISTED = {"mode": "auto", "tools": [{"type": "function", "name": "f"}]}


@pytest.mark.parametrize("missing", [("mode",), ("tools",), ("mode", "tools")])
def test_a_flat_list_of_allowed_tools_must_be_whole(missing: Any) -> None:
    choice = {"type": "allowed_tools", **{name: value for name, value in LISTED.items() if name not in missing}}
    path = "allowed_tools" if len(missing) > 1 else missing[0]
    assert refused(tools=[FUNCTION], tool_choice=choice) == (f"tool_choice.{path}", "missing_required_parameter")


def test_a_flat_list_of_allowed_tools_is_the_same_as_a_nested_one() -> None:
    for mode in ("auto", "required"):
        listed = {**LISTED, "mode": mode}
        nested = sent(tools=[FUNCTION], tool_choice={"type": "allowed_tools", "allowed_tools": listed})
        assert sent(tools=[FUNCTION], tool_choice={"type": "allowed_tools", **listed}) == nested
    unknown = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "zz"}]}
    assert refused(tools=[FUNCTION], tool_choice=unknown) == ("tool_choice.tools[0]", "unknown_tool")


@pytest.mark.parametrize(
    ("choice", "ignored"),
    [
        ({"type": "function", "function": {"name": "f"}, "name": "f"}, ()),
        ({"type": "function", "function": {"name": "f"}, "name": "g"}, ("tool_choice.name",)),
        ({"type": "allowed_tools", "allowed_tools": LISTED, **LISTED}, ()),
        ({"type": "allowed_tools", "allowed_tools": LISTED, "mode": "required"}, ("tool_choice.mode",)),
        ({"type": "allowed_tools", "allowed_tools": LISTED, "tools": [{"name": "f"}]}, ("tool_choice.tools",)),
    ],
)
def test_what_stands_directly_in_a_choice_and_differs_is_reported(choice: Any, ignored: Any) -> None:
    assert ask(tools=[FUNCTION], tool_choice=choice).ignored == ignored


# ---------------------------------------------------------------- blocks


def answered(*parts: Any, answer: Any = RESULT) -> list[Any]:
    return [HI, {"role": "assistant", "content": [*parts]}, {"role": "user", "content": [answer]}]


def test_a_native_turn_leaves_out_blank_text_and_refusals() -> None:
    blank = [{"type": "text", "text": " "}, {"type": "refusal", "refusal": "\n"}]
    told = {"type": "refusal", "refusal": "no"}
    turn = sent(messages=answered(*blank, told, USE))["messages"][1]["content"]
    assert turn == [{"type": "text", "text": "no"}, USE]


def test_of_two_marks_at_one_block_the_longer_stays() -> None:
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    for outer, inner in ((short, long), (long, short)):
        part = {"type": "text", "text": "r", "cache_control": inner}
        answer = {**RESULT, "content": [part], "cache_control": outer}
        assert sent(messages=answered(USE, answer=answer))["messages"][2]["content"][0]["cache_control"] == long


def test_a_result_without_content_is_empty() -> None:
    for content in (None, "", [], [{"type": "text", "text": " "}]):
        answer = {**RESULT, "content": content, "is_error": False}
        turn = sent(messages=answered(USE, answer=answer))["messages"][2]["content"]
        assert turn == [{"type": "tool_result", "tool_use_id": "t1"}]


def test_the_parts_of_a_native_result_are_bounded() -> None:
    parts = [{"type": "text", "text": "x"}] * 3
    body = json.dumps({"model": "m", "messages": answered(USE, answer={**RESULT, "content": parts})}).encode()
    with pytest.raises(InvalidRequest) as raised:
        translate(body, bounds=RequestBounds(parts=2))
    assert raised.value.param == "messages[2].content[0].content"


def key_of(*, given: Any) -> bytes | None:
    call = {name: value for name, value in {**USE, "input": given}.items() if value != "ABSENT"}
    chat = decode_chat_request(json.dumps({"model": "m", "messages": answered(call)}).encode()).chat
    return to_key(b"", b"", to_turn(chat.messages[1]))  # type: ignore[arg-type]


def test_the_thinking_of_a_turn_is_found_in_each_shape_of_its_input() -> None:
    assert key_of(given={"a": 1}) == key_of(given='{"a": 1}') != key_of(given={"a": 2})
    assert (
        key_of(given={}) == key_of(given=None) == key_of(given="ABSENT") == key_of(given="") != key_of(given={"a": 1})
    )
