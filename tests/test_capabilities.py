"""A dialect from what a service says about a model."""

from typing import Any

import msgspec
import pytest

from chatcompat import Dialect
from chatcompat.simulator.catalogue import find_model, to_model_info


def described(model_id: str) -> Any:
    return msgspec.to_builtins(to_model_info(find_model(model_id)))


def test_the_dialect_has_what_the_service_says() -> None:
    dialect = Dialect.from_capabilities(described("sim-2"))
    assert (dialect.reasoning, dialect.adaptive_thinking, dialect.json_schema) == ("effort", True, True)
    assert (dialect.thinking_off, dialect.web_search, dialect.max_tokens) == (True, "web_search_20250305", 16_000)


def test_efforts_that_the_model_lacks_are_left_out() -> None:
    model = described("sim-2")
    model["capabilities"]["effort"]["xhigh"]["supported"] = False
    assert "xhigh" not in Dialect.from_capabilities(model).efforts


def test_what_the_service_does_not_say_stays_as_in_the_base() -> None:
    base = Dialect(reasoning="none", web_search="web_search_20260318", max_tokens=7)
    assert Dialect.from_capabilities({"capabilities": {}}, base=base) == base


@pytest.mark.parametrize(("budget", "reasoning"), [(True, "budget"), (False, "none")])
def test_a_model_without_efforts_thinks_by_budget_or_not(budget: bool, reasoning: str) -> None:
    types = {"enabled": {"supported": budget}}
    capabilities = {"effort": {"supported": False}, "thinking": {"types": types}}
    model = {"max_tokens": 9, "capabilities": capabilities}
    dialect = Dialect.from_capabilities(model)
    assert (dialect.reasoning, dialect.max_tokens) == (reasoning, 9)


@pytest.mark.parametrize(
    ("disabled", "between", "expected"),
    [(True, True, True), (True, False, True), (False, True, "between_tools"), (False, False, False)],
)
def test_thinking_is_turned_off_as_the_model_allows(disabled: bool, between: bool, expected: Any) -> None:
    types = {"disabled": {"supported": disabled}, "between_tools": {"supported": between}}
    assert Dialect.from_capabilities({"capabilities": {"thinking": {"types": types}}}).thinking_off == expected


@pytest.mark.parametrize(("supported", "strict_tools"), [(True, 20), (False, 0)])
def test_a_model_without_structured_outputs_takes_no_strict_tools(supported: bool, strict_tools: int) -> None:
    dialect = Dialect.from_capabilities({"capabilities": {"structured_outputs": {"supported": supported}}})
    assert (dialect.json_schema, dialect.strict_tools) == (supported, strict_tools)


def test_a_budget_raises_the_limit_no_higher_than_the_models() -> None:
    assert Dialect.from_capabilities(described("sim-1") | {"max_tokens": 64_000}).max_tokens_limit == 64_000


@pytest.mark.parametrize("supported", [True, False])
def test_web_search_is_as_the_service_says(supported: bool) -> None:
    model = {"capabilities": {"server_tools": {"web_search": {"supported": supported}}}}
    assert (Dialect.from_capabilities(model).web_search is not None) == supported


@pytest.mark.parametrize("model", [None, [], {}, {"capabilities": None}, {"capabilities": []}])
def test_a_body_that_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="capabilities"):
        Dialect.from_capabilities(model)
