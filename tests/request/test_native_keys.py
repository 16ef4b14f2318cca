"""Native keys, blocks and tool shapes in chat requests, on the bytes that the inner app gets."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.dialect import LLAMA_CPP, NATIVE_2026, NATIVE_KEYS

HI: list[Any] = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
KEYS: dict[str, Any] = {
    "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
    "output_config": {"effort": "low", "format": FORMAT, "task_budget": {"type": "tokens", "total": 9}},
    "top_k": 5,
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
    "container": {"id": "c", "skills": [{"type": "anthropic", "skill_id": "pdf"}]},
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919", "keep": 1.50}]},
    "mcp_servers": [
        {"type": "url", "url": "https://x", "name": "n", "authorization_token": "t", "tool_configuration": {"a": 1}}
    ],
    "speed": "fast",
    "inference_geo": "us",
}
WRONG: dict[str, Any] = {
    "thinking": [("on", "thinking"), ({"type": "enabled", "budget_tokens": "1"}, "thinking.budget_tokens")],
    "output_config": [([], "output_config"), ({"format": "json"}, "output_config.format")],
    "top_k": [("5", "top_k"), (1.5, "top_k")],
    "cache_control": [(True, "cache_control")],
    "container": [(5, "container"), ({"skills": [1]}, "container.skills[0]")],
    "context_management": [([], "context_management"), ({"edits": [1]}, "context_management.edits[0]")],
    "mcp_servers": [({}, "mcp_servers"), ([{"type": "url", "name": "n"}], "mcp_servers[0].url")],
    "speed": [(1, "speed")],
    "inference_geo": [({}, "inference_geo")],
    "betas": [("a", "betas"), (["a\r\nx: y"], "betas[0]"), (["a"] * 101, "betas")],
}


def ask(dialect: Dialect = Dialect(), header: tuple[str, ...] = (), **fields: Any) -> Translation:  # noqa: B008
    body = {"model": "m", "messages": HI, **fields}
    return translate(json.dumps(body).encode(), dialect=dialect, created=1, betas=header)


def sent(*arguments: Any, **fields: Any) -> Any:
    return json.loads(ask(*arguments, **fields).body)


def refused(**fields: Any) -> str | None:
    with pytest.raises(InvalidRequest) as raised:
        ask(**fields)
    assert raised.value.status == 400
    return raised.value.param


@pytest.mark.parametrize("name", KEYS)
def test_a_native_key_passes_unchanged(name: str) -> None:
    translation = ask(**{name: KEYS[name]})
    assert json.loads(translation.body)[name] == KEYS[name]
    assert translation.ignored == ()


@pytest.mark.parametrize("name", [*KEYS, "betas"])
def test_a_key_that_the_dialect_does_not_list_is_reported(name: str) -> None:
    for dialect in (Dialect(native_keys=NATIVE_KEYS - {name}), LLAMA_CPP):
        translation = ask(dialect, **{name: KEYS.get(name, ["a"])})
        assert name not in json.loads(translation.body)
        assert (translation.ignored, translation.betas) == ((name,), ())


@pytest.mark.parametrize(("name", "value", "param"), [(name, *case) for name in WRONG for case in WRONG[name]])
def test_a_key_of_the_wrong_kind_is_refused(name: str, value: Any, param: str) -> None:
    assert refused(**{name: value}) == param


def test_unknown_fields_within_keys_are_reported() -> None:
    for name in ("thinking", "output_config", "cache_control", "container", "context_management", "reasoning"):
        value: Any = {**KEYS.get(name, {"effort": "low"}), "zz": 1}
        assert f"{name}.zz" in ask(Dialect(), (), **{name: value}).ignored


def test_response_format_wins_over_the_native_format() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    for dialect in (Dialect(), NATIVE_2026):
        translation = ask(dialect, response_format=wanted, output_config={"format": {"type": "other"}})
        assert b"other" not in translation.body
        assert "output_config.format" in translation.ignored
    assert sent(response_format={"type": "text"}, output_config={"format": FORMAT})["output_config"]["format"] == FORMAT


def test_reasoning_effort_wins_over_the_native_effort_and_thinking() -> None:
    translation = ask(NATIVE_2026, reasoning_effort="high", output_config={"effort": "low"})
    assert json.loads(translation.body)["output_config"] == {"effort": "high"}
    assert translation.ignored == ("output_config.effort",)
    translation = ask(reasoning_effort="low", thinking=KEYS["thinking"])
    assert json.loads(translation.body)["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert translation.ignored == ("thinking",)
    assert ask(reasoning_effort="none", thinking={"type": "adaptive"}).ignored == ("thinking",)


def test_a_forced_call_and_lost_thinking_win_over_native_thinking() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert ask(tools=[tool], tool_choice="required", thinking=KEYS["thinking"]).ignored == ("thinking",)
    calls = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]
    messages = [*HI, {"role": "assistant", "tool_calls": calls}, {"role": "tool", "tool_call_id": "c", "content": "r"}]
    assert ask(tools=[tool], messages=messages, thinking=KEYS["thinking"]).ignored == ("thinking",)


BUDGET_LOST = ("thinking.budget_tokens",)


@pytest.mark.parametrize(
    ("fields", "effort", "ignored"),
    [
        ({}, "low", BUDGET_LOST),
        ({"thinking": {"type": "enabled", "budget_tokens": 20_000}}, "high", BUDGET_LOST),
        ({"output_config": {"effort": "max"}}, "max", BUDGET_LOST),
        ({"reasoning_effort": "max"}, "max", BUDGET_LOST),
        ({"reasoning_effort": "none"}, "low", ("reasoning_effort", "thinking")),
    ],
)
def test_a_budget_is_the_nearest_effort_where_only_efforts_are_taken(fields: Any, effort: str, ignored: Any) -> None:
    translation = ask(NATIVE_2026, **{"thinking": {"type": "enabled", "budget_tokens": 2_500}, **fields})
    body = json.loads(translation.body)
    assert body["output_config"] == {"effort": effort}
    assert body.get("thinking") == (None if fields.get("reasoning_effort") == "none" else {"type": "adaptive"})
    assert sorted(translation.ignored) == sorted(ignored)


def test_a_budget_without_an_effort_leaves_the_rest_of_thinking() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_500, "display": "summarized"}
    translation = ask(Dialect(reasoning="effort", efforts={}), thinking=thinking)
    body = json.loads(translation.body)
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert "output_config" not in body


def test_native_thinking_wins_over_sampling() -> None:
    translation = ask(thinking=KEYS["thinking"], temperature=0.5, top_k=5)
    assert translation.ignored == ("temperature", "top_k")
    assert ask(NATIVE_2026, top_k=5).ignored == ("top_k",)
    assert "top_k" not in sent(top_k=-1)


@pytest.mark.parametrize(
    ("thinking", "ignored"),
    [
        ({"type": "adaptive", "budget_tokens": 2000}, ("thinking.budget_tokens",)),
        ({"type": "between_tools", "display": "omitted"}, ("thinking.display",)),
        ({"type": "disabled", "block_binding": {}}, ("thinking.block_binding",)),
        ({"type": "enabled", "display": "omitted"}, ("thinking.display",)),
    ],
)
def test_fields_that_a_type_of_thinking_lacks_are_reported(thinking: Any, ignored: Any) -> None:
    translation = ask(thinking=thinking)
    assert json.loads(translation.body)["thinking"]["type"] == thinking["type"]
    assert translation.ignored == ignored


def test_the_dialect_decides_how_native_thinking_is_turned_off() -> None:
    translation = ask(NATIVE_2026, thinking={"type": "disabled"})
    assert json.loads(translation.body)["output_config"] == {"effort": "low"}
    assert translation.ignored == ("thinking",)
    adaptive = Dialect(reasoning="effort", adaptive_thinking=True)
    shown = {"type": "adaptive", "display": "summarized"}
    assert sent(adaptive, reasoning_effort="low", thinking=shown)["thinking"] == shown


def test_the_beta_of_a_key_is_added_once() -> None:
    edits = [{"type": "compact_20260112"}, {"type": "clear_thinking_20251015"}]
    fields = {**KEYS, "context_management": {"edits": edits}, "betas": ["b", "a"]}
    fields["thinking"] = {"type": "adaptive", "display": "updates", "block_binding": {}}
    assert ask(Dialect(betas=("a", "d")), ("a",), **fields).betas == (
        "a",
        "b",
        "d",
        "compact-2026-01-12",
        "context-management-2025-06-27",
        "mcp-client-2025-11-20",
        "task-budgets-2026-03-13",
        "fast-mode-2026-02-01",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
    )
    later = ("mcp-client-2026-09-15",)
    assert ask(header=later, mcp_servers=KEYS["mcp_servers"]).betas == later
    assert ask(Dialect(key_betas={}), mcp_servers=KEYS["mcp_servers"], context_management={}).betas == ()
    assert ask(Dialect(betas=("d",)), ("a", "a")).betas == ("a", "d")
    assert ask(betas=[], mcp_servers=[]).ignored == ()


def test_a_marked_request_keeps_four_breakpoints() -> None:
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    translation = ask(messages=[{"role": "user", "content": [part] * 4}], cache_control={"type": "ephemeral"})
    assert translation.body.count(b"cache_control") == 4
    assert translation.ignored == ("cache_control",)


def test_a_request_with_servers_may_pause() -> None:
    assert ask(mcp_servers=KEYS["mcp_servers"]).may_pause
    assert not ask().may_pause


@pytest.mark.parametrize(
    "options",
    [
        {"native_keys": {"x"}},
        {"native_tool_fields": {"x"}},
        {"betas": ("a b",)},
        {"display": "x"},
        {"thinking_off": "x"},
    ],
)
def test_a_dialect_refuses_what_it_does_not_know(options: Any) -> None:
    with pytest.raises(ValueError, match=r"must"):
        Dialect(**options)


# ---------------------------------------------------------------- tools


def test_flat_tools_are_the_same_as_nested_ones() -> None:
    function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    grammar = {"syntax": "lark", "definition": "x"}
    flat = [
        {"type": "function", **function},
        {"type": "custom", "name": "c", "format": {"type": "grammar", **grammar}},
    ]
    nested = [
        {"type": "function", "function": function},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": grammar}}},
    ]
    assert ask(tools=flat).body == ask(tools=nested).body
    both = [{"type": "function", "function": function, **function}]
    assert ask(tools=both).ignored == ()
    assert ask(tools=[{**both[0], "description": "e"}]).ignored == ("tools[].description",)
    for choice in ({"type": "function", "name": "f"}, {"type": "tool", "name": "f"}):
        assert sent(tools=flat, tool_choice=choice)["tool_choice"] == {"type": "tool", "name": "f"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"tools": [{"type": "custom", "name": "c", "format": {"type": "grammar"}}]}, "tools[0].format.grammar"),
        ({"tools": [{"type": "function", "name": "f", "input_examples": [1]}]}, "tools[0].input_examples[0]"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice"),
    ],
)
def test_an_error_names_the_tool(fields: Any, param: str) -> None:
    assert refused(**fields) == param


def test_native_fields_of_a_function_pass_from_either_place() -> None:
    fields = {
        "allowed_callers": ["direct"],
        "defer_loading": True,
        "eager_input_streaming": False,
        "input_examples": [{"a": 1}],
    }
    for tool in ({"function": {"name": "f", **fields}}, {"function": {"name": "f"}, **fields}, {"name": "f", **fields}):
        assert fields.items() <= sent(tools=[{"type": "function", **tool}])["tools"][0].items()
    assert ask(functions=[{"name": "f", **fields}]).ignored == ()
    two = {"type": "function", "function": {"name": "f", "defer_loading": False}, "defer_loading": True}
    assert ask(tools=[two]).ignored == ("tools[].function.defer_loading",)
    lacking = ask(LLAMA_CPP, tools=[{"type": "function", "function": {"name": "f", **fields}}])
    assert set(lacking.ignored) == {f"tools[].function.{name}" for name in fields}


def test_native_tools_without_a_date_pass() -> None:
    toolset = {"type": "mcp_toolset", "mcp_server_name": "n"}
    mixed = {"type": "function", "name": "f", "input_schema": SCHEMA}
    search = {"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25"}
    translation = ask(tools=[toolset, mixed, search])
    assert json.loads(translation.body)["tools"] == [toolset, {**mixed, "type": "custom"}, search]
    assert translation.betas == ("mcp-client-2025-11-20",)


@pytest.mark.parametrize("kind", ["auto", "any", "none"])
def test_a_native_choice_passes(kind: str) -> None:
    tools, single = [{"type": "function", "name": "f"}], {"disable_parallel_tool_use": True}
    assert sent(tools=tools, tool_choice={"type": kind})["tool_choice"] == {"type": kind}
    wanted = {"type": kind} | (single if kind != "none" else {})
    assert sent(tools=tools, tool_choice={"type": kind, **single})["tool_choice"] == wanted
    if kind != "none":
        report = ("tool_choice.disable_parallel_tool_use",)
        assert ask(LLAMA_CPP, tools=tools, tool_choice={"type": kind, **single}).ignored == report
