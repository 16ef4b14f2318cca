"""The tool calls of the last assistant turn, until each has its result."""

import re
from collections import deque
from typing import Final

from msgspec import Struct

from chatcompat.errors import InvalidRequest
from chatcompat.wire.messages import ToolResultBlockParam, ToolUseBlockParam

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Call(Struct):
    """A call, and its result once it is found."""

    chat_id: str | None  # a legacy `function_call` has none; its result names the function
    path: str
    block: ToolUseBlockParam
    result: ToolResultBlockParam | None = None


class PendingCalls:
    """Pairs calls with results. A tool message refers to its call by id, a function message by the function's name."""

    def __init__(self) -> None:
        self.answered: bool = False
        """Whether any call has a result."""
        self._calls: list[_Call] = []
        self._waiting: dict[tuple[str | None, str], deque[_Call]] = {}  # the calls without a result

    def add(self, chat_id: str | None, name: str, block: ToolUseBlockParam, path: str) -> None:
        """Add a call. `chat_id` is None for a legacy `function_call`; `path` is its path in the request."""
        call = _Call(chat_id, path, block)
        self._calls.append(call)
        key = (chat_id, name if chat_id is None else "")
        if key in self._waiting:
            self._waiting[key].append(call)
        else:
            self._waiting[key] = deque((call,))

    def answer_tool(self, chat_id: str, path: str) -> ToolResultBlockParam:
        """Return the empty result of the first waiting call with this id. `path` is the path of the id.

        Raises:
            InvalidRequest: If no such call is waiting.
        """
        if result := self._answer(chat_id, ""):
            return result
        raise InvalidRequest(
            f"No earlier tool call with {_named(chat_id)} is waiting for a result. Send one result for each call.",
            param=path,
            code="unexpected_tool_result",
        )

    def answer_function(self, name: str, index: int) -> ToolResultBlockParam:
        """Return the empty result of the first waiting call of this function. `index` is the index of the message.

        Raises:
            InvalidRequest: If no such call is waiting.
        """
        if result := self._answer(None, name):
            return result
        raise InvalidRequest(
            "No earlier function_call with this name is waiting for a result. Send one result for each call.",
            param=f"messages[{index}].name",
            code="unexpected_tool_result",
        )

    def _answer(self, chat_id: str | None, name: str) -> ToolResultBlockParam | None:
        waiting = self._waiting.get((chat_id, name))
        if not waiting:
            return None
        call = waiting.popleft()
        call.result = ToolResultBlockParam(tool_use_id=call.block.id, toolset_name=call.block.toolset_name)
        self.answered = True
        return call.result

    def take_results(self) -> list[ToolResultBlockParam]:
        """Return the result of each call, in the order of the calls, and wait for the calls of the next turn.

        Raises:
            InvalidRequest: If a call has none.
        """
        results: list[ToolResultBlockParam] = []
        for call in self._calls:
            if call.result is None:
                raise InvalidRequest(
                    f"The tool call with {_named(call.chat_id)} has no result. Add a tool message with its id."
                    if call.chat_id is not None
                    else "The function_call has no result. Add a function message with its name.",
                    param=call.path,
                    code="missing_tool_result",
                )
            results.append(call.result)
        self.answered, self._calls, self._waiting = False, [], {}
        return results


def _named(chat_id: str) -> str:
    """How an error refers to a call. Only a plain id is repeated, since any other could hold a client's text."""
    return f"the id {chat_id!r}" if _PLAIN_ID.fullmatch(chat_id) else "this id"
