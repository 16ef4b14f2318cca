"""Message -> chat completion."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct

from chatcompat.chat import ChatCompletion, Choice, ReplyFunction, ReplyMessage, ReplyToolCall
from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.messages import Message, StopDetails, TextBlock, ToolUseBlock, Usage

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


class Origin(Struct, frozen=True):
    """What a reply must know of the request that it answers."""

    created: int
    """Seconds since the epoch, in every chunk of a reply the same."""
    tool_names: dict[str, str]
    """Native tool name -> the client's, for names that were mapped."""
    json_tool: str | None
    """Name of the tool whose input is the JSON that the client asked for."""
    include_usage: bool


_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_count = msgspec.json.Decoder(int | None).decode


class _OutputTokensDetails(Struct):
    thinking_tokens: int | None = None


_output_details = msgspec.json.Decoder(_OutputTokensDetails | None).decode


def to_chat_completion(message: Message, origin: Origin) -> bytes:
    """The reply's bytes; raises `InvalidReply`."""
    text: list[str] = []
    json_text: str | None = None
    calls: list[ReplyToolCall] = []
    ids = CallIds()
    for block in message.content:
        if isinstance(block, TextBlock):
            text.append(block.text)
        elif isinstance(block, ToolUseBlock):
            if block.name != origin.json_tool:
                calls.append(_to_tool_call(block, ids, origin))
            elif json_text is None:
                json_text = bytes(block.input).decode()
    content = "".join(text) or None if json_text is None else json_text
    choice = Choice(
        index=0,
        message=ReplyMessage(content, to_refusal(message.stop_reason, message.stop_details), calls or UNSET),
        finish_reason=to_finish_reason(message.stop_reason, has_calls=bool(calls)),
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
            usage=to_chat_usage(message.usage or {}),
        )
    )


def _to_tool_call(block: ToolUseBlock, ids: "CallIds", origin: Origin) -> ReplyToolCall:
    name = origin.tool_names.get(block.name, block.name)
    return ReplyToolCall(ids.unique(block.id), ReplyFunction(name, bytes(block.input).decode()))


def to_completion_id(message_id: str) -> str:
    """`chatcmpl_` and the native id without its prefix, so that the logs of both sides join."""
    return "chatcmpl_" + message_id.removeprefix("msg_")


def to_finish_reason(stop_reason: str | None, *, has_calls: bool) -> str:
    """The finish reason. Clients run calls only if it says so, and take it to say that there are some."""
    reason = FINISH_REASONS.get(stop_reason or "", UNKNOWN_FINISH_REASON)
    if reason in ("stop", "tool_calls"):
        return "tool_calls" if has_calls else "stop"
    return reason


def to_refusal(stop_reason: str | None, details: StopDetails | None) -> str | None:
    """Why the model refused, in the service's words."""
    return details.explanation or None if stop_reason == "refusal" and details is not None else None


def to_chat_usage(usage: Usage) -> dict[str, Any]:
    """Usage under chat names; what has no such name is added as it came.

    Native `input_tokens` leave out what was read from the cache or written to it; `prompt_tokens` are all of them.
    """
    try:
        extras = dict(usage)
        fresh, output = _take_count(extras, "input_tokens"), _take_count(extras, "output_tokens")
        written = _take_count(extras, "cache_creation_input_tokens")
        read = _take_count(extras, "cache_read_input_tokens")
        details = _output_details(extras.pop("output_tokens_details", b"null"))
    except DECODE_ERRORS:
        raise InvalidReply("The messages service sent a usage that cannot be read.") from None
    prompt, completion = (fresh or 0) + (read or 0) + (written or 0), output or 0
    counted: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    cache = {"cached_tokens": read, "cache_write_tokens": written}
    if known := {name: count for name, count in cache.items() if count is not None}:
        counted["prompt_tokens_details"] = known
    if details is not None and details.thinking_tokens is not None:
        counted["completion_tokens_details"] = {"reasoning_tokens": details.thinking_tokens}
    return {**extras, **counted} if extras.keys() & counted.keys() else {**counted, **extras}


def _take_count(usage: Usage, name: str) -> int | None:
    count = usage.pop(name, None)
    return None if count is None else _count(count)


class CallIds:
    """Keeps the ids of a reply's calls apart: some servers give the same one twice."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def unique(self, call_id: str) -> str:
        """`call_id`, or where it was given before one like it that was not."""
        unique, count = call_id, 1
        while unique in self._seen:
            count += 1
            unique = f"{call_id}_{count}"
        self._seen.add(unique)
        return unique
