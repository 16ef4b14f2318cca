"""Chat messages -> the `system` array and alternating turns.

Chat completions accepts roles in any order, with one message per tool result. The native API requires alternating
turns, and a turn with tool calls must be followed by a user turn that starts with all their results. So a user turn
collects blocks until the next assistant message, and is then written in that order.
"""

from collections.abc import Sequence
from typing import Final

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.assistant_turn import AssistantTurns, has_calls
from chatcompat.request.bounds import check_count
from chatcompat.request.content import (
    fill_result,
    is_blank,
    mark_last,
    to_blocks,
    to_text_blocks,
)
from chatcompat.request.context import RequestContext
from chatcompat.request.fast_turns import UsualTurns, is_usual
from chatcompat.request.native_turns import answer_natively
from chatcompat.request.pending_calls import PendingCalls, unexpected_function, unexpected_result
from chatcompat.request.prefix import Place
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import (
    AssistantMessage,
    FunctionMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from chatcompat.wire.messages import BlockParam, MessageParam, TextBlockParam

# The first native turn must be the user's, but a chat may begin with a greeting from the assistant.
OPENING: Final = "(The conversation begins with the assistant's message.)"

SYSTEM_TAGS: Final = ("<system>\n", "\n</system>")
"""What stands around an instruction within a user turn."""


class _Instruction:
    """A system message within the conversation, at its position in the user turn."""

    __slots__ = ("blocks",)

    def __init__(self, blocks: list[TextBlockParam]) -> None:
        self.blocks = blocks


def leading_system(messages: list[Message], context: RequestContext) -> list[list[TextBlockParam]]:
    """The text blocks of each system or developer message at the start of a chat."""
    leading: list[list[TextBlockParam]] = []
    for index, message in enumerate(messages):
        if not isinstance(message, SystemMessage):
            break
        _check_parts(message.content, index, context)
        if message.name is not None:
            context.take_name(message.name, "system")
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
        self._usual = UsualTurns(names, self._assistant.ids, context.bounds)
        self._user: list[BlockParam | _Instruction] = []
        self._instructed = False  # whether an instruction is among them
        self._last = last  # the index of the last message

    def add_all(self, messages: list[Message], first: int) -> None:
        """Add chat messages; `first` is the index of the first of them in the request."""
        at = 0
        while at < len(messages):
            message, index = messages[at], at + first
            if message.role == "assistant":  # the most frequent first
                behind = self._add_usual(message, messages, at) if message.tool_calls else at
                if behind > at:
                    at = behind
                    continue
                self._add_assistant(message, index)
            elif message.role == "tool":
                self._add_tool(message, index)
            elif message.role == "user":
                self._add_user(message, index)
            elif message.role == "function":
                self._add_function(message, index)
            else:
                self._add_system(message, index)
            at += 1

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
            content = turn.content
            if len(content) == 1 and type(content[0]) is TextBlockParam and content[0].cache_control is None:
                turn.content = content[0].text
        return turns

    # ------------------------------------------------------------ one role each

    def _add_user(self, message: UserMessage, index: int) -> None:
        content = message.content
        if isinstance(content, str) and not is_blank(content) and message.name is None is message.cache_control:
            self._user.append(TextBlockParam(content))  # most messages
            return
        _check_parts(content, index, self._context)
        if message.name is not None:
            self._context.take_name(message.name, "user")
        path = f"messages[{index}].content"
        results = answer_natively(content, path, self._calls, self._context) if isinstance(content, list) else []
        blocks = to_blocks(content, path, self._context)
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

    def _add_system(self, message: SystemMessage, index: int) -> None:
        _check_parts(message.content, index, self._context)
        if message.name is not None:
            self._context.take_name(message.name, "system")
        if blocks := _instruction_blocks(message, self._context):
            self._user.append(_Instruction(blocks))
            self._instructed = True

    def say(self, blocks: list[TextBlockParam]) -> None:
        """Add text to the user turn that comes from no user message."""
        self._user += blocks

    def _add_usual(self, message: AssistantMessage, messages: list[Message], at: int) -> int:
        """Add turns of calls and results from this index on, by the fast path. Returns the index of what is left."""
        context, calls = self._context, message.tool_calls or ()
        if context.native_ids or isinstance(message.content, list) or len(calls) > context.bounds.calls:
            return at
        self._begin_assistant_turn()
        if self._calls:
            return at
        return self._usual.add(self.messages, messages, at)

    def _add_assistant(self, message: AssistantMessage, index: int) -> None:
        content, calls, thinking = message.content, message.tool_calls or (), message.reasoning_details
        if thinking or isinstance(content, list) or self._context.native_ids or not is_usual(message):
            self._add_rare_assistant(message, index)
            return
        if len(calls) > 1:  # no bound is below 1
            _check_calls(calls, index, self._context)
        if calls:
            self._begin_assistant_turn()
            self._say(self._assistant.to_usual_blocks(content, calls, index))
        elif content and not content.isspace():  # after an empty message the user turn continues
            self._begin_assistant_turn()
            self._say([TextBlockParam(content)])

    def _add_rare_assistant(self, message: AssistantMessage, index: int) -> None:
        _check_parts(message.content, index, self._context)
        if message.tool_calls:
            _check_calls(message.tool_calls, index, self._context)
        if not (message.reasoning_details is None is message.thinking_blocks):
            _check_rare_lists(message, index, self._context)
        if message.name is not None:
            self._context.take_name(message.name, "assistant")
        if has_calls(message):
            self._begin_assistant_turn()
        blocks = self._assistant.to_blocks(message, index)
        if message.cache_control is not None:
            mark_last(blocks, message.cache_control, self._context)
        if not blocks:
            return  # an empty message: the user turn continues
        self._begin_assistant_turn()
        if message.reasoning_details:
            continues = bool(self.messages) and self.messages[-1].role == "assistant"
            self.places[index] = (
                (len(self.messages) - 1, len(self.messages[-1].content)) if continues else (len(self.messages), 0)
            )
        self._say(blocks)

    def _begin_assistant_turn(self) -> None:
        if self._user or self._calls.answered:
            self._end_user_turn()

    def _say(self, blocks: list[BlockParam]) -> None:
        """Add blocks to the assistant's turn."""
        turns = self.messages
        if turns and turns[-1].role == "assistant":
            turns[-1].content += blocks  # type: ignore[operator]  # a list until `close`
        else:
            turns.append(MessageParam("assistant", blocks))

    def _add_tool(self, message: ToolMessage, index: int) -> None:
        content = message.content
        if isinstance(content, list):
            _check_parts(content, index, self._context)
        result = self._calls.answer(message.tool_call_id)
        if result is None:
            raise unexpected_result(message.tool_call_id, f"messages[{index}].tool_call_id")
        if message.name is not None and message.name != self._assistant.called[result.tool_use_id]:
            self._ignored.append("messages[].name")
        if isinstance(content, str) and message.cache_control is None and not message.is_error:  # most results
            if content and not content.isspace():
                result.content = content
        else:
            fill_result(result, message, f"messages[{index}].content", self._context)

    def _add_function(self, message: FunctionMessage, index: int) -> None:
        result = self._calls.answer((message.name,))
        if result is None:
            raise unexpected_function(f"messages[{index}].name")
        content = message.content
        if content and not content.isspace():
            result.content = content

    # ------------------------------------------------------------ turns

    def _end_user_turn(self) -> None:
        content, user, turns = self._calls.take_results(), self._user, self.messages
        instructions: list[BlockParam] = []
        goes_on = bool(turns) and turns[-1].role == "user"  # with results
        if self._instructed:
            blocks, instructions = self._split_instructions(goes_on or bool(content))
            content += blocks
            self._instructed = False
        else:
            content += user  # type: ignore[arg-type]  # without instructions
        self._user = []
        if goes_on:
            turns[-1].content += content  # type: ignore[operator]  # a list until `close`
        elif content:
            turns.append(MessageParam("user", content))
        if instructions:
            turns.append(MessageParam("system", instructions))

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


# Each compares before it calls, so that a path is written for an error alone.


def _check_parts(content: object, index: int, context: RequestContext) -> None:
    """Check the number of content parts of the message with this index."""
    most = context.bounds.parts
    if isinstance(content, list) and len(content) > most:
        check_count("content parts", len(content), most, f"messages[{index}].content")


def _check_calls(calls: Sequence[ToolCall], index: int, context: RequestContext) -> None:
    most = context.bounds.calls
    if len(calls) > most:
        check_count("tool calls", len(calls), most, f"messages[{index}].tool_calls")


def _check_rare_lists(message: AssistantMessage, index: int, context: RequestContext) -> None:
    """Check the number of entries in lists that few assistant messages have."""
    most, details, blocks = context.bounds.parts, message.reasoning_details, message.thinking_blocks
    if details is not None and len(details) > most:
        check_count("reasoning details", len(details), most, f"messages[{index}].reasoning_details")
    if blocks is not None and len(blocks) > most:
        check_count("thinking blocks", len(blocks), most, f"messages[{index}].thinking_blocks")


def _marked(instruction: _Instruction) -> list[BlockParam]:
    """Mark the blocks in place: `RequestContext` may still drop their breakpoints, which it would miss in a copy.

    One pair of tags stands around all of them, so that many small blocks do not become much larger.
    """
    before, after = SYSTEM_TAGS
    first, last = instruction.blocks[0], instruction.blocks[-1]
    first.text = before + first.text
    last.text += after
    return [*instruction.blocks]
