"""Thinking that a client sends back with the history."""

import json
from itertools import product
from typing import Any

import pytest

from chatcompat import Dialect, translate
from tests.request.test_reasoning_effort import HI, NONE, TOOL, ask, sent

SIGNED = {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "s1"}
HIDDEN = {"type": "reasoning.encrypted", "data": "d"}
CALLS = [{"id": name, "function": {"name": "f", "arguments": "{}"}} for name in ("a", "b")]
RESULTS = [{"role": "tool", "tool_call_id": name, "content": "x"} for name in ("a", "b")]


def turn(**message: Any) -> Any:
    messages = [*HI, {"role": "assistant", **message}, *(RESULTS if "tool_calls" in message else HI)]
    translation = ask(messages=messages, tools=[TOOL], reasoning_effort="low")
    return json.loads(translation.body), translation.ignored


def kinds(body: Any) -> list[Any]:
    def shown(block: Any) -> Any:
        return block.get("text") or block.get("thinking") or block.get("data") or block.get("id")

    return [shown(block) for block in body["messages"][1]["content"]]


def test_thinking_goes_back_to_its_exact_place() -> None:
    details = [
        SIGNED,
        {"type": "content", "length": 3},
        HIDDEN,
        {"type": "tool_call"},
        {**SIGNED, "text": "so", "index": 4},
        {"type": "tool_call"},
        {"type": "content", "length": 3},
    ]
    body, ignored = turn(content="abcd\u00e9f", tool_calls=CALLS, reasoning_details=details, reasoning_content="hmso")
    assert kinds(body) == ["hm", "abc", "d", "a", "so", "b", "d\u00e9f"]
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "s1"}
    assert body["messages"][1]["content"][2] == {"type": "redacted_thinking", "data": "d"}
    assert body["thinking"]["type"] == "enabled"
    assert ignored == ()


def test_details_without_places_stand_first_and_what_is_left_behind() -> None:
    body, ignored = turn(content="abc", tool_calls=CALLS, reasoning_details=[SIGNED, {"type": "content", "length": 1}])
    assert kinds(body) == ["hm", "a", "bc", "a", "b"]
    assert ignored == ()


@pytest.mark.parametrize("texts", [["ab"], ["a", "b"]])
def test_thinking_without_a_place_stands_before_all_parts_of_the_text(texts: list[str]) -> None:
    body, ignored = turn(content=[{"type": "text", "text": text} for text in texts], reasoning_details=[SIGNED, HIDDEN])
    assert kinds(body) == ["hm", "d", "ab"]
    assert ignored == ()


def test_more_places_than_there_is_to_place_do_no_harm() -> None:
    details = [SIGNED, *[{"type": "tool_call"}] * 5, {"type": "content", "length": 99}, {"type": "content"}]
    body, _ = turn(content="abc", tool_calls=CALLS, reasoning_details=details)
    assert kinds(body) == ["hm", "a", "b", "abc"]


@pytest.mark.parametrize(
    "detail",
    [
        {"type": "reasoning.text", "text": "x"},
        {"type": "reasoning.text", "text": "x", "signature": None},
        {"type": "reasoning.summary", "summary": "x"},
        {"type": "reasoning.encrypted"},
    ],
)
def test_unsigned_and_foreign_thinking_is_dropped_and_reported(detail: Any) -> None:
    body, ignored = turn(content="abc", reasoning_details=[detail])
    assert body["messages"][1]["content"] == "abc"
    assert "messages[].reasoning_details" in ignored


def test_thinking_text_alone_has_no_way_back() -> None:
    body, ignored = turn(content="abc", reasoning_content="hm")
    assert body["messages"][1]["content"] == "abc"
    assert ignored == ("messages[].reasoning_content",)


def test_a_turn_of_thinking_alone_goes_back_as_it_was() -> None:
    message = {"role": "assistant", "reasoning_details": [SIGNED], "cache_control": {"type": "ephemeral"}}
    body = json.loads(ask(messages=[*HI, message]).body)
    assert body["messages"][1]["content"] == [{"type": "thinking", "thinking": "hm", "signature": "s1"}]


def test_an_inner_app_that_does_not_reason_gets_no_thinking() -> None:
    messages = [*HI, {"role": "assistant", "content": "x", "reasoning_details": [SIGNED]}, *HI]
    translation = ask(NONE, messages=messages)
    assert json.loads(translation.body)["messages"][1]["content"] == "x"
    assert translation.ignored == ("messages[].reasoning_details",)


def test_a_loop_whose_thinking_was_lost_goes_on_without_thinking() -> None:
    body, ignored = turn(tool_calls=CALLS)
    assert "thinking" not in body
    assert ignored == ("reasoning_effort",)


@pytest.mark.parametrize("thinks", list(product([True, False], repeat=3)))
def test_a_loop_goes_on_with_thinking_if_it_began_with_it(thinks: tuple[bool, ...]) -> None:
    """A model may think once, at the start of a loop. Its later calls then have no thinking, and lost none."""
    messages: list[Any] = [*HI, {"role": "assistant", "content": "before"}, *HI]
    for number, thought in enumerate(thinks):
        call: Any = {"id": f"c{number}", "function": {"name": "f", "arguments": "{}"}}
        details: Any = {"reasoning_details": [SIGNED]} if thought else {}
        messages.append({"role": "assistant", "tool_calls": [call], **details})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "x"})
    translation = ask(messages=messages, tools=[TOOL], reasoning_effort="low")
    assert ("thinking" in json.loads(translation.body)) == thinks[0]
    assert translation.ignored == (() if thinks[0] else ("reasoning_effort",))


def test_a_finished_loop_whose_thinking_was_lost_does_not_matter() -> None:
    messages = [*HI, {"role": "assistant", "tool_calls": CALLS}, *RESULTS, {"role": "assistant", "content": "x"}, *HI]
    assert sent(messages=messages, tools=[TOOL], reasoning_effort="low")[0] is not None


def test_breakpoints_stay_on_text_and_never_on_thinking() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    details = [{"type": "content", "length": 1}, SIGNED]
    content = [{"type": "text", "text": "ab", **cached}]
    body, _ = turn(content=content, reasoning_details=details)
    assert [block.get("cache_control") for block in body["messages"][1]["content"]] == [
        None,
        None,
        {"type": "ephemeral"},
    ]
    body, _ = turn(content="a", reasoning_details=details, **cached)
    assert [block.get("cache_control") for block in body["messages"][1]["content"]] == [{"type": "ephemeral"}, None]


def test_prefix_mismatch_is_sent_with_thinking_and_its_beta() -> None:
    hi = [{"role": "user", "content": "hi"}]
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    turns = [*hi, {"role": "assistant", "content": "a", "reasoning_details": details}, *hi]
    drop = {"prefix_mismatch_behavior": "drop_block"}
    dialect = Dialect(reasoning="effort", prefix_mismatch="drop_block")

    def thinking(messages: list[Any], of: Dialect, **fields: Any) -> Any:
        body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
        translation = translate(body, dialect=of)
        sent = json.loads(translation.body).get("thinking")
        assert bool(translation.betas) == ("block_binding" in (sent or {}))
        return sent

    assert thinking(hi, dialect) is None
    assert thinking(turns, dialect) == {"type": "adaptive", "block_binding": drop}
    budget = Dialect(prefix_mismatch="drop_block")
    assert thinking(turns, budget, reasoning_effort="low") == {
        "type": "enabled",
        "budget_tokens": 2048,
        "block_binding": drop,
    }
    assert thinking(turns, budget) is None
