"""Turns whose content has native blocks: calls and thinking of the assistant, results of the user."""

from collections.abc import Callable, Sequence
from typing import assert_never

from chatcompat.dialect import Dialect
from chatcompat.request.bounds import check_count
from chatcompat.request.content import fill_result, is_blank, to_text_blocks
from chatcompat.request.context import RequestContext
from chatcompat.request.native_blocks import to_thinking_block
from chatcompat.request.pending_calls import PendingCalls, unexpected_result
from chatcompat.wire.chat_native import RedactedThinkingPart, ThinkingPart, ToolUsePart
from chatcompat.wire.chat_request import AssistantPart, RefusalPart, TextPart, UserPart
from chatcompat.wire.messages import BlockParam, TextBlockParam, ToolResultBlockParam, ToolUseBlockParam


def answer_natively(
    content: Sequence[UserPart], path: str, calls: PendingCalls, context: RequestContext
) -> list[ToolResultBlockParam]:
    """Answer calls with the native results in a user message."""
    results: list[ToolResultBlockParam] = []
    for index, part in enumerate(content):
        if part.type == "tool_result":
            within = f"{path}[{index}]"
            result = calls.answer(part.tool_use_id)
            if result is None:
                raise unexpected_result(part.tool_use_id, f"{within}.tool_use_id")
            if isinstance(part.content, list):
                check_count("content parts", len(part.content), context.bounds.parts, f"{within}.content")
            fill_result(result, part, f"{within}.content", context)
            if part.toolset_name is not None and part.toolset_name != result.toolset_name:
                context.ignored.append("messages[].content[].toolset_name")  # the service only accepts that of the call
            results.append(result)
    return results


def to_native_turn(
    content: Sequence[AssistantPart],
    path: str,
    dialect: Dialect,
    context: RequestContext,
    call: Callable[[ToolUsePart, str], ToolUseBlockParam],
) -> list[BlockParam]:
    """Return the blocks of an assistant message, in their order. `call` converts a call at a path."""
    blocks: list[BlockParam] = []
    for index, part in enumerate(content):
        match part:
            case ToolUsePart():
                blocks.append(call(part, f"{path}[{index}]"))
            case ThinkingPart() | RedactedThinkingPart():
                thinking = None if dialect.reasoning == "none" else to_thinking_block(part)
                if thinking is not None:
                    blocks.append(thinking)
                else:
                    context.ignored.append("messages[].content[].thinking")
            case TextPart():
                blocks += to_text_blocks([part], context)
            case RefusalPart(refusal):
                blocks += [] if is_blank(refusal) else [TextBlockParam(refusal)]
            case _:
                assert_never(part)
    return blocks
