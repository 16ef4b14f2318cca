"""Open a block of a message, by its type."""

from collections.abc import Callable
from typing import Any, Final

from chatcompat.reply.blocks import (
    ENTRY,
    OpenBlock,
    OpenCall,
    OpenOpaque,
    OpenText,
    OpenThinking,
    OpenWrapped,
    StreamedReply,
)
from chatcompat.reply.tool_input import to_free_text, to_unwrapped
from chatcompat.wire.ids import to_chat_id
from chatcompat.wire.message_reply import (
    Block,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)


def open_block(reply: StreamedReply, block: Block | OpaqueBlock) -> OpenBlock:
    """Open a block, and write its initial content."""
    reply.hold(ENTRY)
    return _OPENERS[type(block)](reply, block)


def _open_redacted(reply: StreamedReply, block: RedactedThinkingBlock) -> OpenBlock:
    reply.hold(len(block.data))
    reply.details.add_redacted(block.data)
    return OpenBlock(reply)


def _open_use(reply: StreamedReply, block: ToolUseBlock) -> OpenBlock:
    return _open_json(reply, block) if block.name == reply.context.json_tool else _open_call(reply, block)


def _open_json(reply: StreamedReply, block: ToolUseBlock) -> OpenBlock:
    if reply.json_seen:
        return OpenBlock(reply)  # two documents are not valid JSON
    reply.json_seen = True
    reply.writer.say("")  # makes the content a string, not null, even if the JSON is cut off before its first byte
    if reply.context.json_wrapped:
        return OpenWrapped(reply, reply.writer.say, block.input, to_unwrapped)
    return OpenCall(reply, reply.writer.say, block.input)


def _open_call(reply: StreamedReply, block: ToolUseBlock) -> OpenBlock:
    """Open a call. Its index counts calls, not blocks."""
    context, index = reply.context, reply.calls
    reply.calls += 1
    reply.details.add_call(block)
    if context.legacy_functions and index:
        return OpenBlock(reply)  # `function_call` can hold only one
    native_id = reply.ids.unique(block.id)
    reply.native_ids.append(native_id)
    call_id, name = to_chat_id(native_id), context.tool_names.get(block.name, block.name)
    if block.name in context.custom_tools:
        return OpenWrapped(reply, reply.writer.custom_call(index, call_id, name), block.input, to_free_text)
    return OpenCall(reply, reply.writer.call(index, call_id, name), block.input)


_OPENERS: Final[dict[type, Callable[[StreamedReply, Any], OpenBlock]]] = {
    TextBlock: OpenText,
    ToolUseBlock: _open_use,
    ThinkingBlock: OpenThinking,
    RedactedThinkingBlock: _open_redacted,
    OpaqueBlock: OpenOpaque,
}
