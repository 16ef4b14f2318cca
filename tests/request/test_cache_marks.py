"""Cache marks: the client's are kept and made valid; ours are set where it has none."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, Translation, translate
from chatcompat.dialect import LLAMA_CPP

SHORT = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
LONG_TEXT = "word " * 600
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


def test_the_service_caches_a_large_prompt_by_default() -> None:
    assert ask(LONG_TEXT)[0]["cache_control"] == SHORT
    assert "cache_control" not in ask("hi")[0]
    assert b"cache_control" not in ask(LONG_TEXT, dialect=LLAMA_CPP)[1].body


def test_our_marks_stand_down_where_the_client_marked_anything() -> None:
    assert ask([part(LONG_TEXT, SHORT)])[1].body.count(b"cache_control") == 1


def test_breakpoints_are_on_tools_system_and_the_last_two_user_turns() -> None:
    messages = [{"role": "system", "content": LONG_TEXT}, "a", {"role": "assistant", "content": "b"}, "c"]
    tools = [{"type": "function", "function": {"name": name}} for name in "fg"]
    sent, _ = ask(*messages, dialect=Dialect(caching="breakpoints"), tools=tools)
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
    ],
)
def test_cache_options_decide_the_mark(fields: Any, mark: Any, ignored: tuple[str, ...]) -> None:
    sent, translation = ask(LONG_TEXT, **fields)
    assert (sent.get("cache_control"), translation.ignored) == (mark, ignored)
