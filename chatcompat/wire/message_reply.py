"""Wire structs of the native messages API: replies and stream events.

Decoding is tolerant: these structs skip unknown fields. `chatcompat.wire.decode` keeps blocks and deltas of unknown
types unchanged, and skips events of unknown types.
"""

from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType

EMPTY_OBJECT = Raw(b"{}")
NULL: Final = Raw(b"null")

# ---------------------------------------------------------------- reply


Citation = dict[str, Raw]
"""A citation of any kind. Values stay raw, so that they reach the client unchanged."""


class TextBlock(Struct, tag_field="type", tag="text", gc=False):
    text: str
    citations: list[Citation] | None = None


class ToolUseBlock(Struct, tag_field="type", tag="tool_use", gc=False):
    id: str
    name: str
    input: Raw = EMPTY_OBJECT  # some servers omit it in `content_block_start`
    caller: Raw | UnsetType = UNSET
    toolset_name: Raw | UnsetType = UNSET


class ThinkingBlock(Struct, tag_field="type", tag="thinking", gc=False):
    thinking: str = ""
    signature: str | None = None


class RedactedThinkingBlock(Struct, tag_field="type", tag="redacted_thinking", gc=False):
    data: str = ""


Block = TextBlock | ToolUseBlock | ThinkingBlock | RedactedThinkingBlock


class OpaqueBlock(Struct, gc=False):
    """A block of any other type, unchanged: a server tool's call or result, or a type of a newer server."""

    raw: Raw


StopDetails = dict[str, Raw]
"""Why a message ended, such as the category of a refusal. Values stay raw, so that they reach the client unchanged."""

Usage = dict[str, Raw]
"""Counts by name. Values stay raw, so that fields that operators add reach the client unchanged."""


class OutputTokensDetails(Struct):
    """`output_tokens_details` of a usage."""

    thinking_tokens: int | None = None


class Message(Struct):
    """Reply of `POST /v1/messages`."""

    id: str
    model: str
    content: list[Block]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Raw = NULL
    usage: Usage | None = None


# ---------------------------------------------------------------- stream


class MessageHead(Struct):
    id: str
    model: str
    container: Raw = NULL
    usage: Usage | None = None


class MessageStart(Struct, tag_field="type", tag="message_start"):
    message: MessageHead


class ContentBlockStart(Struct, tag_field="type", tag="content_block_start", gc=False):
    index: int
    content_block: Block


class TextDelta(Struct, tag_field="type", tag="text_delta", gc=False):
    text: str


class InputJSONDelta(Struct, tag_field="type", tag="input_json_delta", gc=False):
    partial_json: str


class ThinkingDelta(Struct, tag_field="type", tag="thinking_delta", gc=False):
    thinking: str


class SignatureDelta(Struct, tag_field="type", tag="signature_delta", gc=False):
    signature: str


class CitationsDelta(Struct, tag_field="type", tag="citations_delta", gc=False):
    citation: Citation


class ContentBlockDelta(Struct, tag_field="type", tag="content_block_delta", gc=False):
    index: int
    delta: TextDelta | InputJSONDelta | ThinkingDelta | SignatureDelta | CitationsDelta


class ContentBlockStop(Struct, tag_field="type", tag="content_block_stop", gc=False):
    index: int


class StopDelta(Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Raw = NULL


class MessageDelta(Struct, tag_field="type", tag="message_delta"):
    delta: StopDelta
    usage: Usage | None = None


class MessageStop(Struct, tag_field="type", tag="message_stop", gc=False):
    pass


class Ping(Struct, tag_field="type", tag="ping", gc=False):
    pass


class NativeError(Struct, gc=False):
    type: str = ""
    message: str = ""
    code: str = ""  # `details.error_code`


class ErrorEvent(Struct, tag_field="type", tag="error"):
    error: NativeError


OtherEvent = MessageStart | ContentBlockDelta | ContentBlockStop | MessageDelta | MessageStop | Ping | ErrorEvent
"""The events other than the start of a block."""

Event = ContentBlockStart | OtherEvent
