"""Message -> chat completion, and the plain values that whole and streamed replies share."""

import re
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct

from chatcompat.completion import (
    Annotation,
    ChatCompletion,
    Choice,
    ReplyCustom,
    ReplyCustomCall,
    ReplyFunction,
    ReplyMessage,
    ReplyToolCall,
    URLCitation,
)
from chatcompat.echo import Echo
from chatcompat.errors import DECODE_ERRORS
from chatcompat.ids import UniqueIds
from chatcompat.layout import Layout
from chatcompat.messages import (
    Citation,
    Message,
    RedactedThinkingBlock,
    StopDetails,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)
from chatcompat.origin import Origin
from chatcompat.usage import to_chat_usage, to_service_tier

FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # the turn is not finished
    "refusal": "content_filter",
}
UNKNOWN_FINISH_REASON: Final = "stop"  # a newer server's reason, or none

_encode = msgspec.json.Encoder().encode

Calls = list[ReplyToolCall | ReplyCustomCall]


def to_chat_completion(message: Message, origin: Origin) -> bytes:
    """The reply's bytes; raises `InvalidReply`."""
    reply, has_calls = _to_reply_message(message, origin)
    return to_completion(message, reply, has_calls, origin)


class Ended(Protocol):
    """What ends a message."""

    id: str
    model: str
    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage | None


def to_completion(message: Ended, reply: ReplyMessage, has_calls: bool, origin: Origin) -> bytes:
    """The completion around a reply's message; raises `InvalidReply`."""
    usage = message.usage or {}
    choice = Choice(
        index=0,
        message=reply,
        finish_reason=to_finish_reason(message.stop_reason, has_calls=has_calls, legacy=origin.legacy_functions),
        logprobs=None,
        native_finish_reason=message.stop_reason,
        stop_sequence=message.stop_sequence or UNSET,
    )
    return _encode(
        ChatCompletion(
            id=to_completion_id(message.id),
            created=origin.created,
            model=message.model,
            choices=[choice],
            usage=to_chat_usage(usage),
            service_tier=to_service_tier(usage) if origin.service_tier else UNSET,
        )
    )


def _to_reply_message(message: Message, origin: Origin) -> tuple[ReplyMessage, bool]:
    """The message, and whether there are calls in it."""
    texts, thinking, annotations = list[str](), list[str](), list[Annotation]()
    json_text: str | None = None
    calls, ids, layout, echo = Calls(), UniqueIds(), Layout(), Echo(origin.prefill)
    for block in message.content:
        match block:
            case TextBlock():
                start, said = layout.position, echo.cut(block.text)
                texts.append(said)
                layout.add_text(said)
                annotations += to_annotations(block.citations or (), start, layout.position)
            case ThinkingBlock():
                thinking.append(block.thinking)
                layout.add_thinking(block.thinking, block.signature)
            case RedactedThinkingBlock():
                layout.add_redacted(block.data)
            case ToolUseBlock() if block.name != origin.json_tool:
                calls.append(_to_tool_call(block, ids, origin))
                layout.add_call()
            case ToolUseBlock() if json_text is None:
                given = bytes(block.input).decode()
                json_text = to_unwrapped(given) if origin.json_wrapped else given
            case _:
                pass  # a second JSON document would spoil the first
    texts.append(rest := echo.rest())
    layout.position += len(rest)
    legacy = calls[0].function if origin.legacy_functions and calls and isinstance(calls[0], ReplyToolCall) else UNSET
    reply = ReplyMessage(
        content=("".join(texts) or None) if json_text is None else json_text,
        refusal=to_refusal(message.stop_reason, message.stop_details),
        tool_calls=calls if calls and legacy is UNSET else UNSET,
        function_call=legacy,
        annotations=annotations if annotations and json_text is None else UNSET,
        reasoning_content="".join(thinking) or UNSET,
        reasoning_details=layout.details(places=json_text is None) or UNSET,
    )
    return reply, bool(calls)


def _to_tool_call(block: ToolUseBlock, ids: UniqueIds, origin: Origin) -> ReplyToolCall | ReplyCustomCall:
    name, call_id = origin.tool_names.get(block.name, block.name), ids.unique(block.id)
    if block.name in origin.custom_tools:
        return ReplyCustomCall(call_id, ReplyCustom(name, to_free_text(bytes(block.input).decode())))
    return ReplyToolCall(call_id, ReplyFunction(name, bytes(block.input).decode()))


def to_completion_id(message_id: str) -> str:
    """`chatcmpl_` and the native id without its prefix, so that the logs of both sides join.

    llama.cpp's server gives its messages an id that is a completion's already.
    """
    return message_id if message_id.startswith("chatcmpl") else "chatcmpl_" + message_id.removeprefix("msg_")


def to_finish_reason(stop_reason: str | None, *, has_calls: bool, legacy: bool = False) -> str:
    """The finish reason. Clients run calls only if it says so, and take it to say that there are some."""
    reason = FINISH_REASONS.get(stop_reason or "", UNKNOWN_FINISH_REASON)
    if reason in ("stop", "tool_calls"):
        calls = "function_call" if legacy else "tool_calls"
        return calls if has_calls else "stop"
    return reason


def to_refusal(stop_reason: str | None, details: StopDetails | None) -> str | None:
    """Why the model refused, in the service's words."""
    return details.explanation or None if stop_reason == "refusal" and details is not None else None


class _FreeText(Struct):
    input: str


_free_text = msgspec.json.Decoder(_FreeText).decode


def to_free_text(given: str) -> str:
    """The text in a custom tool's input; input of another form, or cut off, is given as it is."""
    try:
        return _free_text(given).input
    except DECODE_ERRORS:
        return given


class _Wrapped(Struct):
    value: Raw


_wrapped = msgspec.json.Decoder(_Wrapped).decode
_WRAPPING: Final = re.compile(r'[ \t\n\r]*+\{[ \t\n\r]*+"value"[ \t\n\r]*+:[ \t\n\r]*+')


def to_unwrapped(given: str) -> str:
    """The JSON in a wrapped tool's input, byte for byte; of one that was cut off, what came."""
    try:
        return bytes(_wrapped(given).value).decode()
    except DECODE_ERRORS:
        wrapping = _WRAPPING.match(given)
        return given[wrapping.end() :] if wrapping is not None else given


def to_annotations(citations: Iterable[Citation], start: int, end: int) -> list[Annotation]:
    """The citations of the content from `start` to `end`, in characters; chat has a name for those of the web only."""
    return [
        Annotation(URLCitation(start_index=start, end_index=end, title=citation.title or "", url=citation.url))
        for citation in citations
        if citation.type == "web_search_result_location" and citation.url is not None
    ]
