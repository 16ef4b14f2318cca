"""The structs of which a request has many are left to reference counts: they are never part of a cycle.

For the garbage collector to look at them took a twelfth of the time of an agent's request.
"""

from types import UnionType
from typing import Any, get_args

import msgspec
import pytest

from chatcompat.wire import chat_request, chat_tools, messages


def members(union: Any) -> list[type]:
    return [one for one in get_args(union) if isinstance(one, type) and issubclass(one, msgspec.Struct)]


MANY = [
    *members(chat_request.Message),
    *members(chat_request.UserPart),
    *members(chat_request.AssistantPart),
    *members(messages.BlockParam),
    chat_request.ToolCall,
    chat_request.FunctionCall,
    chat_tools.FunctionTool,
    chat_tools.FunctionDefinition,
    messages.MessageParam,
    messages.ToolParam,
]


@pytest.mark.parametrize("struct", MANY)
def test_the_collector_does_not_look_at_it(struct: Any) -> None:
    assert struct.__struct_config__.gc is False


def test_the_unions_are_read() -> None:
    assert isinstance(messages.BlockParam, UnionType)
    assert len(MANY) > 20
