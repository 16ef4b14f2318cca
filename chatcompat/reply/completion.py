"""Write completions, and translate the values that completions and chunks share."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, Raw

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.citations import by_form
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import Call, KeptText
from chatcompat.reply.usage import to_service_tier
from chatcompat.wire.chat_reply import (
    Annotation,
    ChatCompletion,
    Choice,
    CitedSpan,
    PlainChatUsage,
    ReplyCustom,
    ReplyCustomCall,
    ReplyFunction,
    ReplyMessage,
    ReplyToolCall,
)
from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.message_reply import NULL, StopDetails

FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # the turn is incomplete
    "refusal": "content_filter",
}
UNKNOWN_FINISH_REASON: Final = "stop"  # for an unknown stop reason, or none

_encode = msgspec.json.Encoder().encode
_text: Final[Callable[[Raw], str | None]] = msgspec.json.Decoder(str | None).decode

Calls = list[ReplyToolCall | ReplyCustomCall]


class Stop(Protocol):
    """Why a message ended."""

    stop_reason: str | None
    stop_sequence: str | None

    @property
    def stop_details(self) -> StopDetails | None:
        """The native details."""

    @property
    def container(self) -> Raw | None:
        """The container that the message ran in; null or None without one."""


def to_completion(
    reply: ReplyMessage,
    summary: ReplySummary,
    stop: Stop,
    usage: dict[str, Any] | PlainChatUsage,
    context: ReplyContext,
) -> bytes:
    """Return the completion of a reply."""
    choice = Choice(
        index=0,
        message=reply,
        finish_reason=summary.finish_reason,
        logprobs=None,
        native_finish_reason=stop.stop_reason,
        stop_sequence=stop.stop_sequence or UNSET,
        stop_details=stop.stop_details or UNSET,
    )
    return _encode(
        ChatCompletion(
            id=summary.id,
            created=context.created,
            model=summary.model,
            choices=[choice],
            usage=usage,
            service_tier=to_service_tier(usage) if context.service_tier else UNSET,
            container=UNSET if (ran_in := container_of(stop)) is None else ran_in,
        )
    )


def container_of(stop: Stop) -> Raw | None:
    """The container that the message ran in, as it came."""
    return None if stop.container == NULL else stop.container


class CompletionWriter:
    """Collects one completion. `finish` sets `body` to its bytes."""

    __slots__ = ("_calls", "_context", "_message", "_summary", "_thinking", "body", "content")
    needs_usage = True

    def __init__(self, context: ReplyContext) -> None:
        self.body: bytes = b""
        self.content: KeptText = KeptText()
        self._context = context
        self._message = ReplyMessage(content=None, refusal=None)
        self._thinking: list[str] = []
        self._calls: list[tuple[ReplyToolCall | ReplyCustomCall, list[str]]] = []  # with the pieces of the input

    def begin(self, summary: ReplySummary) -> None:
        """Begin the reply."""
        self._summary = summary

    def ping(self) -> None:
        """Do nothing: a completion has no pings."""

    def say(self, text: str) -> None:
        """Add a piece of the content."""
        self.content.add(text)

    def reason(self, text: str) -> None:
        """Add a piece of the thinking."""
        self._thinking.append(text)

    def detail(self, details: list[ReasoningDetail]) -> None:
        """Add the signed thinking and its positions."""
        self._message.reasoning_details = details

    def annotate(self, found: list[Annotation | CitedSpan]) -> None:
        """Set the citations of the content."""
        annotations, spans = by_form(found)
        self._message.annotations, self._message.citations = annotations or UNSET, spans or UNSET

    def refuse(self, refusal: str) -> None:
        """Add the explanation of a refusal."""
        self._message.refusal = refusal

    def call(self, _: int, call_id: str, name: str) -> Callable[[str], None]:
        """Open a function call; returns a function that adds a piece of its arguments."""
        pieces: list[str] = []
        self._calls.append((ReplyToolCall(call_id, ReplyFunction(name, "")), pieces))
        return pieces.append

    def custom_call(self, _: int, call_id: str, name: str) -> Callable[[str], None]:
        """Open a custom call; returns a function that adds a piece of its input."""
        pieces: list[str] = []
        self._calls.append((ReplyCustomCall(call_id, ReplyCustom(name, "")), pieces))
        return pieces.append

    @property
    def said_calls(self) -> Callable[[], list[Call]]:
        """Return a function that returns the calls so far. To avoid a cycle, it does not refer to the writer."""
        return partial(_to_calls, self._calls)

    def finish(self, stop: Stop, usage: dict[str, Any] | None) -> None:
        """End the reply with the finish reason of the summary."""
        message = self._message
        if self.content.pieces:
            message.content = self.content.text
        if self._thinking:
            message.reasoning_content = "".join(self._thinking)
        calls = Calls()
        for call, pieces in self._calls:
            calls.append(call)
            if isinstance(call, ReplyToolCall):
                call.function.arguments = "".join(pieces)
                if self._context.legacy_functions:
                    message.function_call = call.function
            else:
                call.custom.input = "".join(pieces)
        if calls and message.function_call is UNSET:
            message.tool_calls = calls
        self.body = to_completion(message, self._summary, stop, usage or {}, self._context)


def _to_calls(calls: list[tuple[ReplyToolCall | ReplyCustomCall, list[str]]]) -> list[Call]:
    return [
        ("function", call.function.name, "".join(pieces))
        if isinstance(call, ReplyToolCall)
        else ("custom", call.custom.name, "".join(pieces))
        for call, pieces in calls
    ]


def to_completion_id(message_id: str) -> str:
    """Replace the prefix `msg_` with `chatcmpl_`. The rest stays, so that the logs of both sides can be matched.

    llama.cpp's server already sends the ids of completions.
    """
    return message_id if message_id.startswith("chatcmpl") else "chatcmpl_" + message_id.removeprefix("msg_")


def to_finish_reason(stop_reason: str | None, *, has_calls: bool, legacy: bool = False) -> str:
    """Return the finish reason. `tool_calls` is used only with calls, since it makes clients run them."""
    reason = FINISH_REASONS.get(stop_reason or "", UNKNOWN_FINISH_REASON)
    if reason in ("stop", "tool_calls"):
        calls = "function_call" if legacy else "tool_calls"
        return calls if has_calls else "stop"
    return reason


def to_refusal(stop: Stop) -> str | None:
    """Return the explanation of a refusal, or else its category. None if there is neither."""
    if stop.stop_reason == "refusal" and stop.stop_details:
        for name in ("explanation", "category"):
            with suppress(*DECODE_ERRORS):  # it is no text
                if value := _text(stop.stop_details.get(name, NULL)):
                    return value
    return None
