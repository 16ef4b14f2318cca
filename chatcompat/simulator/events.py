"""Turns the parts of a reply into a whole message, or into server-sent events.

Order and shapes as in https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import encode

from chatcompat.simulator.model import Answer, Call, Part, Ran, Said, Thought
from chatcompat.simulator.reply import (
    CacheCreation,
    ContentBlock,
    Message,
    OutputDetails,
    StopDetails,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)
from chatcompat.simulator.server_tools import Container
from chatcompat.simulator.signature import sign
from chatcompat.simulator.tokens import InputTokens, credits_consumed, tokens

PIECE: Final = 12  # characters in a delta

_NO_INPUT: Final = Raw(b"{}")
# The fields of the service's own blocks that come in deltas, as they are at the start.
_STREAMED: Final[dict[str, dict[str, object]]] = {
    "server_tool_use": {"input": {}},
    "mcp_tool_use": {"input": {}},
    "compaction": {"content": None, "encrypted_content": None},
}


class MessageStart(Struct, tag_field="type", tag="message_start"):
    """First event."""

    message: Message


class Ping(Struct, tag_field="type", tag="ping"):
    """Keeps the connection busy."""


class ContentBlockStart(Struct, tag_field="type", tag="content_block_start"):
    """A block, still empty."""

    index: int
    content_block: ContentBlock


class TextDelta(Struct, tag_field="type", tag="text_delta"):
    """More text."""

    text: str


class InputJSONDelta(Struct, tag_field="type", tag="input_json_delta"):
    """More of a call's input as JSON."""

    partial_json: str


class ThinkingDelta(Struct, tag_field="type", tag="thinking_delta"):
    """More thinking."""

    thinking: str


class CitationsDelta(Struct, tag_field="type", tag="citations_delta"):
    """A citation of the text."""

    citation: dict[str, object]


class CompactionDelta(Struct, tag_field="type", tag="compaction_delta"):
    """A summary of the conversation."""

    content: object
    encrypted_content: object


class SignatureDelta(Struct, tag_field="type", tag="signature_delta"):
    """The signature of a thinking block."""

    signature: str


Delta = TextDelta | InputJSONDelta | ThinkingDelta | SignatureDelta | CitationsDelta | CompactionDelta


class ContentBlockDelta(Struct, tag_field="type", tag="content_block_delta"):
    """More of a block."""

    index: int
    delta: Delta


class ContentBlockStop(Struct, tag_field="type", tag="content_block_stop"):
    """The end of a block."""

    index: int


class Stop(Struct):
    """Why the reply ends."""

    stop_reason: str | None
    stop_sequence: str | None
    stop_details: StopDetails | None
    container: Container | UnsetType = UNSET


class DeltaUsage(Struct):
    """The final usage, without the fields that `message_delta` lacks."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputDetails | UnsetType
    credits_consumed: int


class MessageDelta(Struct, tag_field="type", tag="message_delta"):
    """Stop reason and usage, which is cumulative."""

    delta: Stop
    usage: DeltaUsage


class MessageStop(Struct, tag_field="type", tag="message_stop"):
    """Last event."""


Event = MessageStart | Ping | ContentBlockStart | ContentBlockDelta | ContentBlockStop | MessageDelta | MessageStop


def to_message(answer: Answer, message_id: str, model: str, counted: InputTokens) -> Message:
    """The whole reply."""
    return Message(
        id=message_id,
        model=model,
        content=[to_block(part) for part in answer.parts],
        stop_reason=answer.stop_reason,
        stop_sequence=answer.stop_sequence,
        stop_details=answer.stop_details,
        container=answer.container,
        usage=_usage(answer, counted),
    )


def to_events(answer: Answer, message: Message, counted: InputTokens) -> Iterator[Event]:
    """Yield the events of a stream that is equivalent to `message`, the whole reply for `answer`."""
    usage = message.usage
    first = msgspec.structs.replace(
        usage,
        output_tokens=1,
        output_tokens_details=UNSET,
        credits_consumed=credits_consumed(counted, 1),
    )
    yield MessageStart(
        msgspec.structs.replace(
            message,
            content=[],
            stop_reason=None,
            stop_sequence=None,
            stop_details=None,
            container=UNSET,
            usage=first,
        )
    )
    yield Ping()
    for index, part in enumerate(answer.parts):
        yield ContentBlockStart(index, _empty_block(part))
        for delta in _deltas(part):
            yield ContentBlockDelta(index, delta)
        yield ContentBlockStop(index)
    final = DeltaUsage(
        input_tokens=usage.input_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        output_tokens=usage.output_tokens,
        output_tokens_details=usage.output_tokens_details,
        credits_consumed=usage.credits_consumed,
    )
    stop = Stop(message.stop_reason, message.stop_sequence, message.stop_details, message.container)
    yield MessageDelta(stop, final)
    yield MessageStop()


def to_frame(event: Event) -> bytes:
    """Encode an event as a frame."""
    return b"event: %s\ndata: %s\n\n" % (str(event.__struct_config__.tag).encode(), encode(event))


def _usage(answer: Answer, counted: InputTokens) -> Usage:
    output = sum(tokens(part.body) for part in answer.parts)
    thinking = sum(tokens(part.body) for part in answer.parts if isinstance(part, Thought))
    return Usage(
        input_tokens=counted.plain,
        cache_creation_input_tokens=counted.written,
        cache_read_input_tokens=counted.read,
        cache_creation=CacheCreation(
            ephemeral_5m_input_tokens=counted.written_5m, ephemeral_1h_input_tokens=counted.written_1h
        ),
        output_tokens=output,
        output_tokens_details=OutputDetails(thinking) if thinking else UNSET,
        credits_consumed=credits_consumed(counted, output),
    )


def to_block(part: Part) -> ContentBlock:
    """The block of a whole reply. A truncated call has an empty input, since its JSON is incomplete."""
    match part:
        case Thought(body=body, shown=shown, prefix=prefix):
            thinking = body if shown else ""
            return ThinkingBlock(thinking, sign(thinking, prefix))
        case Call(id=call_id, name=name, body=body, complete=complete):
            return ToolUseBlock(call_id, name, Raw(body.encode()) if complete else _NO_INPUT)
        case Ran(block=block):
            return block
        case _:
            return TextBlock(part.body, part.citations if isinstance(part, Said) else None)


def _empty_block(part: Part) -> ContentBlock:
    match part:
        case Thought():
            return ThinkingBlock("", "")
        case Call(id=call_id, name=name):
            return ToolUseBlock(call_id, name, _NO_INPUT)
        case Ran(block=block):
            return block | _STREAMED.get(str(block["type"]), {})
        case _:
            return TextBlock("")


def _deltas(part: Part) -> Iterator[Delta]:
    pieces = [part.body[at : at + PIECE] for at in range(0, len(part.body), PIECE)]
    match part:
        case Thought(shown=shown, body=body, prefix=prefix):
            yield from (ThinkingDelta(piece) for piece in pieces if shown)
            yield SignatureDelta(sign(body if shown else "", prefix))
        case Call():
            yield InputJSONDelta("")  # the real service starts with an empty one too
            yield from map(InputJSONDelta, pieces)
        case Ran(block={"type": "compaction", "content": content, "encrypted_content": encrypted}):
            yield CompactionDelta(content, encrypted)
        case Ran():
            yield from map(InputJSONDelta, pieces)
        case _:
            yield from map(TextDelta, pieces)
            yield from map(CitationsDelta, (part.citations if isinstance(part, Said) else None) or ())
