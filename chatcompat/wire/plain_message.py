"""A reply of text and calls alone, whose text and arguments stay raw: any other does not fit these structs."""

from collections.abc import Callable
from typing import ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.wire.message_reply import NULL, Usage


class PlainText(Struct, tag_field="type", tag="text", gc=False):
    """A text without citations."""

    type: ClassVar[Literal["text"]] = "text"
    text: Raw
    citations: None = None


class _Direct(Struct, forbid_unknown_fields=True, gc=False):
    """The caller of nearly all calls: the model itself."""

    type: Literal["direct"]


class PlainCall(Struct, tag_field="type", tag="tool_use", gc=False):
    """A call of the model itself, and of a tool of the client."""

    type: ClassVar[Literal["tool_use"]] = "tool_use"
    id: str
    name: str
    input: Raw
    caller: _Direct | None = None
    toolset_name: None = None


class PlainMessage(Struct):
    """A message without blocks of other types."""

    id: str
    model: str
    content: list[PlainText | PlainCall]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: None = None
    container: None = None
    usage: Raw = NULL


class _OutputTokensDetails(Struct, forbid_unknown_fields=True, gc=False):
    thinking_tokens: int | None = None


class PlainUsage(Struct, forbid_unknown_fields=True, gc=False):
    """The vendor's counts, and its other fields as they came."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputTokensDetails | None = None
    cache_creation: Raw | UnsetType = UNSET
    server_tool_use: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET
    inference_geo: Raw | UnsetType = UNSET


decode_plain_message: Final[Callable[[bytes], PlainMessage]] = msgspec.json.Decoder(PlainMessage).decode
decode_plain_usage: Final[Callable[[Raw], PlainUsage]] = msgspec.json.Decoder(PlainUsage).decode
decode_usage: Final[Callable[[Raw], Usage | None]] = msgspec.json.Decoder(Usage | None).decode
