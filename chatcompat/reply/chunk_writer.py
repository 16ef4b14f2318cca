"""Write chunks. What all chunks of a stream share is encoded once."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from chatcompat.errors import InvalidReply
from chatcompat.reply.citations import by_form
from chatcompat.reply.completion import Stop, container_of
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import Call, CallCollector, Kind, SaidCall, TextDigest
from chatcompat.reply.usage import to_service_tier
from chatcompat.wire.chat_reply import Annotation, CitedSpan
from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.sse import encode_comment, encode_data, in_one_line

DONE: Final = encode_data(b"[DONE]")
PING: Final = encode_comment(b"ping")

_MAX_NAMES: Final = 2_000  # characters of a completion's id and model, which every chunk repeats

# The SSE standard does not end a line at these, but some clients do. A JSON escape means the same.
_LINE_SEPARATORS: Final = (
    ("\u0085".encode(), b"\\u0085"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)

Around = tuple[bytes, bytes]
"""The parts of a chunk before and after the characters of a JSON string."""

_encode = msgspec.json.Encoder().encode


def _encode_line(value: object) -> bytes:
    """Encode a value that may hold raw JSON."""
    return in_one_line(_encode(value))


def escape_separators(chunks: bytes) -> bytes:
    """Escape line separators in whole frames. In JSON, non-ASCII characters only occur in strings."""
    for separator, escape in _LINE_SEPARATORS:
        if separator[-1] in chunks:  # finds most often that it is not there, far faster than `replace`
            chunks = chunks.replace(separator, escape)
    return chunks


def can_be_copied(text: bytes) -> bool:
    """Return whether a part of a JSON string is UTF-8 and has no line separators to escape."""
    try:
        said = text.decode()
    except UnicodeDecodeError:
        return False
    return not ("\u2028" in said or "\u2029" in said or "\x85" in said)  # faster than in bytes


class ChunkWriter:
    """Collects the chunks of one stream in `out`."""

    __slots__ = (
        "_close",
        "_context",
        "_delta",
        "_shared",
        "_summary",
        "_tail",
        "around_reasoning",
        "around_text",
        "calls",
        "content",
        "has_content",
        "needs_usage",
        "out",
    )

    def __init__(self, context: ReplyContext) -> None:
        self.out: list[bytes] = []
        self.has_content: bool = False  # whether a chunk came after the opening one
        self.needs_usage: bool = context.include_usage
        self.content: TextDigest = TextDigest()
        self.calls: CallCollector = CallCollector()
        self._context = context

    def begin(self, summary: ReplySummary) -> None:
        """Begin the reply; raises `InvalidReply` if its id and model are too long to repeat in every chunk."""
        if len(summary.id) + len(summary.model) > _MAX_NAMES:
            raise InvalidReply(
                f"The messages service sent an id and model that are too long: above {_MAX_NAMES} characters."
            )
        context, self._summary = self._context, summary
        tier = to_service_tier(summary.native_usage) if context.service_tier else None
        service_tier = b'"service_tier":%b,' % _encode(tier) if context.service_tier else b""
        self._shared = escape_separators(
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,%b"choices":'
            % (_encode(summary.id), context.created, _encode(summary.model), service_tier)
        )
        self._delta = self._shared + b'[{"index":0,"delta":'
        self._close = b',"usage":null}\n\n' if context.include_usage else b"}\n\n"
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._close
        self.around_text: Around = self._around(b'{"content":', b"}")
        self.around_reasoning: Around = self._around(b'{"reasoning_content":', b"}")
        self.out += (self._delta, b'{"role":"assistant","content":""}', self._tail)

    def ping(self) -> None:
        """Show that the connection is alive."""
        self.out.append(PING)

    def _write(self, *delta: bytes) -> None:
        self.has_content = True
        self.out += (self._delta, *delta, self._tail)

    def _around(self, before: bytes, after: bytes) -> Around:
        return self._delta + before + b'"', b'"' + after + self._tail

    def say(self, text: str) -> None:
        """Add a piece of the content."""
        if text:
            encoded = _encode(text)[1:-1]
            self.content.add(encoded)
            before, after = self.around_text
            self.has_content = True
            self.out += (before, encoded, after)

    def reason(self, text: str) -> None:
        """Add a piece of the thinking."""
        before, after = self.around_reasoning
        self.has_content = True
        self.out += (before, _encode(text)[1:-1], after)

    def detail(self, details: list[ReasoningDetail]) -> None:
        """Add the signed thinking and its positions."""
        self._write(b'{"reasoning_details":', _encode(details), b"}")

    def annotate(self, found: list[Annotation | CitedSpan]) -> None:
        """Add all citations of the content, once: clients join no two lists of them."""
        annotations, spans = by_form(found)
        if annotations:
            self._write(b'{"annotations":', _encode_line(annotations), b"}")
        if spans:
            self._write(b'{"citations":', _encode_line(spans), b"}")

    def refuse(self, refusal: str) -> None:
        """Add the explanation of a refusal."""
        self._write(b'{"refusal":%b}' % _encode(refusal))

    def call(self, index: int, call_id: str, name: str) -> Callable[[str], None]:
        """Open a function call; returns a function that adds a piece of its arguments."""
        if self._context.legacy_functions:
            self._write(b'{"function_call":{"name":%b,"arguments":""}}' % _encode(name))
            return self._writer(b'{"function_call":{"arguments":', b"}}", "function", name)
        self._write(
            b'{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]}'
            % (index, _encode(call_id), _encode(name))
        )
        return self._writer(b'{"tool_calls":[{"index":%d,"function":{"arguments":' % index, b"}}]}", "function", name)

    def custom_call(self, index: int, call_id: str, name: str) -> Callable[[str], None]:
        """Open a custom call; returns a function that adds a piece of its input."""
        self._write(
            b'{"tool_calls":[{"index":%d,"id":%b,"type":"custom","custom":{"name":%b,"input":""}}]}'
            % (index, _encode(call_id), _encode(name))
        )
        return self._writer(b'{"tool_calls":[{"index":%d,"custom":{"input":' % index, b"}}]}", "custom", name)

    def _writer(self, before: bytes, after: bytes, kind: Kind, name: str) -> "CallWriter":
        return CallWriter(self.out, self._around(before, after), self.calls, self.calls.begin(kind, name))

    @property
    def said_calls(self) -> Callable[[], list[Call]]:
        """Return a function that returns the calls so far, or none if they are too large to keep."""
        return self.calls.whole

    def finish(self, stop: Stop, usage: dict[str, Any] | None) -> None:
        """End the reply with the finish reason of the summary."""
        matched = b',"stop_sequence":' + _encode(stop.stop_sequence) if stop.stop_sequence else b""
        if stop.stop_details:
            matched += b',"stop_details":' + _encode_line(stop.stop_details)
        ran_in = container_of(stop)
        container = b',"container":' + _encode_line(ran_in) if ran_in is not None else b""
        self.out.append(
            b'%b{},"logprobs":null,"finish_reason":%b,"native_finish_reason":%b%b}]%b%b'
            % (
                self._delta,
                _encode(self._summary.finish_reason),
                _encode(stop.stop_reason),
                matched,
                container,
                self._close,
            )
        )
        if usage is not None:
            self.out.append(b'%b[],"usage":%b}\n\n' % (self._shared, _encode_line(usage)))
        self.out.append(DONE)


class CallWriter:
    """A function that writes the arguments of one call, one chunk for each piece, and keeps them."""

    __slots__ = ("_call", "_calls", "_out", "around")

    def __init__(self, out: list[bytes], around: Around, calls: CallCollector, call: SaidCall) -> None:
        self.around: Around = around
        self._out = out
        self._calls = calls
        self._call = call

    def __call__(self, piece: str) -> None:
        """Write a piece."""
        encoded = _encode(piece)[1:-1]
        self._calls.add(self._call, encoded)
        before, after = self.around
        self._out += (before, encoded, after)

    def select(self) -> CallCollector:
        """Make this the current call of the collector, and return the collector."""
        self._calls.turn_to(self._call)
        return self._calls
