"""The fast path for a reply with only text and calls: its text is validated and copied, but not decoded.

The typed decoder makes sure that a raw value is valid JSON without lone surrogates. A second scan makes sure that the
body is UTF-8. Any other reply takes the general path.
"""

from typing import Final

from msgspec import UNSET, Raw

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.completion import Calls, to_completion, to_completion_id, to_finish_reason
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.usage import to_chat_usage
from chatcompat.wire.chat_reply import ReplyFunction, ReplyMessage, ReplyToolCall
from chatcompat.wire.ids import to_chat_id
from chatcompat.wire.invalid_reply import FEW_BLOCKS
from chatcompat.wire.plain_message import decode_plain_message
from chatcompat.wire.utf8 import require_utf8

_QUOTATION_MARK: Final = ord('"')
_EMPTY: Final = Raw(b'""')


def to_plain_completion(body: bytes, context: ReplyContext) -> tuple[bytes, ReplySummary] | None:
    """Return the completion of a reply with at most one text and then function calls, or None for any other."""
    if context.prefill or context.json_tool is not None or context.legacy_functions or context.custom_tools:
        return None
    if context.keeps_turn:
        return None
    try:
        message = decode_plain_message(body)
        if not body.isascii():
            require_utf8(body)
    except DECODE_ERRORS:
        return None
    if len(message.content) > FEW_BLOCKS:
        return None
    text: Raw | None = None
    calls: Calls = []
    ids: set[str] = set()
    for index, block in enumerate(message.content):
        if block.type == "text":
            if index or memoryview(block.text)[0] != _QUOTATION_MARK:
                return None
            text = block.text if block.text != _EMPTY else None
            continue
        arguments = str(block.input, "utf-8")
        if arguments[0] != "{" or block.id in ids:
            return None
        ids.add(block.id)
        name = context.tool_names.get(block.name, block.name)
        calls.append(ReplyToolCall(to_chat_id(block.id), ReplyFunction(name, arguments)))
    usage = message.usage or {}
    summary = ReplySummary(
        to_completion_id(message.id),
        message.model,
        to_finish_reason(message.stop_reason, has_calls=bool(calls)),
        usage,
    )
    reply = ReplyMessage(text, None, calls or UNSET)
    return to_completion(reply, summary, message, to_chat_usage(usage), context), summary
