"""Which tools are called, and with which arguments."""

from typing import Any

import pytest

from tests.simulator.driver import WEATHER, ask, assistant, call, called, image, offer, result, said, tool, user


def test_tools_that_are_named_are_called_in_the_order_of_offering() -> None:
    reply = ask("Use get_time, then get_weather.", tools=offer("get_weather", "other", "get_time"))
    assert called(reply) == ["get_weather", "get_time"]
    assert said(reply) == "I will call get_weather and get_time."
    assert reply["stop_reason"] == "tool_use"
    assert len({block["id"] for block in reply["content"] if block["type"] == "tool_use"}) == 2


def test_a_name_within_another_word_is_not_named() -> None:
    assert called(ask("Use get_time_zone.", tools=offer("get_time", "get_time_zone"))) == ["get_time_zone"]


def test_a_tool_that_a_gateway_renamed_is_named_by_its_old_name() -> None:
    tools = offer("other", "maps_route_0a1b", "maps_routes")
    assert called(ask("Use maps.route, please.", tools=tools)) == ["maps_route_0a1b"]
    assert called(ask("Use maps/routes.", tools=tools)) == ["maps_routes"]
    assert called(ask("\u2026 ! -", tools=offer("other", "__x"))) == ["other"]


def test_the_first_tool_is_called_if_none_is_named() -> None:
    assert called(ask("Hello", tools=offer("a", "b"))) == ["a"]


def test_results_are_quoted_and_no_tool_is_called_again() -> None:
    messages = ["Hi", assistant(call("t1"), call("t2"), call("t3"), call("t4"))]
    mixed = [{"type": "text", "text": "17 degrees"}, image()]
    none = {"type": "tool_result", "tool_use_id": "t4"}
    reply = ask(
        *messages, user(result("t1"), result("t2", "down", is_error=True), result("t3", mixed), none), tools=[WEATHER]
    )
    assert called(reply) == []
    assert 'get_weather says: "sunny"' in said(reply)
    assert 'get_weather failed: "down"' in said(reply)
    assert "17 degrees an image (image/png)" in said(reply)


def test_a_turn_with_results_that_names_a_tool_calls_it() -> None:
    turn = user(result("t1"), "Now get_time")
    assert called(ask("Hi", assistant(call("t1")), turn, tools=offer("get_weather", "get_time"))) == ["get_time"]


def test_results_of_several_user_messages_are_one_turn() -> None:
    reply = ask(
        "Hi", assistant(call("t1")), assistant(call("t2")), user(result("t2")), user(result("t1")), tools=[WEATHER]
    )
    assert said(reply).count("sunny") == 2


def test_parallel_calls_can_be_turned_off() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert called(ask("a and b", tools=offer("a", "b"), tool_choice=choice)) == ["a"]


def test_none_gives_text() -> None:
    assert called(ask("a", tools=offer("a"), tool_choice={"type": "none"})) == []


def test_tool_calls_that_tool_alone_and_says_nothing_before() -> None:
    reply = ask("a", tools=offer("a", "b"), tool_choice={"type": "tool", "name": "b"})
    assert (called(reply), said(reply)) == (["b"], "")


def test_any_calls_at_least_one_and_says_nothing_before() -> None:
    any_tool = {"type": "any"}
    assert called(ask("b and a", tools=offer("a", "b"), tool_choice=any_tool)) == ["a", "b"]
    reply = ask("Hi", tools=offer("a", "b"), tool_choice=any_tool)
    assert (called(reply), said(reply)) == (["a"], "")


def test_any_after_results_calls_a_tool_that_was_not_called_yet() -> None:
    options: dict[str, Any] = {"tools": offer("a", "b"), "tool_choice": {"type": "any"}}
    first = ["Hi", assistant(call("t1", "a")), user(result("t1"))]
    assert called(ask(*first, **options)) == ["b"]
    assert called(ask(*first, assistant(call("t2", "b")), user(result("t2")), **options)) == ["b"]


@pytest.mark.parametrize("version", ["web_search_20250305", "web_search_20260209", "web_search_20260318"])
def test_web_search_is_accepted_but_never_run(version: str) -> None:
    search = {
        "type": version,
        "name": "web_search",
        "max_uses": 1,
        "user_location": {"type": "approximate", "city": "Oslo"},
    }
    assert called(ask("web_search", tools=[search])) == []
    assert called(ask("Hi", tools=[search, *offer("a")])) == ["a"]


def test_arguments_fit_the_schema() -> None:
    schema = {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "unit": {"enum": ["c", "f"]}}
    assert ask(tools=[tool("a", **schema)])["content"][-1]["input"] == {"city": "example", "days": 2, "unit": "c"}
