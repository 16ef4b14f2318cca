"""Histories of calls, and tools that came before, become the same request by the fast path as by the general one."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat import Dialect, InvalidRequest, RequestBounds, translate
from chatcompat.dialect import PRESETS
from chatcompat.request import known_tools
from chatcompat.request.fast_turns import UsualTurns
from tests.strategies.walker import PROPERTY
from tests.vendor import Json

USER: Final = {"role": "user", "content": "hi"}
TEXTS: Final = st.sampled_from(["so", "so", "", " \n", None])
PLAIN_TEXTS: Final = st.sampled_from(["so", "so", "", " \n"])
PLAIN_ARGUMENTS: Final = st.sampled_from(['{"a":1.50}', "{}"])
IDS: Final = st.sampled_from(["call_1", "call_2", "call_1_2", "call_toolu1A", "a:b"])
ARGUMENTS: Final = st.sampled_from(
    ['{"a":1.50}', "{}", "", " ", '{"a":', "[]", "7", '{"a":[[[[]]]]}', {"a": 1}, {}, None]
)
NATIVE: Final = PRESETS["native"]
BOUNDS: Final = RequestBounds(calls=3, depth=4)


@contextmanager
def the_long_way() -> Iterator[None]:
    with (
        patch.object(UsualTurns, "add", lambda self, turns, messages, at: at),
        patch("chatcompat.request.tools._to_known", return_value=None),
    ):
        yield


def outcome(chat: Json, dialect: Dialect = NATIVE) -> Any:
    try:
        translation = translate(json.dumps(chat).encode(), dialect=dialect, bounds=BOUNDS, created=1)
    except InvalidRequest as error:
        return error.status, error.body
    return translation


# ---------------------------------------------------------------- calls and their results

SAID: Final[list[Json]] = [
    *[{}] * 9,
    {"refusal": "no"},
    {"name": "n"},
    {"content": [{"type": "text", "text": "p"}]},
]
RESULT: Final[list[Json]] = [
    *[{}] * 9,
    {"is_error": True},
    {"is_error": False},
    {"name": "f"},
    {"name": "n"},
    {"u": 1},
]


@st.composite
def turns(draw: st.DrawFn) -> list[Json]:
    """An assistant's message with calls and their results, as most are or with anything else."""
    is_usual: bool = draw(st.sampled_from([True, True, False]))
    ids: list[str] = draw(st.lists(IDS, min_size=int(is_usual), max_size=4, unique=is_usual))
    texts, arguments = (PLAIN_TEXTS, PLAIN_ARGUMENTS) if is_usual else (TEXTS, ARGUMENTS)
    calls = [
        {"id": call_id, "type": "function", "function": {"name": "f", "arguments": draw(arguments)}} for call_id in ids
    ]
    said: Json = {"role": "assistant", "content": draw(TEXTS), "tool_calls": calls, **draw(st.sampled_from(SAID))}
    results: list[Json] = [
        {"role": "tool", "tool_call_id": call_id, "content": draw(texts), **draw(st.sampled_from(RESULT))}
        for call_id in (ids if is_usual else draw(st.permutations(ids)))
    ]
    return [said, *(results if is_usual or draw(st.booleans()) else results[:-1])]


OTHERS: Final = st.sampled_from(
    [
        [],
        [],
        [USER],
        [{"role": "system", "content": "rule"}],
        [USER, {"role": "system", "content": "rule"}],
        [{"role": "assistant", "content": ""}],
        [{"role": "assistant", "content": "more"}],
        [{"role": "tool", "tool_call_id": "call_1", "content": "so"}],
    ]
)


@PROPERTY
@given(
    st.lists(st.tuples(turns(), OTHERS), min_size=1, max_size=4),
    st.sampled_from([Dialect(), Dialect(system_messages=True, caching="breakpoints", prefill=False)]),
)
def test_calls_and_results_become_the_same_turns(
    history: list[tuple[list[Json], list[Json]]], dialect: Dialect
) -> None:
    messages = [USER, *(message for turn, others in history for message in (*turn, *others))]
    chat = {"model": "m", "messages": messages}
    with the_long_way():
        long = outcome(chat, dialect)
    assert outcome(chat, dialect) == long


def call(call_id: str, **more: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}", **more}}


def result(call_id: str, **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "so", **more}


