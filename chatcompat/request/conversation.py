"""Chat messages -> the `system` array and alternating turns.

Chat completions accepts roles in any order, with one message per tool result. The native API requires alternating
turns, and a turn with tool calls must be followed by a user turn that starts with all their results. So a user turn
collects blocks until the next assistant message, and is then written in that order.
"""

from typing import Final, assert_never

from msgspec import Raw, Struct

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.assistant_turn import AssistantTurns, has_calls
from chatcompat.request.bounds import RequestBounds, check_count
from chatcompat.request.content import (
    fill_result,
    mark_last,
    only_text,
    set_content,
    to_blocks,
    to_text_blocks,
)
from chatcompat.request.context import RequestContext
from chatcompat.request.native_turns import answer_natively
from chatcompat.request.pending_calls import PendingCalls
from chatcompat.request.prefix import Place
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import (
    AssistantMessage,
    FunctionMessage,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from chatcompat.wire.messages import BlockParam, MessageParam, TextBlockParam

_NULL: Final = Raw(b"null")

# The first native turn must be the user's, but a chat may begin with a greeting from the assistant.
OPENING: Final = "(The conversation begins with the assistant's message.)"


class _Instruction(Struct):
    """A system message within the conversation, at its position in the user turn."""

    blocks: list[TextBlockParam]


def leading_system(messages: list[Message], context: RequestContext) -> list[list[TextBlockParam]]:
    """The text blocks of each system or developer message at the start of a chat."""
    leading: list[list[TextBlockParam]] = []
    for index, message in enumerate(messages):
        if not isinstance(message, SystemMessage):
            break
        _check_counts(message, index, context.bounds)
        if message.name is not None:
            context.ignored.append("messages[].name")
        leading.append(_instruction_blocks(message, context))
    return leading


def _instruction_blocks(message: SystemMessage, context: RequestContext) -> list[TextBlockParam]:
    blocks = to_text_blocks(message.content, context)
    mark_last(blocks, message.cache_control, context)
    return blocks


class Conversation:
    """Collects turns; `messages` holds them after `close`."""

    def __init__(self, dialect: Dialect, names: ToolNames, context: RequestContext, last: int) -> None:
        self.messages: list[MessageParam] = []
        self.places: dict[int, Place] = {}  # where each message with thinking begins, by its index in the request
        self.repeated: str = ""  # the prefill, if the inner app's reply repeats it
        self._dialect = dialect
        self._context = context
        self._ignored = context.ignored
        self._calls = PendingCalls()
        self._assistant = AssistantTurns(dialect, names, context, self._calls)
        self._user: list[BlockParam | _Instruction] = []
        self._last = last  # the index of the last message

    def add(self, index: int, message: Message) -> None:
        """Add one chat message; `index` is its index in the request."""
        _check_counts(message, index, self._context.bounds)
        if message.name is not None and not isinstance(message, FunctionMessage | ToolMessage):
            self._ignored.append("messages[].name")
        match message:
            case UserMessage():
                self._add_user(message, index)
            case AssistantMessage():
                self._add_assistant(message, index)
            case ToolMessage():
                self._add_tool(message, index)
            case FunctionMessage():
                self._add_function(message, index)
            case SystemMessage():
                if blocks := _instruction_blocks(message, self._context):
                    self._user.append(_Instruction(blocks))
            case _:
                assert_never(message)

    def close(self) -> list[MessageParam]:
        """End the last turn and return all turns."""
        self._end_user_turn()
        turns = self.messages
        if turns and turns[-1].role == "assistant":
            self._end_prefill()
        if not turns:
            raise InvalidRequest(
                "No message has text. Send one with text.", param="messages", code="empty_conversation"
            )
        if turns[0].role == "assistant":
            self._ignored.append("messages[0].role")
            turns.insert(0, MessageParam("user", OPENING))
            self.places = {index: (at + 1, offset) for index, (at, offset) in self.places.items()}
        for turn in turns:
            if (text := only_text(turn.content)) is not None:
                turn.content = text
        return turns

    # ------------------------------------------------------------ one role each

    def _add_user(self, message: UserMessage, index: int) -> None:
        results = answer_natively(message.content, f"messages[{index}].content", self._calls, self._context)
        blocks = to_blocks(message.content, f"messages[{index}].content", self._context)
        if not blocks and not results and index < self._last:
            self._ignored.append("messages[].content")
            return
        if not blocks and not results:
            raise InvalidRequest(
                "This user message is empty. Send text, an image or a file.",
                param=f"messages[{index}].content",
                code="empty_content",
            )
        mark_last(blocks or results, message.cache_control, self._context)
        self._user += blocks

    def say(self, blocks: list[TextBlockParam]) -> None:
        """Add text to the user turn that comes from no user message."""
        self._user += blocks

    def _add_assistant(self, message: AssistantMessage, index: int) -> None:
        if has_calls(message):
            self._begin_assistant_turn()
        blocks = self._assistant.to_blocks(message, index)
        mark_last(blocks, message.cache_control, self._context)
        if not blocks:
            return  # an empty message: the user turn continues
        self._begin_assistant_turn()
        continues = bool(self.messages) and self.messages[-1].role == "assistant"
        if message.reasoning_details:
            self.places[index] = (
                (len(self.messages) - 1, len(self.messages[-1].content)) if continues else (len(self.messages), 0)
            )
        if continues:
            self.messages[-1].content += blocks  # type: ignore[operator]  # a list until `close`
        else:
            self.messages.append(MessageParam("assistant", blocks))

    def _begin_assistant_turn(self) -> None:
        if self._user or self._calls.answered:
            self._end_user_turn()

    def _add_tool(self, message: ToolMessage, index: int) -> None:
        result = self._calls.answer_tool(message.tool_call_id, f"messages[{index}].tool_call_id")
        if message.name not in (None, self._assistant.called[result.tool_use_id]):
            self._ignored.append("messages[].name")
        fill_result(result, message, f"messages[{index}].content", self._context)

    def _add_function(self, message: FunctionMessage, index: int) -> None:
        set_content(self._calls.answer_function(message.name, index), to_blocks(message.content, "", self._context))

    # ------------------------------------------------------------ turns

    def _end_user_turn(self) -> None:
        content: list[BlockParam] = [*self._calls.take_results()]
        blocks, instructions = self._split_instructions(bool(content))
        content += blocks
        if content:
            self.messages.append(MessageParam("user", content))
        if instructions:
            self.messages.append(MessageParam("system", instructions))
        self._user = []

    def _split_instructions(self, has_results: bool) -> tuple[list[BlockParam], list[BlockParam]]:
        """Return the blocks of the user turn, and those of the system message that follows it.

        The native API accepts `role: "system"` only after a user turn, with the assistant's turn next. Elsewhere, or if
        the inner app lacks this role, an instruction becomes marked text at its position.
        """
        user = self._user
        end = len(user)
        if self._dialect.system_messages:
            while end and isinstance(user[end - 1], _Instruction):
                end -= 1
            if not end and not has_results:
                end = len(user)
        blocks: list[BlockParam] = []
        for item in user[:end]:
            blocks += _marked(item) if isinstance(item, _Instruction) else [item]
        return blocks, [block for item in user[end:] if isinstance(item, _Instruction) for block in item.blocks]

    def _end_prefill(self) -> None:
        """Prepare a prefill, a final assistant message. Natively it must not end in whitespace."""
        if not self._dialect.prefill:
            raise InvalidRequest(
                "This service cannot continue a reply. Send a user message after this assistant message.",
                param=f"messages[{self._last}]",
                code="unsupported_value",
            )
        turn = self.messages[-1]
        block = turn.content[-1]
        if isinstance(block, TextBlockParam):
            if self._dialect.repeats_prefill:  # as one block: the service may join blocks in its own way
                block.text = "".join(text.text for text in turn.content if isinstance(text, TextBlockParam))
                turn.content = [
                    *(other for other in turn.content if not isinstance(other, str | TextBlockParam)),
                    block,
                ]
            block.text = block.text.rstrip()
            self.repeated = block.text if self._dialect.repeats_prefill else ""


def _check_counts(message: Message, index: int, bounds: RequestBounds) -> None:
    """Check the lists of one message against the limits."""
    if isinstance(message.content, list):
        check_count("content parts", len(message.content), bounds.parts, f"messages[{index}].content")
    if isinstance(message, AssistantMessage):
        if message.tool_calls is not None:
            check_count("tool calls", len(message.tool_calls), bounds.calls, f"messages[{index}].tool_calls")
        if message.reasoning_details is not None:
            details = len(message.reasoning_details)
            check_count("reasoning details", details, bounds.parts, f"messages[{index}].reasoning_details")
        if message.thinking_blocks is not None:
            blocks = len(message.thinking_blocks)
            check_count("thinking blocks", blocks, bounds.parts, f"messages[{index}].thinking_blocks")


def _marked(instruction: _Instruction) -> list[BlockParam]:
    """Mark the blocks in place: `RequestContext` may still drop their breakpoints, which it would miss in a copy."""
    for block in instruction.blocks:
        block.text = f"<system>\n{block.text}\n</system>"
    return [*instruction.blocks]
