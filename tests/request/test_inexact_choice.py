"""A service that does not enforce `tool_choice`: only the tools that may be called are sent."""

from typing import Any

import pytest

from chatcompat import Dialect
from tests.request.test_unforced import TOOL, ask

INEXACT = Dialect(exact_tool_choice=False)
NAMED = {"type": "function", "function": {"name": "g"}}
TOOLS = [TOOL, NAMED]
JSON: Any = {"response_format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("fields", "names", "choice", "ignored"),
    [
        ({}, ["f", "g"], None, ()),
        ({"tool_choice": "auto"}, ["f", "g"], "auto", ()),
        ({"tool_choice": "required"}, ["f", "g"], "any", ()),
        ({"tool_choice": NAMED}, ["g"], "any", ()),
        ({"tool_choice": NAMED, **JSON}, ["g"], "any", ()),
        ({"tool_choice": "none"}, [], "none", ()),
        ({"tool_choice": "required", "parallel_tool_calls": False}, ["f", "g"], "any", ("parallel_tool_calls",)),
        ({"tool_choice": NAMED, "parallel_tool_calls": False, **JSON}, ["g"], "any", ("parallel_tool_calls",)),
    ],
)
def test_the_tools_that_are_sent_are_those_that_may_be_called(
    fields: Any, names: list[str], choice: str | None, ignored: tuple[str, ...]
) -> None:
    sent, translation = ask(INEXACT, tools=TOOLS, **fields)
    assert [tool["name"] for tool in sent.get("tools", [])] == names
    assert sent.get("tool_choice", {}).get("type") == (choice if names else None)
    assert translation.ignored == ignored


def test_without_tools_there_is_no_choice_to_send() -> None:
    sent, translation = ask(INEXACT)
    assert (sent.keys() & {"tools", "tool_choice"}, translation.ignored) == (set(), ())
