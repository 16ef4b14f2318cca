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
from chatcompat.wire.chat_reply import (
    CompletionTokensDetails,
    PlainChatUsage,
    PromptTokensDetails,
    ReplyFunction,
    ReplyMessage,
    ReplyToolCall,
)
from chatcompat.wire.ids import to_chat_id
from chatcompat.wire.invalid_reply import FEW_BLOCKS
from chatcompat.wire.plain_message import (
    PlainCall,
    PlainText,
    decode_plain_message,
    decode_plain_usage,
    decode_usage,
)
from chatcompat.wire.utf8 import require_utf8

_QUOTATION_MARK: Final = ord('"')
_EMPTY: Final = Raw(b'""')
_LARGEST: Final = 2**63


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
        usage = message.usage
        chat_usage = _to_plain_usage(usage) or to_chat_usage(decode_usage(usage) or {})
    except DECODE_ERRORS:
        return None
    blocks = message.content
    if len(blocks) > FEW_BLOCKS:
        return None
    text: Raw | None = None
    if blocks and type(first := blocks[0]) is PlainText:
        if memoryview(first.text)[0] != _QUOTATION_MARK:
            return None
        text = first.text if first.text != _EMPTY else None
        del blocks[0]
    calls = _to_calls(blocks, context.tool_names) if blocks else UNSET
    if calls is None:
        return None
    summary = ReplySummary(
        to_completion_id(message.id),
        message.model,
        to_finish_reason(message.stop_reason, has_calls=bool(blocks)),
        raw_usage=usage,
    )
    return to_completion(ReplyMessage(text, None, calls), summary, message, chat_usage, context), summary


def _to_calls(blocks: list[PlainText | PlainCall], names: dict[str, str]) -> Calls | None:
    """Return the calls, or None if they do not have ids of their own, or if there is something else."""
    calls: Calls = []
    ids: set[str] = set()
    for block in blocks:
        if type(block) is not PlainCall:
            return None
        arguments = str(block.input, "utf-8")
        if arguments[0] != "{":
            return None
        ids.add(block.id)
        calls.append(ReplyToolCall(to_chat_id(block.id), ReplyFunction(names.get(block.name, block.name), arguments)))
    return calls if len(ids) == len(calls) else None


def _to_plain_usage(raw: Raw) -> PlainChatUsage | None:
    """Translate usage like `to_chat_usage`. Returns None for other fields than the vendor's, and for huge counts."""
    try:
        usage = decode_plain_usage(raw)
    except DECODE_ERRORS:
        return None
    written, read = usage.cache_creation_input_tokens, usage.cache_read_input_tokens
    prompt, completion = (usage.input_tokens or 0) + (written or 0) + (read or 0), usage.output_tokens or 0
    details = usage.output_tokens_details
    thinking = None if details is None else details.thinking_tokens
    if not -_LARGEST < prompt < _LARGEST or not -_LARGEST < completion < _LARGEST:
        return None
    return PlainChatUsage(
        prompt,
        completion,
        prompt + completion,
        UNSET if written is None and read is None else PromptTokensDetails(read, written),
        UNSET if thinking is None else CompletionTokensDetails(thinking),
        usage.cache_creation,
        usage.server_tool_use,
        usage.service_tier,
        usage.inference_geo,
    )
