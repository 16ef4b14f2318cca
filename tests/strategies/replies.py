"""Messages and their streams from the vendor's reply types, and the requests that they answer."""

import json
from typing import Any, Final

import anthropic.types as native
from anthropic.types.shared.error_response import ErrorResponse
from hypothesis import strategies as st

from chatcompat import Translation, translate
from chatcompat.request.structured_output import JSON_TOOL
from tests.extensions import EXTENSIONS
from tests.strategies import values
from tests.strategies.values import Strategy
from tests.strategies.walker import Walker
from tests.vendor import Json
from tests.vendor.annotations import fields_of

ALLOWED: Final = (*EXTENSIONS, *fields_of(native.Usage), *fields_of(native.MessageDeltaUsage))
"""What our replies have beyond the vendor's types: native counts that have no chat name keep their own."""

# ---------------------------------------------------------------- what was asked

_CHAT: Final[Json] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
TOOLS: Final[list[Json]] = [
    {"type": "function", "function": {"name": "f"}},
    {"type": "function", "function": {"name": "do it!"}},
    {"type": "custom", "custom": {"name": "run it"}},
    {"type": "custom", "custom": {"name": "c"}},
]
_ARRAY: Final[Json] = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}


def ask(**fields: Any) -> Translation:
    return translate(json.dumps({**_CHAT, **fields}).encode(), created=1)


PLAIN: Final = ask(tools=TOOLS)
ASKED: Final = [
    PLAIN,
    ask(service_tier="auto"),
    ask(functions=[{"name": "f"}, {"name": "do it!"}]),
    ask(response_format={"type": "json_object"}, tools=TOOLS),
    ask(response_format=_ARRAY),
]

# ---------------------------------------------------------------- leaves by their names

_CALLED: Final = st.sampled_from(["f", "get_weather", "c", JSON_TOOL, *PLAIN.context.tool_names])
_NAMED: Final[dict[tuple[str, Any], Strategy]] = {
    ("", int): st.integers(0, 50),
    ("output_tokens", int): st.integers(50, 99) | st.just(2**53),
    ("id", str): values.NATIVE_IDS,
    ("name", str): _CALLED,
    ("input", dict): st.one_of(
        values.OBJECTS,
        st.builds(lambda text: {"input": text}, values.TEXTS),
        st.builds(lambda value: {"value": value}, values.JSON),
    ),
}
NATIVE: Final = Walker(_NAMED, always=frozenset({"Message.stop_reason", "TextBlock.citations"}))
LOOSE: Final = Walker(
    _NAMED | {("index", int): st.integers(0, 2), ("partial_json", str): values.TEXTS | values.cut_off(values.ARGUMENTS)}
)

# ---------------------------------------------------------------- streams

PING: Final[Json] = {"type": "ping"}
STOP: Final[Json] = {"type": "message_stop"}


TOLD: Final = (native.TextBlock, native.ThinkingBlock, native.RedactedThinkingBlock, native.ToolUseBlock)
"""The blocks that a chat reply tells of; the others are skipped."""


def _blocks(walker: Walker) -> Strategy:
    return st.one_of([walker.of(block) for block in TOLD]) | walker.of(native.ContentBlock)


@st.composite
def messages(draw: st.DrawFn) -> Json:
    """A message as it comes whole; it nearly always says why it stopped."""
    message: Json = draw(NATIVE.of(native.Message))
    message["content"] = draw(st.lists(_blocks(NATIVE), max_size=5))
    if draw(st.integers(0, 5)):
        message["stop_reason"] = draw(NATIVE.of(native.StopReason))
    elif message["stop_reason"] is None:
        message |= {"stop_sequence": None, "stop_details": None}
    return message


@st.composite
def pieces(draw: st.DrawFn, text: Any) -> list[Any]:
    """Text or bytes cut anywhere, into pieces that may be empty."""
    ends = [*sorted(draw(st.lists(st.integers(0, len(text)), max_size=4))), len(text)]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@st.composite
def streams_of(draw: st.DrawFn, message: Json) -> tuple[list[Json], Json]:
    """The events of a message, and the message with the usage that they add up to."""
    nothing: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    events: list[Json] = [{"type": "message_start", "message": {**message, **nothing}}]
    for index, block in enumerate(message["content"]):
        start, deltas = draw(_deltas_of(block))
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
        events += draw(st.lists(st.just(PING), max_size=1))
    usage = draw(NATIVE.of(native.MessageDeltaUsage))
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in message}
    events += [{"type": "message_delta", "delta": stop, "usage": usage}, STOP]
    counted = {name: count for name, count in usage.items() if count is not None or name not in message["usage"]}
    return events, {**message, "usage": {**message["usage"], **counted}}


@st.composite
def _deltas_of(draw: st.DrawFn, block: Json) -> tuple[Json, list[Json]]:
    """How a block begins, and its deltas; what has none comes whole in its beginning."""
    match block["type"]:
        case "text":
            return _text_deltas_of(draw, block)
        case "thinking":
            head, *more = draw(pieces(block["thinking"]))
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in more]
            if draw(st.booleans()):
                return {**block, "thinking": head}, deltas
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": head, "signature": ""}, [*deltas, signed]
        case "tool_use" | "server_tool_use":
            if draw(st.booleans()):
                return block, []
            cut = draw(pieces(dumps(block["input"])))
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in cut]
    return block, []


def _text_deltas_of(draw: st.DrawFn, block: Json) -> tuple[Json, list[Json]]:
    """Citations come between the pieces of their text, in order."""
    head, *more = draw(pieces(block["text"]))
    deltas: list[Json] = [{"type": "text_delta", "text": piece} for piece in more]
    if draw(st.booleans()):
        return {**block, "text": head}, deltas
    place = len(deltas)
    for citation in reversed(block["citations"] or ()):
        place = draw(st.integers(0, place))
        deltas.insert(place, {"type": "citations_delta", "citation": citation})
    return {**block, "text": head, "citations": None}, deltas


@st.composite
def loose_events(draw: st.DrawFn) -> list[Json]:
    """Events of the vendor's types in any order."""
    start = st.fixed_dictionaries(
        {"type": st.just("content_block_start"), "index": st.integers(0, 2), "content_block": _blocks(LOOSE)}
    )
    event = LOOSE.of(native.RawMessageStreamEvent) | start | LOOSE.of(native.RawContentBlockDeltaEvent) | st.just(PING)
    events: list[Json] = draw(st.lists(event, max_size=9))
    if draw(st.integers(0, 3)):
        events = [event for event in events if event["type"] not in ("message_start", "message_stop")]
        events = [draw(LOOSE.of(native.RawMessageStartEvent)), *events, draw(st.sampled_from([STOP, PING]))]
    if draw(st.integers(0, 4)) == 0:
        events.insert(draw(st.integers(0, len(events))), draw(LOOSE.of(ErrorResponse)))
    return events


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def frames(events: list[Json]) -> bytes:
    """Events as servers write them."""
    return "".join(f"event: {event['type']}\ndata: {dumps(event)}\n\n" for event in events).encode()
