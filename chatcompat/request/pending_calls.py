"""The tool calls of the last assistant turn, until each has a result."""

import re
from collections import deque
from typing import Final

from msgspec import UNSET, Struct

from chatcompat.errors import InvalidRequest
from chatcompat.wire.messages import BlockParam, ToolResultBlockParam, ToolUseBlockParam

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Key = str | tuple[str]
"""How a result refers to its call: by the id of a tool call, or by the function of a legacy call, in a tuple."""

Where = str | tuple[int, int]
"""The path of a call, or the indexes of its message and of the call in `tool_calls`, from which an error builds it."""


class _Call(Struct):
    """A call, and its result once it is found."""

    chat_id: str | None  # a legacy `function_call` has none; its result names the function
    where: Where
    block: ToolUseBlockParam
    result: ToolResultBlockParam | None = None


class PendingCalls:
    """Pairs calls with results. A tool message refers to its call by id, a function message by the function's name."""

    def __init__(self) -> None:
        self.answered: bool = False
        """Whether any call has a result."""
        self._calls: list[_Call] = []
        self._waiting: dict[Key, _Call] = {}  # the first call with each id that has no result
        self._behind: dict[Key, deque[_Call]] = {}  # further calls with the same id

    def add(self, chat_id: str | None, name: str, block: ToolUseBlockParam, where: Where) -> None:
        """Add a call. `chat_id` is None for a legacy `function_call`."""
        call = _Call(chat_id, where, block)
        self._calls.append(call)
        key: Key = (name,) if chat_id is None else chat_id
        if key in self._waiting:
            self._behind.setdefault(key, deque()).append(call)
        else:
            self._waiting[key] = call

    def answer(self, key: Key) -> ToolResultBlockParam | None:
        """Return the empty result of the first waiting call of `key`, or None if there is none."""
        call = self._waiting.pop(key, None)
        if call is None:
            return None
        if self._behind and (behind := self._behind.get(key)):
            self._waiting[key] = behind.popleft()
        block = call.block
        result = call.result = ToolResultBlockParam(block.id)
        if block.toolset_name is not UNSET:
            result.toolset_name = block.toolset_name
        self.answered = True
        return result

    def take_results(self) -> list[BlockParam]:
        """Return the results in the order of the calls, and forget the calls.

        Raises:
            InvalidRequest: If a call has no result.
        """
        if not self._calls:  # most often
            return []
        results: list[BlockParam] = []
        for call in self._calls:
            if call.result is None:
                raise _missing_result(call)
            results.append(call.result)
        self.answered, self._calls, self._behind = False, [], {}
        return results

    def __bool__(self) -> bool:
        """Whether there are calls of this turn."""
        return bool(self._calls)


def _missing_result(call: _Call) -> InvalidRequest:
    where = call.where if isinstance(call.where, str) else "messages[{}].tool_calls[{}]".format(*call.where)
    return InvalidRequest(
        f"The tool call with {_named(call.chat_id)} has no result. Add a tool message with its id."
        if call.chat_id is not None
        else "The function_call has no result. Add a function message with its name.",
        param=where,
        code="missing_tool_result",
    )


def unexpected_result(chat_id: str, path: str) -> InvalidRequest:
    """The error for a tool message whose call is not waiting. `path` is the path of its id."""
    return InvalidRequest(
        f"No earlier tool call with {_named(chat_id)} is waiting for a result. Send one result for each call.",
        param=path,
        code="unexpected_tool_result",
    )


def unexpected_function(path: str) -> InvalidRequest:
    """The error for a function message whose call is not waiting. `path` is the path of its name."""
    return InvalidRequest(
        "No earlier function_call with this name is waiting for a result. Send one result for each call.",
        param=path,
        code="unexpected_tool_result",
    )


def _named(chat_id: str) -> str:
    """How an error refers to a call. Only a plain id is repeated, since any other may contain a client's text."""
    return f"the id {chat_id!r}" if _PLAIN_ID.fullmatch(chat_id) else "this id"
