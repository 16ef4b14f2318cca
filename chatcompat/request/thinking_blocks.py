"""Thinking that a client sends back in `reasoning_details` -> thinking blocks, each in position."""

from collections.abc import Sequence

from chatcompat.request.content import is_blank
from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.messages import (
    BlockParam,
    RedactedThinkingBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolUseBlockParam,
)


def place_thinking(
    text: Sequence[TextBlockParam], calls: Sequence[ToolUseBlockParam], details: Sequence[ReasoningDetail]
) -> tuple[list[BlockParam], bool]:
    """Return the blocks of an assistant turn in the order of `details`, and whether all thinking was kept.

    Thinking without a signature, or in another service's format, is dropped. Text and calls that `details` do not
    cover, as in a message that the client edited, follow at the end, text first.
    """
    content, end = "".join(block.text for block in text), 0
    breakpoint_ = next((block.cache_control for block in reversed(text) if block.cache_control), None)
    waiting = iter(calls)
    blocks: list[BlockParam] = []
    kept = True
    for detail in details:
        if detail.type == "content":
            start, end = end, end + (detail.length or 0)
            _add_text(blocks, content[start:end])
        elif detail.type == "tool_call":
            blocks += [call for call in [next(waiting, None)] if call is not None]
        elif detail.type == "reasoning.text" and detail.signature:
            blocks.append(ThinkingBlockParam(detail.text or "", detail.signature))
        elif detail.type == "reasoning.encrypted" and detail.data:
            blocks.append(RedactedThinkingBlockParam(detail.data))
        else:
            kept = False
    _add_text(blocks, content[end:])
    if breakpoint_ is not None:
        last = next(block for block in reversed(blocks) if isinstance(block, TextBlockParam))
        last.cache_control = breakpoint_
    return [*blocks, *waiting], kept


def _add_text(blocks: list[BlockParam], text: str) -> None:
    if not is_blank(text):
        blocks.append(TextBlockParam(text))