MARK: Final = {"cache_control": {"type": "ephemeral"}}
PARTS: Final = [{"type": "text", "text": "p"}]
SAID_TWICE: Final = {"role": "assistant", "content": "first"}
WRITTEN: Final[list[Any]] = ['{"a":1.50}', "", '{"a":', "[]", '{"a":[[[[[1]]]]]}', {"a": 1}, {"a": {}}, {}, None]
ALMOST_USUAL: Final[dict[str, list[Json]]] = {
    "usual": [{"tool_calls": [call("a"), call("b")]}, result("a"), result("b")],
    "an error": [{"tool_calls": [call("a")]}, result("a", is_error=True)],
    "a mark": [{"tool_calls": [call("a")]}, result("a", **MARK)],
    "the function's name": [{"tool_calls": [call("a")]}, result("a", name="f")],
    "another name": [{"tool_calls": [call("a")]}, result("a", name="n")],
    "parts of a result": [{"tool_calls": [call("a")]}, result("a", content=PARTS)],
    "parts of a message": [{"content": PARTS, "tool_calls": [call("a")]}, result("a")],
    "no content": [{"content": None, "tool_calls": [call("a")]}, result("a", content=None)],
    "blank content": [{"content": " ", "tool_calls": [call("a")]}, result("a", content=" ")],
    "a refusal": [{"refusal": "no", "tool_calls": [call("a")]}, result("a")],
    "another order": [{"tool_calls": [call("a"), call("b")]}, result("b", content="2"), result("a", content="1")],
    "too few results": [{"tool_calls": [call("a"), call("b")]}, result("a")],
    "too many results": [{"tool_calls": [call("a")]}, result("a"), result("a")],
    "another id": [{"tool_calls": [call("a")]}, result("b")],
    "a user between": [{"tool_calls": [call("a")]}, USER, result("a")],
    "equal ids": [{"tool_calls": [call("a"), call("a")]}, result("a", content="1"), result("a", content="2")],
    "equal native ids": [
        {"tool_calls": [call("toolu_1A"), call("call_toolu1A")]},
        *map(result, ["toolu_1A", "call_toolu1A"]),
    ],
    "too many calls": [{"tool_calls": [*map(call, "abcd")]}, *map(result, "abcd")],
    "no function": [{"tool_calls": [{"id": "a", "type": "function"}]}, result("a")],
    "a custom call": [
        {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
        result("a"),
    ],
    "a custom call with a function": [{"tool_calls": [{**call("a"), "type": "custom"}]}, result("a")],
    **{f"arguments {written!r}": [{"tool_calls": [call("a", arguments=written)]}, result("a")] for written in WRITTEN},
}


@pytest.mark.parametrize("before", [[USER], [USER, SAID_TWICE], [], [SAID_TWICE]], ids=len)
@pytest.mark.parametrize("name", ALMOST_USUAL)
def test_what_is_almost_usual_becomes_the_same_turns(name: str, before: list[Json]) -> None:
    turn = [{"role": "assistant", **message} if "role" not in message else message for message in ALMOST_USUAL[name]]
    again = [USER, *turn, *turn, {"role": "system", "content": "rule"}]
    for following, dialect in itertools.product(([], [USER], again), PRESETS.values()):
        chat = {"model": "m", "messages": [*before, *turn, *following]}
        with the_long_way():
            long = outcome(chat, dialect)
        assert outcome(chat, dialect) == long


def test_what_the_user_says_behind_results_stands_in_their_turn() -> None:
    turn = [{"role": "assistant", "tool_calls": [call("c")]}, result("c")]
    body = json.loads(outcome({"model": "m", "messages": [USER, *turn, USER, *turn]}).body)
    shapes = [
        (turn["role"], [block["type"] for block in turn["content"]] if isinstance(turn["content"], list) else "text")
        for turn in body["messages"]
    ]
    assert shapes == [
        ("user", "text"),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result", "text"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result"]),
    ]


# ---------------------------------------------------------------- tools


def function(name: str, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "x": 1.5}, **more}}


