"""Wire structs of the native API within chat requests: keys that clients add, sources, blocks and tool choices.

Clients add such keys with `extra_body`, and some send native blocks in chat messages. Decoding is strict, as in
`chatcompat.wire.chat_request`: unknown fields are left out and reported.
"""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from chatcompat.wire.messages import CacheControl, Caller

# ---------------------------------------------------------------- sources of images and documents


class NativeBase64(Struct, tag_field="type", tag="base64", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["base64"]] = "base64"
    media_type: str
    data: Raw  # a JSON string; never decoded to a `str`, since it is large


class NativeURL(Struct, tag_field="type", tag="url", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["url"]] = "url"
    url: str


class NativeFile(Struct, tag_field="type", tag="file", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["file"]] = "file"
    file_id: str


class NativeText(Struct, tag_field="type", tag="text", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["text"]] = "text"
    data: str
    media_type: Literal["text/plain"]


class NativeImagePart(Struct, tag_field="type", tag="image", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["image"]] = "image"
    source: NativeBase64 | NativeURL | NativeFile
    cache_control: CacheControl | None = None


# ---------------------------------------------------------------- blocks of the assistant


class ToolUsePart(Struct, tag_field="type", tag="tool_use", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["tool_use"]] = "tool_use"
    id: str
    name: str
    input: Raw | UnsetType = UNSET
    caller: Caller | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


class ThinkingPart(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["thinking"]] = "thinking"
    thinking: str | list[Any]  # some vendors write theirs as a list of parts
    signature: str | None = None


class RedactedThinkingPart(Struct, tag_field="type", tag="redacted_thinking", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["redacted_thinking"]] = "redacted_thinking"
    data: str


# ---------------------------------------------------------------- tools and tool choices


class NativeToolFields(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Extension: fields of native tools. Clients write them on the tool or on its function."""

    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[Raw] | None = None  # objects


class NativeAuto(Struct, tag_field="type", tag="auto", forbid_unknown_fields=True):
    disable_parallel_tool_use: bool | None = None


class NativeAny(Struct, tag_field="type", tag="any", forbid_unknown_fields=True):
    disable_parallel_tool_use: bool | None = None


class NativeTool(Struct, tag_field="type", tag="tool", forbid_unknown_fields=True):
    name: str
    disable_parallel_tool_use: bool | None = None


class NativeNone(Struct, tag_field="type", tag="none", forbid_unknown_fields=True):
    disable_parallel_tool_use: bool | None = None


NativeChoice = NativeAuto | NativeAny | NativeTool | NativeNone

# ---------------------------------------------------------------- keys of the request


class ThinkingKey(Struct, forbid_unknown_fields=True):
    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    budget_tokens: Annotated[int, Meta(ge=1)] | None = None
    display: str | None = None
    block_binding: Raw | UnsetType = UNSET  # an object


class OutputConfigKey(Struct, forbid_unknown_fields=True):
    effort: str | None = None
    format: Raw | UnsetType = UNSET  # an object
    task_budget: Raw | UnsetType = UNSET  # an object


class ContextManagementKey(Struct, forbid_unknown_fields=True):
    edits: list[Raw] | None = None  # objects


class MCPServer(Struct, forbid_unknown_fields=True):
    name: str
    type: Literal["url"]
    url: str
    authorization_token: str | None = None
    tool_configuration: Raw | UnsetType = UNSET  # an object


class Reasoning(Struct, forbid_unknown_fields=True):
    """Extension of other gateways: how much to think, and whether the reply shows it."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    exclude: bool | None = None
    enabled: bool | None = None
