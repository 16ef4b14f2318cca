"""Write completions, and translate the values that completions and chunks share."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import Call, KeptText
from chatcompat.reply.usage import to_service_tier
from chatcompat.wire.chat_reply import (
    Annotation,
    ChatCompletion,
    Choice,
    CitedSpan,
    ReplyCustom,
    ReplyCustomCall,
    ReplyFunction,
    ReplyMessage,
    ReplyToolCall,
    URLCitation,
)
from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.message_reply import Citation, StopDetails

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

Calls = list[ReplyToolCall | ReplyCustomCall]


class Stop(Protocol):
    """Why a message ended."""

    stop_reason: str | None
    stop_sequence: str | None
    container: Any

    @property
    def stop_details(self) -> StopDetails | None:
        """The native details."""


def to_completion(
    reply: ReplyMessage, summary: ReplySummary, stop: Stop, usage: dict[str, Any], context: ReplyContext
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
            container=stop.container or UNSET,
        )
    )


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
        """Add the citations of a piece of the content."""
        message = self._message
        annotations, spans = by_form(found)
        if annotations:
            if message.annotations is UNSET:
                message.annotations = []
            message.annotations += annotations
        if spans:
            if message.citations is UNSET:
                message.citations = []
            message.citations += spans

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
            value = msgspec.json.decode(stop.stop_details.get(name, b"null"))
            if value and isinstance(value, str):
                return value
    return None


class _FreeText(Struct):
    input: str


_free_text = msgspec.json.Decoder(_FreeText).decode


def to_free_text(raw: str) -> str:
    """Return the text in a custom tool's input. Input in another form, or cut off, is returned unchanged."""
    try:
        return _free_text(raw).input
    except DECODE_ERRORS:
        return raw


class _Wrapped(Struct):
    value: Raw


_wrapped = msgspec.json.Decoder(_Wrapped).decode
_WRAPPING: Final = re.compile(r'[ \t\n\r]*+\{[ \t\n\r]*+"value"[ \t\n\r]*+:[ \t\n\r]*+')


def to_unwrapped(raw: str) -> str:
    """Return the JSON in the wrapper, byte for byte. If it was cut off, return the part that arrived."""
    try:
        return bytes(_wrapped(raw).value).decode()
    except DECODE_ERRORS:
        wrapping = _WRAPPING.match(raw)
        return raw[wrapping.end() :] if wrapping is not None else raw


class _Cited(Struct, gc=False):
    type: str
    url: str | None = None
    source: str | None = None
    title: str | None = None


_cited = msgspec.json.Decoder(_Cited).decode
_WEB_SEARCH: Final = "web_search_result_location"
_OF_URLS: Final = (b'"web_search_result_location"', b'"search_result_location"')


def by_form(found: list[Annotation | CitedSpan]) -> tuple[list[Annotation], list[CitedSpan]]:
    """Split citations into those with a form in the chat API, and the others."""
    annotations: list[Annotation] = []
    spans: list[CitedSpan] = []
    for item in found:
        if isinstance(item, Annotation):
            annotations.append(item)
        else:
            spans.append(item)
    return annotations, spans


def to_annotation(citation: Citation, start: int, end: int) -> Annotation | CitedSpan:
    """Return a citation of the characters `start` to `end`: in the chat form for a URL, else in the native form."""
    if bytes(citation.get("type", b"")) not in _OF_URLS:
        return CitedSpan(start, end, citation)
    try:
        cited = _cited(_encode(citation))
    except DECODE_ERRORS:  # an unknown form
        return CitedSpan(start, end, citation)
    url = (cited.url if cited.type == _WEB_SEARCH else cited.source) or ""
    if url.lower().startswith(("http://", "https://")) or (url and cited.type == _WEB_SEARCH):
        return Annotation(URLCitation(start_index=start, end_index=end, title=cited.title or "", url=url))
    return CitedSpan(start, end, citation)