TOOLS: Final = [
    [function("f")],
    [function("f"), function("g", description="g")],
    [function("f"), function("f")],
    [function("")],
    [function("f:")],
    [function("f", strict=True)],
    [function("f", parameters={"type": "object", "a": {"b": {"c": {"d": {}}}}})],
    [function("f", parameters={"anyOf": [{"properties": {"a": {}}}]})],
    [function("f", cache_control={"type": "ephemeral"})],
    [{**function("f"), "cache_control": {"type": "ephemeral"}}],
    [{"type": "custom", "custom": {"name": "f"}}],
    [{"name": "f", "input_schema": {"type": "object"}}],
    [function("f"), None],
    [function("f", u=1)],
    [],
    None,
    7,
]
CHOICES: Final[list[Json]] = [
    {},
    {"tool_choice": "none"},
    {"tool_choice": "required", "parallel_tool_calls": False},
    {"tool_choice": {"type": "function", "function": {"name": "f"}}},
    {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"name": "g"}]}}},
    {"response_format": {"type": "json_object"}},
    {"functions": [{"name": "h"}]},
    {"web_search_options": {}},
    {"u": 1},
]


@pytest.mark.parametrize("dialect", PRESETS.values(), ids=[*PRESETS])
@pytest.mark.parametrize("tools", TOOLS, ids=str)
def test_tools_that_came_before_become_the_same_tools(tools: Any, dialect: Dialect) -> None:
    for choice in CHOICES:
        chat = {"model": "m", "messages": [USER], "tools": tools, **choice}
        with the_long_way():
            long = outcome(chat, dialect)
        known_tools.forget()
        assert [outcome(chat, dialect) for _ in range(3)] == [long] * 3


def test_marks_on_known_tools_stay_in_their_request() -> None:
    text = {"role": "user", "content": "x" * 20_000}
    chat = {"model": "m", "messages": [text], "tools": [function("f")]}
    for _ in range(2):
        marked = json.loads(outcome(chat, Dialect(caching="breakpoints")).body)
        assert marked["tools"][0]["cache_control"] == {"type": "ephemeral"}
        assert "cache_control" not in json.loads(outcome(chat, Dialect(caching="off")).body)["tools"][0]


def test_another_limit_on_depth_holds_for_known_tools() -> None:
    chat = {"model": "m", "messages": [USER], "tools": [function("f", parameters={"type": "object", "a": {"b": {}}})]}
    body = json.dumps(chat).encode()
    for _ in range(2):
        assert translate(body, bounds=RequestBounds(depth=4)).body
        with pytest.raises(InvalidRequest, match="nested too deeply"):
            translate(body, bounds=RequestBounds(depth=1))


def test_few_lists_of_tools_are_remembered_and_no_long_ones() -> None:
    known_tools.forget()
    for number in range(2 * known_tools.MOST):
        outcome(
            {"model": "m", "messages": [USER], "tools": [function("f" * (number % 100 + 1), description="x" * number)]}
        )
    outcome({"model": "m", "messages": [USER], "tools": [function("f", description="x" * known_tools.LONGEST)]})
    held = known_tools.remembered()
    assert len(held) == known_tools.MOST
    assert max(map(len, held)) <= known_tools.LONGEST


def test_long_lists_of_tools_are_remembered_up_to_a_size_of_all() -> None:
    known_tools.forget()
    for number in range(known_tools.MOST):
        size = known_tools.LONGEST - 1_000 + number
        outcome({"model": "m", "messages": [USER], "tools": [function("f", description="x" * size)]})
    assert (
        known_tools.MOST_BYTES - known_tools.LONGEST < sum(map(len, known_tools.remembered())) <= known_tools.MOST_BYTES
    )


@pytest.mark.parametrize(
    "tools", [TOOLS[2], TOOLS[5], [function("f", input_examples=[1] * 20)], [function("f")] * 2_000]
)
def test_only_usual_tools_are_remembered(tools: Any) -> None:
    """What is refused, or converted with more than its bytes, could take much more memory than they do."""
    known_tools.forget()
    outcome({"model": "m", "messages": [USER], "tools": tools})
    assert known_tools.remembered() == []


def test_the_number_of_calls_is_checked_before_the_turn_before_them() -> None:
    too_many = {"role": "assistant", "tool_calls": [*map(call, "abcd")]}
    chat = {"model": "m", "messages": [USER, {"role": "assistant", "tool_calls": [call("x")]}, too_many]}
    with pytest.raises(InvalidRequest) as refused:
        translate(json.dumps(chat).encode(), bounds=BOUNDS)
    assert (refused.value.param, refused.value.code) == ("messages[2].tool_calls", "array_above_max_length")
