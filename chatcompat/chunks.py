"""The bytes of chunks: what all chunks of a stream share is built once, and each chunk is joined around its delta."""

import re
from typing import Any, Final

import msgspec

from chatcompat.chat import ReasoningDetail
from chatcompat.completion import Annotation
from chatcompat.errors import InvalidReply
from chatcompat.messages import MessageHead, StopDelta
from chatcompat.origin import Origin
from chatcompat.response import to_completion_id, to_finish_reason, to_refusal
from chatcompat.sse import encode_data
from chatcompat.usage import to_service_tier

DONE: Final = encode_data(b"[DONE]")

_MAX_NAMES: Final = 2_000  # characters of a message's id and model: every chunk repeats them

# A delta with something in it that is not the role; in a text the quotation marks would be escaped.
says_something: Final = re.compile(rb'"delta":\{"(?!role")').search
"""Whether chunks have any of the reply itself: text, thinking, a call, a refusal."""

# Ends of line to some clients' readers, though not to the standard; in JSON an escape says the same.
_LINE_SEPARATORS: Final = (
    ("\u0085".encode(), b"\\u0085"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)

_encode = msgspec.json.Encoder().encode


def escape_separators(chunks: bytes) -> bytes:
    """In JSON anything outside ASCII stands in a string, so this can be done on whole frames."""
    for separator, escape in _LINE_SEPARATORS:
        chunks = chunks.replace(separator, escape)
    return chunks


def has_separators(text: str) -> bool:
    """Whether there is anything to escape, which text tells sooner than its bytes."""
    return not text.isascii() and ("\u2028" in text or "\u2029" in text or "\x85" in text)


class ChunkWriter:
    """Collects the chunks of one stream in `out`; `text_head` and `text_tail` stand around the JSON of a text.

    Raises `InvalidReply` for a message whose names are too long to stand in every chunk.
    """

    __slots__ = (
        "_close",
        "_delta",
        "_origin",
        "_shared",
        "_tail",
        "between_texts",
        "close_text",
        "completion_id",
        "model",
        "open_text",
        "out",
        "text_head",
        "text_tail",
    )

    def __init__(self, message: MessageHead, origin: Origin, out: list[bytes]) -> None:
        if len(message.id) + len(message.model) > _MAX_NAMES:
            raise InvalidReply("The messages service sent a message whose id or model is too long.")
        tier = to_service_tier(message.usage or {}) if origin.service_tier else None
        named = b'"service_tier":%b,' % _encode(tier) if origin.service_tier else b""
        self.out: list[bytes] = out
        self._origin = origin
        self.completion_id: str = to_completion_id(message.id)
        self.model: str = message.model
        self._shared = escape_separators(
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,%b"choices":'
            % (_encode(self.completion_id), origin.created, _encode(self.model), named)
        )
        self._delta = self._shared + b'[{"index":0,"delta":'
        self._close = b',"usage":null}\n\n' if origin.include_usage else b"}\n\n"
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._close
        self.text_head: bytes = self._delta + b'{"content":'
        self.text_tail: bytes = b"}" + self._tail
        # The same around a text that is JSON already, and between two.
        self.open_text: bytes = self.text_head + b'"'
        self.close_text: bytes = b'"' + self.text_tail
        self.between_texts: bytes = self.close_text + self.open_text
        self._write(b'{"role":"assistant","content":""}')

    def _write(self, delta: bytes) -> None:
        self.out += (self._delta, delta, self._tail)

    def say(self, text: str) -> bytes:
        """Send a piece of the content; gives it as JSON text, without its quotation marks."""
        encoded = _encode(text)
        self.out += (self.text_head, encoded, self.text_tail)
        return encoded[1:-1]

    def reason(self, text: str) -> None:
        """Send a piece of the thinking."""
        self._write(b'{"reasoning_content":%b}' % _encode(text))

    def detail(self, details: list[ReasoningDetail]) -> None:
        """Send signed thinking and its places."""
        self._write(b'{"reasoning_details":%b}' % _encode(details))

    def annotate(self, annotations: list[Annotation]) -> None:
        """Send the citations of a piece of the content."""
        self._write(b'{"annotations":%b}' % _encode(annotations))

    def call(self, index: int, call_id: str, name: str) -> tuple[bytes, bytes]:
        """Send the first delta of a function call; gives what stands around each piece of its arguments."""
        if self._origin.legacy_functions:
            self._write(b'{"function_call":{"name":%b,"arguments":""}}' % _encode(name))
            return self._delta + b'{"function_call":{"arguments":', b"}}" + self._tail
        self._write(
            b'{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]}'
            % (index, _encode(call_id), _encode(name))
        )
        return b'%b{"tool_calls":[{"index":%d,"function":{"arguments":' % (self._delta, index), b"}}]}" + self._tail

    def custom_call(self, index: int, call_id: str, name: str) -> tuple[bytes, bytes]:
        """Send the first delta of a custom call; gives what stands around its input."""
        self._write(
            b'{"tool_calls":[{"index":%d,"id":%b,"type":"custom","custom":{"name":%b,"input":""}}]}'
            % (index, _encode(call_id), _encode(name))
        )
        return b'%b{"tool_calls":[{"index":%d,"custom":{"input":' % (self._delta, index), b"}}]}" + self._tail

    def finish(self, stop: StopDelta, *, has_calls: bool, usage: dict[str, Any] | None) -> str:
        """Send the end: a refusal, the finish reason, which it gives, the usage if there is one, and `[DONE]`."""
        if refusal := to_refusal(stop.stop_reason, stop.stop_details):
            self._write(b'{"refusal":%b}' % _encode(refusal))
        reason = to_finish_reason(stop.stop_reason, has_calls=has_calls, legacy=self._origin.legacy_functions)
        matched = b',"stop_sequence":' + _encode(stop.stop_sequence) if stop.stop_sequence else b""
        self.out.append(
            b'%b{},"logprobs":null,"finish_reason":%b,"native_finish_reason":%b%b}]%b'
            % (self._delta, _encode(reason), _encode(stop.stop_reason), matched, self._close)
        )
        if usage is not None:
            self.out.append(b'%b[],"usage":%b}\n\n' % (self._shared, _encode(usage)))
        self.out.append(DONE)
        return reason
