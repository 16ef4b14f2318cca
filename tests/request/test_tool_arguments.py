"""The arguments of earlier calls: unchanged, or `{}` if a token limit cut them off."""

import json
from typing import Any

import pytest

from chatcompat import InvalidRequest, translate

WHOLE = '{"a": -1.5e+3, "b": [true, false, null], "c": "\\ud83d\\ude42 \\u00e9\\n", "d": {"x": -0.0E-2}}'


def sent(arguments: str) -> tuple[Any, tuple[str, ...]]:
    """The call's native input, and the ignored fields."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ]
    translation = translate(json.dumps({"model": "m", "messages": messages}).encode())
    return json.loads(translation.body)["messages"][1]["content"][0]["input"], translation.ignored


def test_whole_arguments_arrive() -> None:
    assert sent(WHOLE) == (json.loads(WHOLE), ())


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_arguments_cut_off_anywhere_are_an_empty_object_and_reported(end: int) -> None:
    assert sent(WHOLE[:end]) == ({}, ("messages[].tool_calls[].function.arguments",))


@pytest.mark.parametrize(
    "given", ["t", "tru", "[1", '"abc', "-", "1.", "x", '{"a":.', '{"a":1}x', '{"a":-x', "\ufeff{}"]
)
def test_what_does_not_begin_as_an_object_was_not_cut_off(given: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(given)
    assert refused.value.param == "messages[1].tool_calls[0].function.arguments"
