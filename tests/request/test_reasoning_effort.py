"""`reasoning_effort` and returned thinking, on the bytes that the inner app receives."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.dialect import BUDGETS, NATIVE_2026
from tests.vendor import check_messages_request

HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f"}}
EFFORT = Dialect(reasoning="effort")
NONE = Dialect(reasoning="none")


def ask(dialect: Dialect = Dialect(), **fields: Any) -> Translation:  # noqa: B008 - a frozen value
    body = {"model": "m", "max_tokens": 100_000, "messages": HI, **fields}
    translation = translate(json.dumps(body).encode(), dialect=dialect, created=1)
    assert check_messages_request(json.loads(translation.body), version=translation.version) == []
    return translation


def sent(dialect: Dialect = Dialect(), **fields: Any) -> Any:  # noqa: B008
    translation = ask(dialect, **fields)
    body = json.loads(translation.body)
    return body.get("thinking"), body.get("output_config"), translation.ignored


BUDGET = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 50_000}


@pytest.mark.parametrize("effort", BUDGET)
def test_effort_becomes_a_budget_of_at_most_half_of_the_tokens(effort: str) -> None:
    cut = ("reasoning_effort",) if effort == "max" else ()
    assert sent(reasoning_effort=effort) == ({"type": "enabled", "budget_tokens": BUDGET[effort]}, None, cut)


@pytest.mark.parametrize(
    ("effort", "native"),
    [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "xhigh"), ("max", "max")],
)
def test_effort_becomes_the_native_effort(effort: str, native: str) -> None:
    assert sent(EFFORT, reasoning_effort=effort) == (None, {"effort": native}, ())


def test_effort_and_format_share_one_output_config() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    _, config, ignored = sent(NATIVE_2026, reasoning_effort="high", response_format=wanted)
    assert config == {"effort": "high", "format": {"type": "json_schema", "schema": schema}}
    assert ignored == ()


def test_adaptive_thinking_is_said_where_the_dialect_needs_it() -> None:
    dialect = Dialect(reasoning="effort", adaptive_thinking=True)
    assert sent(dialect, reasoning_effort="low") == ({"type": "adaptive"}, {"effort": "low"}, ())
    _, _, ignored = sent(dialect, reasoning_effort="low", temperature=0.5, top_p=0.5)
    assert ignored == ("temperature", "top_p")


def test_an_effort_that_the_dialect_lacks_is_reported() -> None:
    assert sent(Dialect(reasoning="effort", efforts={"low": "low"}), reasoning_effort="max") == (
        None,
        None,
        ("reasoning_effort",),
    )
    assert sent(Dialect(budgets={}), reasoning_effort="max") == (None, None, ("reasoning_effort",))


@pytest.mark.parametrize("dialect", [Dialect(), EFFORT])
def test_none_turns_thinking_off(dialect: Dialect) -> None:
    assert sent(dialect, reasoning_effort="none") == ({"type": "disabled"}, None, ())


def test_if_thinking_cannot_be_turned_off_low_effort_is_sent_and_reported() -> None:
    assert sent(NATIVE_2026, reasoning_effort="none") == (None, {"effort": "low"}, ("reasoning_effort",))


def test_without_reasoning_effort_none_is_neutral_and_others_are_reported() -> None:
    assert sent(NONE, reasoning_effort="none") == (None, None, ())
    assert sent(NONE, reasoning_effort="high") == (None, None, ("reasoning_effort",))


@pytest.mark.parametrize("effort", ["huge", 5, True])
def test_an_unknown_effort_is_refused(effort: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(reasoning_effort=effort)
    assert raised.value.param == "reasoning_effort"


# ---------------------------------------------------------------- what cannot be had together


def test_a_forced_call_wins_over_thinking() -> None:
    assert sent(reasoning_effort="high", tools=[TOOL], tool_choice="required") == (None, None, ("reasoning_effort",))
    assert sent(reasoning_effort="high", response_format={"type": "json_object"})[2] == ("reasoning_effort",)


def test_thinking_wins_over_sampling() -> None:
    translation = ask(reasoning_effort="low", temperature=0.5, top_p=0.5)
    body = json.loads(translation.body)
    assert "temperature" not in body
    assert "top_p" not in body
    assert translation.ignored == ("temperature", "top_p")


def test_neutral_sampling_beside_thinking_is_nothing_to_report() -> None:
    translation = ask(reasoning_effort="low", temperature=1, top_p=0.96)
    body = json.loads(translation.body)
    assert "temperature" not in body
    assert body["top_p"] == 0.96
    assert translation.ignored == ()


def test_without_room_for_the_smallest_budget_thinking_is_reported() -> None:
    assert sent(reasoning_effort="high", max_tokens=2_048)[0] == {"type": "enabled", "budget_tokens": 1_024}
    assert sent(reasoning_effort="high", max_tokens=2_047) == (None, None, ("reasoning_effort",))


@pytest.mark.parametrize("effort", BUDGETS)
def test_a_default_limit_makes_room_for_the_whole_budget(effort: str) -> None:
    body = json.loads(ask(reasoning_effort=effort, max_tokens=None).body)
    assert body["thinking"]["budget_tokens"] == BUDGETS[effort]
    assert body["max_tokens"] == 16_000 + BUDGETS[effort]
    limited = ask(Dialect(max_tokens_limit=20_000), reasoning_effort=effort, max_tokens=None)
    assert json.loads(limited.body)["max_tokens"] <= 20_000
    assert bool(limited.ignored) == (BUDGETS[effort] > 10_000)
    native = {"type": "enabled", "budget_tokens": 5_000}
    assert json.loads(ask(thinking=native, max_tokens=None).body)["max_tokens"] == 21_000


# ---------------------------------------------------------------- `reasoning`, as other gateways name it


@pytest.mark.parametrize(
    ("reasoning", "budget", "ignored"),
    [
        ({"effort": "low"}, 2_048, ()),
        ({"enabled": True}, 8_192, ()),
        ({"max_tokens": 60_000}, 60_000, ()),
        ({"max_tokens": 500}, 1_024, ("reasoning.max_tokens",)),
        ({"max_tokens": 100_000}, 50_000, ("reasoning.max_tokens",)),
        ({"max_tokens": 2_000, "effort": "high"}, 2_000, ("reasoning.effort",)),
        ({"max_tokens": 0, "effort": "low"}, 2_048, ("reasoning.max_tokens",)),
        ({"effort": "none"}, None, ()),
        ({"max_tokens": 0}, None, ()),
        ({"effort": "none", "max_tokens": 5, "enabled": True}, None, ("reasoning.max_tokens", "reasoning.enabled")),
        ({"enabled": False}, None, ()),
        ({"enabled": False, "effort": "low", "max_tokens": 5}, None, ("reasoning.effort", "reasoning.max_tokens")),
    ],
)
def test_reasoning_is_a_budget(reasoning: Any, budget: int | None, ignored: Any) -> None:
    wanted = {"type": "disabled"} if budget is None else {"type": "enabled", "budget_tokens": budget}
    assert sent(reasoning=reasoning) == (wanted, None, ignored)


@pytest.mark.parametrize(
    ("reasoning", "effort", "ignored"),
    [
        ({"effort": "high"}, "high", ()),
        ({"max_tokens": 9_000}, "medium", ("reasoning.max_tokens",)),
        ({"max_tokens": 5}, "low", ("reasoning.max_tokens",)),
        ({"max_tokens": 5, "effort": "high"}, "high", ("reasoning.max_tokens",)),
    ],
)
def test_reasoning_is_an_effort(reasoning: Any, effort: str, ignored: Any) -> None:
    assert sent(EFFORT, reasoning=reasoning) == (None, {"effort": effort}, ignored)


def test_reasoning_that_asks_for_nothing_changes_nothing() -> None:
    assert sent(reasoning={}, include_reasoning=True) == (None, None, ())
    assert sent(NONE, reasoning={"effort": "none"}) == (None, None, ())
    assert sent(NONE, reasoning={"effort": "low"}) == (None, None, ("reasoning.effort",))


def test_reasoning_effort_wins_over_reasoning() -> None:
    assert sent(reasoning_effort="low", reasoning={"effort": "high"})[2] == ("reasoning.effort",)
    assert sent(reasoning_effort="low", reasoning={"effort": "low"})[2] == ()


def test_a_contradiction_about_showing_reasoning_is_reported() -> None:
    assert sent(reasoning={"exclude": True}, include_reasoning=True)[2] == ("include_reasoning",)
    assert sent(reasoning={"exclude": True}, include_reasoning=False)[2] == ()


@pytest.mark.parametrize(
    ("off", "thinking", "ignored"),
    [
        (True, {"type": "disabled"}, ()),
        ("disabled", {"type": "disabled"}, ()),
        ("between_tools", {"type": "between_tools"}, ()),
        ("none", None, ()),
        (False, None, ()),
    ],
)
def test_the_dialect_says_how_thinking_is_turned_off(off: Any, thinking: Any, ignored: Any) -> None:
    assert sent(Dialect(thinking_off=off), reasoning_effort="none") == (thinking, None, ignored)
    with_tools = sent(Dialect(thinking_off=off), reasoning_effort="none", tools=[TOOL])
    assert with_tools[2] == (("reasoning_effort",) if off == "between_tools" else ())


def test_the_display_of_the_dialect_goes_with_thinking() -> None:
    shown = Dialect(display="summarized")
    assert sent(shown, reasoning_effort="low")[0] == {
        "type": "enabled",
        "budget_tokens": 2_048,
        "display": "summarized",
    }
    assert sent(shown)[0] is None
    assert sent(replace(NATIVE_2026, display="summarized"))[0] == {"type": "adaptive", "display": "summarized"}
    hidden = sent(replace(NATIVE_2026, display="summarized"), reasoning={"exclude": True})
    assert hidden[0] == {"type": "adaptive", "display": "omitted"}
    own = {"type": "adaptive", "display": "omitted"}
    assert sent(shown, thinking=own)[0] == own
