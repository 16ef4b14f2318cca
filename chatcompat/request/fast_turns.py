"""A fast path for calls and their results, of which an agent's history consists.

It gives the same blocks as the general path, with fewer steps, or None. You can skip this file: without it, everything
works in the same way.
"""

from typing import Final

from msgspec import UNSET
from msgspec.structs import astuple

from chatcompat.request.bounds import RequestBounds
from chatcompat.request.tool_arguments import to_short_input
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import AssistantMessage, Message, ToolCall
from chatcompat.wire.ids import UniqueIds, to_native_id
from chatcompat.wire.messages import BlockParam, MessageParam, TextBlockParam, ToolResultBlockParam, ToolUseBlockParam

_NONE_RARE: Final = astuple(AssistantMessage())[2:]


def is_usual(message: AssistantMessage) -> bool:
    """Whether a message has only content and calls, as most have."""
    return astuple(message)[2:] == _NONE_RARE


class UsualTurns:
    """Converts messages with calls, and the results behind each of them, in the state of one conversation."""

    __slots__ = ("_bounds", "_ids", "_names")

    def __init__(self, names: ToolNames, ids: UniqueIds, bounds: RequestBounds) -> None:
        self._names = names
        self._ids = ids
        self._bounds = bounds

    def add(self, turns: list[MessageParam], messages: list[Message], at: int) -> int:
        """Add such messages from an index on, and return the index of what is left.

        No call may be waiting. What the user says behind results has to join them.
        """
        while at < len(messages):
            message = messages[at]
            if message.role != "assistant" or not message.tool_calls:
                break
            behind = at + 1 + len(message.tool_calls)
            blocks = self._to_blocks(message, message.tool_calls, messages[at + 1 : behind])
            if blocks is None:
                break
            said, results = blocks
            if turns and turns[-1].role == "assistant":
                turns[-1].content += said  # type: ignore[operator]  # a list until the conversation is closed
            else:
                turns.append(MessageParam("assistant", said))
            turns.append(MessageParam("user", results))  # type: ignore[arg-type]  # the user may go on
            at = behind
        return at

    def _to_blocks(
        self, message: AssistantMessage, calls: list[ToolCall], results: list[Message]
    ) -> tuple[list[BlockParam], list[ToolResultBlockParam]] | None:
        """The blocks of a message, and of those behind it if they are the results of its calls in their order.

        None for anything that few histories have, and for every error.
        """
        text, bounds = message.content, self._bounds
        if isinstance(text, list) or not is_usual(message) or not len(calls) == len(results) <= bounds.calls:
            return None
        said: list[BlockParam] = [TextBlockParam(text)] if text and not text.isspace() else []
        uses: list[ToolUseBlockParam] = []
        answers: list[ToolResultBlockParam] = []
        native_ids: list[str] = []
        for call, result in zip(calls, results):  # noqa: B905 - their lengths are equal
            function = call.function
            if result.role != "tool" or result.tool_call_id != call.id or function is None or call.type != "function":
                return None
            name, content = function.name, result.content
            if not isinstance(content, str) or not (result.name is None or result.name == name):
                return None
            if result.is_error or result.cache_control is not None:
                return None
            read = to_short_input(function.arguments, bounds.depth)
            if read is None:
                return None
            native_id = to_native_id(call.id)
            native_ids.append(native_id)
            uses.append(ToolUseBlockParam(native_id, self._names.to_native(name), read))
            answers.append(ToolResultBlockParam(native_id, content if content and not content.isspace() else UNSET))
        if not self._ids.take_new(native_ids):  # some servers number the calls of each reply from zero
            for use, answer, native_id in zip(uses, answers, native_ids):  # noqa: B905 - their lengths are equal
                use.id = answer.tool_use_id = self._ids.unique(native_id)
        said += uses
        return said, answers
