"""Cache marks: the client's are kept and made valid; ours are set where it has none."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.dialect import LLAMA_CPP

SHORT = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
LONG_TEXT = "word " * 600
BREAKPOINTS = Dialect(caching="breakpoints")
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def ask(*messages: Any, dialect: Dialect | None = None, **fields: Any) -> tuple[Any, Translation]:
    turns = [{"role": "user", "content": m} if isinstance(m, (str, list)) else m for m in messages]
    body = json.dumps({"model": "m", "messages": turns, **fields}).encode()
    translation = translate(body, dialect=dialect or Dialect(), created=1)
    return json.loads(translation.body), translation


def part(text: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": text} | ({"cache_control": mark} if mark else {})


def test_a_mark_within_a_tool_result_stands_on_the_result() -> None:
    result = {"role": "tool", "tool_call_id": "c", "content": [part("a", HOUR), part(" ")]}
    sent, translation = ask("hi", {"role": "assistant", "tool_calls": [CALL]}, result)
    assert sent["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c", "content": "a", "cache_control": HOUR}
    ]
    assert translation.ignored == ()


@pytest.mark.parametrize("content", [[part("a"), part(" ", SHORT)], [part(" ", SHORT), part("a")]])
def test_a_mark_on_a_blank_part_moves_to_its_neighbour(content: Any) -> None:
    sent, translation = ask(content)
    assert sent["messages"][0]["content"] == [part("a", SHORT)]
    assert translation.ignored == ()


def test_a_mark_without_any_block_is_reported() -> None:
    blank = {"role": "system", "content": [part(" ", SHORT)], "cache_control": SHORT}
    _, translation = ask(blank, "hi")
    assert translation.ignored == ("messages[].content[].cache_control", "messages[].cache_control")


def test_an_hours_mark_behind_a_shorter_one_raises_that_one() -> None:
    sent, translation = ask([part("a", SHORT), part("b", HOUR), part("c", SHORT)])
    assert [block["cache_control"] for block in sent["messages"][0]["content"]] == [HOUR, HOUR, SHORT]
    assert translation.ignored == ("cache_control.ttl",)


NESTED_MARKS: list[Any] = [
    {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}, "cache_control": HOUR},
    {"type": "search_result", "source": "s", "title": "t", "content": [part("a", HOUR)]},
    {"type": "document", "source": {"type": "content", "content": [part("a"), part("b", HOUR)]}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "cache_control": HOUR},
    {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
]


@pytest.mark.parametrize("block", NESTED_MARKS)
def test_a_mark_in_any_part_of_a_result_stands_on_the_result(block: Any) -> None:
    result = {"role": "tool", "tool_call_id": "c", "content": [part("first"), block]}
    sent, translation = ask("hi", {"role": "assistant", "tool_calls": [CALL]}, result)
    (block,) = sent["messages"][2]["content"]
    assert block.pop("cache_control") == HOUR
    assert "cache_control" not in json.dumps(block)
    assert translation.ignored == ()


@pytest.mark.parametrize("block", NESTED_MARKS)
def test_a_mark_within_a_part_stands_on_its_block(block: Any) -> None:
    sent, translation = ask([part("first"), block])
    assert sent["messages"][0]["content"][1].pop("cache_control") == HOUR
    assert "cache_control" not in json.dumps(sent)
    assert translation.ignored == ()


def test_two_marks_within_a_document_are_one_and_reported() -> None:
    inner = {"type": "content", "content": [part("a", SHORT), part("b", HOUR)]}
    sent, translation = ask([{"type": "document", "source": inner}])
    assert sent["messages"][0]["content"][0]["cache_control"] == HOUR
    assert translation.ignored == ("messages[].content[].cache_control",)


def native_tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "custom", "name": name, "input_schema": {"type": "object"}, **fields}


def chat_tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}, **fields}


@pytest.mark.parametrize("make", [native_tool, chat_tool])
def test_a_mark_on_a_deferred_tool_moves_off_it_and_is_reported(make: Any) -> None:
    deferred = [make("b", cache_control=HOUR, defer_loading=True), make("c", defer_loading=True)]
    sent, translation = ask("hi", tools=[make("a"), *deferred])
    assert [tool.get("cache_control") for tool in sent["tools"]] == [HOUR, None, None]
    assert translation.ignored == ("cache_control",)


def test_a_mark_on_a_deferred_tool_alone_is_reported() -> None:
    sent, translation = ask("hi", tools=[native_tool("b", cache_control=HOUR, defer_loading=True)])
    assert "cache_control" not in json.dumps(sent)
    assert translation.ignored == ("cache_control",)


def test_a_mark_of_a_deferred_tool_does_not_replace_another() -> None:
    tools = [chat_tool("a", cache_control=SHORT), chat_tool("b", cache_control=HOUR, defer_loading=True)]
    sent, translation = ask("hi", tools=tools)
    assert [tool.get("cache_control") for tool in sent["tools"]] == [SHORT, None]
    assert translation.ignored == ("cache_control",)


@pytest.mark.parametrize("mark", ["x", 1, [], True, {}, {"type": "other"}, SHORT | {"ttl": "2h"}, SHORT | {"odd": 1}])
@pytest.mark.parametrize("fields", [{}, {"defer_loading": True}])
def test_a_malformed_mark_of_a_native_tool_is_refused(mark: Any, fields: Any) -> None:
    with pytest.raises(InvalidRequest, match="ephemeral") as refusal:
        ask("hi", tools=[native_tool("a"), native_tool("b", cache_control=mark, **fields)])
    assert refusal.value.param == "tools[1].cache_control"


def test_a_native_tool_with_null_as_its_mark_has_none() -> None:
    sent, _ = ask(LONG_TEXT, tools=[native_tool("a", cache_control=None, defer_loading=True)])
    assert sent["cache_control"] == SHORT


def test_the_mark_of_a_tool_that_is_not_allowed_is_reported() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "a"}}]}
    tools = [chat_tool("a"), chat_tool("b", cache_control=SHORT)]
    sent, translation = ask("hi", tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert "cache_control" not in json.dumps(sent)
    assert translation.ignored == ("cache_control",)


def test_a_mark_on_thinking_of_another_gateway_is_reported() -> None:
    thinking = {"type": "thinking", "thinking": "t", "signature": "s", "cache_control": SHORT}
    _, translation = ask("hi", {"role": "assistant", "content": "a", "thinking_blocks": [thinking]}, "go on")
    assert translation.ignored == ("messages[].thinking_blocks",)


def test_marks_of_native_tools_count_towards_the_four() -> None:
    tools = [
        native_tool("a", cache_control=SHORT),
        {"type": "web_search_20250305", "name": "w", "cache_control": SHORT},
    ]
    sent, translation = ask([part(name, SHORT) for name in "xyz"], tools=tools)
    assert [tool.get("cache_control") for tool in sent["tools"]] == [None, SHORT]
    assert [block["cache_control"] for block in sent["messages"][0]["content"]] == [SHORT] * 3
    assert translation.ignored == ("cache_control",)


def test_the_automatic_mark_of_the_client_counts_towards_the_four() -> None:
    sent, translation = ask([part(name, SHORT) for name in "wxyz"], "more", cache_control=SHORT)
    marks = [block.get("cache_control") for block in sent["messages"][0]["content"]]
    assert (marks, sent["cache_control"]) == ([None, SHORT, SHORT, SHORT, None], SHORT)
    assert translation.ignored == ("cache_control",)


@pytest.mark.parametrize(
    ("blocks", "automatic", "expected", "ignored"),
    [
        ([SHORT, None], HOUR, ([HOUR, None], HOUR), ("cache_control.ttl",)),
        ([HOUR, None], HOUR, ([HOUR, None], HOUR), ()),
        ([HOUR, None], SHORT, ([HOUR, None], SHORT), ()),
        ([SHORT, HOUR], SHORT, ([HOUR, HOUR], HOUR), ("cache_control.ttl",)),
        ([None, SHORT], HOUR, ([None, HOUR], HOUR), ("cache_control.ttl",)),
        ([None, SHORT], SHORT, ([None, SHORT], SHORT), ()),
    ],
)
def test_the_automatic_mark_of_the_client_keeps_the_order(
    blocks: list[Any], automatic: Any, expected: Any, ignored: tuple[str, ...]
) -> None:
    sent, translation = ask([part("a", blocks[0]), part("b", blocks[1])], cache_control=automatic)
    marks = [block.get("cache_control") for block in sent["messages"][0]["content"]]
    assert ((marks, sent["cache_control"]), translation.ignored) == (expected, ignored)


def test_an_automatic_mark_on_text_needs_no_other_lifetime() -> None:
    sent, translation = ask({"role": "system", "content": [part("s", HOUR)]}, "hi", cache_control=SHORT)
    assert (sent["cache_control"], translation.ignored) == (SHORT, ())


def test_a_breakpoint_for_half_a_day_lasts_an_hour_and_is_reported() -> None:
    breakpoint_ = {"mode": "explicit", "ttl": "12h"}
    sent, translation = ask([{"type": "text", "text": "a", "prompt_cache_breakpoint": breakpoint_}])
    assert sent["messages"][0]["content"] == [part("a", HOUR)]
    assert translation.ignored == ("messages[].content[].prompt_cache_breakpoint.ttl",)


def test_the_lifetime_of_the_options_is_for_marks_without_one() -> None:
    marks = [part("a", SHORT), part("b", SHORT | {"ttl": "5m"})]
    sent, translation = ask(marks, prompt_cache_options={"ttl": "30m"})
    assert [block["cache_control"] for block in sent["messages"][0]["content"]] == [HOUR, SHORT | {"ttl": "5m"}]
    assert translation.ignored == ()


def test_the_lifetime_of_the_options_is_for_the_automatic_mark_too() -> None:
    sent, translation = ask("hi", cache_control=SHORT, prompt_cache_options={"ttl": "1h"})
    assert (sent["cache_control"], translation.ignored) == (HOUR, ())


def test_the_service_caches_a_large_prompt_by_default() -> None:
    assert ask(LONG_TEXT)[0]["cache_control"] == SHORT
    assert "cache_control" not in ask("hi")[0]
    assert b"cache_control" not in ask(LONG_TEXT, dialect=LLAMA_CPP)[1].body


def test_our_marks_stand_down_where_the_client_marked_anything() -> None:
    assert ask([part(LONG_TEXT, SHORT)])[1].body.count(b"cache_control") == 1


def test_breakpoints_are_on_tools_system_and_the_last_two_user_turns() -> None:
    messages = [{"role": "system", "content": LONG_TEXT}, "a", {"role": "assistant", "content": "b"}, "c"]
    tools = [{"type": "function", "function": {"name": name}} for name in "fg"]
    sent, _ = ask(*messages, dialect=BREAKPOINTS, tools=tools)
    assert [tool.get("cache_control") for tool in sent["tools"]] == [None, SHORT]
    assert sent["system"][0]["cache_control"] == SHORT
    assert [message["content"] for message in sent["messages"]] == [[part("a", SHORT)], "b", [part("c", SHORT)]]


@pytest.mark.parametrize(
    ("fields", "mark", "ignored"),
    [
        ({"prompt_cache_options": {"mode": "implicit"}}, SHORT, ()),
        ({"prompt_cache_options": {"mode": "explicit"}}, None, ()),
        ({"prompt_cache_options": {"ttl": "30m"}}, HOUR, ()),
        ({"prompt_cache_options": {"ttl": "12h"}}, HOUR, ("prompt_cache_options.ttl",)),
        ({"prompt_cache_retention": "in_memory"}, SHORT, ()),
        ({"prompt_cache_retention": "24h"}, HOUR, ("prompt_cache_retention",)),
        ({"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}, None, ("prompt_cache_options.ttl",)),
        ({"prompt_cache_options": {"mode": "explicit", "ttl": "12h"}}, None, ("prompt_cache_options.ttl",)),
        ({"prompt_cache_options": {"mode": None, "ttl": None}}, SHORT, ()),
        ({"prompt_cache_options": None, "prompt_cache_retention": None, "prompt_cache_key": None}, SHORT, ()),
        ({"prompt_cache_key": "k"}, SHORT, ("prompt_cache_key",)),
    ],
)
def test_cache_options_decide_the_mark(fields: Any, mark: Any, ignored: tuple[str, ...]) -> None:
    sent, translation = ask(LONG_TEXT, **fields)
    assert (sent.get("cache_control"), translation.ignored) == (mark, ignored)


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"prompt_cache_options": {"mode": "implicit"}}, ()),
        ({"prompt_cache_options": {"ttl": "30m"}}, ("prompt_cache_options.ttl",)),
        ({"prompt_cache_retention": "in-memory"}, ()),
        ({"prompt_cache_retention": "24h"}, ("prompt_cache_retention",)),
    ],
)
def test_without_caching_a_lifetime_is_reported(fields: Any, ignored: tuple[str, ...]) -> None:
    sent, translation = ask(LONG_TEXT, dialect=Dialect(caching="off"), **fields)
    assert ("cache_control" not in json.dumps(sent), translation.ignored) == (True, ignored)


def test_breakpoints_have_the_lifetime_of_the_options() -> None:
    sent, _ = ask(LONG_TEXT, dialect=BREAKPOINTS, prompt_cache_options={"ttl": "30m"})
    assert sent["messages"][0]["content"][0]["cache_control"] == HOUR


def test_breakpoints_pass_over_deferred_tools() -> None:
    tools = [chat_tool("a"), native_tool("b"), native_tool("c", defer_loading=True)]
    sent, _ = ask(LONG_TEXT, dialect=BREAKPOINTS, tools=tools)
    assert [tool.get("cache_control") for tool in sent["tools"]] == [None, SHORT, None]


def test_breakpoints_are_on_the_last_block_of_a_turn() -> None:
    sent, _ = ask(LONG_TEXT, {"role": "assistant", "content": "b"}, [part("c"), part("d")], dialect=BREAKPOINTS)
    assert sent["messages"][2]["content"] == [part("c"), part("d", SHORT)]


def test_breakpoints_need_neither_tools_nor_system() -> None:
    sent, _ = ask(LONG_TEXT, dialect=BREAKPOINTS, tools=[chat_tool("c", defer_loading=True)])
    assert json.dumps(sent).count("cache_control") == 1
