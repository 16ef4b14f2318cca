"""Wire structs of the native messages API: requests. `chatcompat.wire.message_reply` has replies and stream events.

Fields are named and ordered as in the vendor's reference (https://platform.claude.com/docs/en/api/messages).
"""

from typing import Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType


class CacheControl(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A cache breakpoint. Chat clients send it in the same shape."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


# ---------------------------------------------------------------- request


class TextBlockParam(Struct, tag_field="type", tag="text", omit_defaults=True, gc=False):
    text: str
    cache_control: CacheControl | None = None


class CitedTextParam(TextBlockParam, tag="text", gc=False):
    """Text of an earlier reply, with its citations as the service wrote them."""

    citations: Raw | UnsetType = UNSET


class Base64Source(Struct, tag_field="type", tag="base64", gc=False):
    media_type: str
    data: Raw


class URLSource(Struct, tag_field="type", tag="url", gc=False):
    url: str


class FileSource(Struct, tag_field="type", tag="file", gc=False):
    file_id: str


class ImageBlockParam(Struct, tag_field="type", tag="image", omit_defaults=True, gc=False):
    source: Base64Source | URLSource | FileSource
    cache_control: CacheControl | None = None


class TextSource(Struct, tag_field="type", tag="text", gc=False):
    media_type: Literal["text/plain"]
    data: str


class CitationsConfig(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Whether a document may be cited. Chat clients send it in the same shape."""

    enabled: bool | None = None


class ContentSource(Struct, tag_field="type", tag="content", gc=False):
    content: str | list[TextBlockParam | ImageBlockParam]


class DocumentBlockParam(Struct, tag_field="type", tag="document", omit_defaults=True, gc=False):
    source: Base64Source | URLSource | TextSource | FileSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class SearchResultBlockParam(Struct, tag_field="type", tag="search_result", omit_defaults=True, gc=False):
    source: str
    title: str
    content: list[TextBlockParam]
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


ContentBlockParam = TextBlockParam | ImageBlockParam | DocumentBlockParam | SearchResultBlockParam


class Caller(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Who called a tool. Chat clients send it in the same shape."""

    type: str
    tool_id: str | None = None


class ToolUseBlockParam(Struct, tag_field="type", tag="tool_use", omit_defaults=True, gc=False):
    id: str
    name: str
    input: dict[str, Any]
    caller: Raw | Caller | UnsetType = UNSET  # raw: as the service wrote it
    toolset_name: str | UnsetType = UNSET
    cache_control: CacheControl | None = None


class ToolResultBlockParam(Struct, tag_field="type", tag="tool_result", omit_defaults=True, gc=False):
    tool_use_id: str
    content: str | list[ContentBlockParam] | UnsetType = UNSET
    is_error: bool = False
    toolset_name: str | UnsetType = UNSET  # that of the call
    cache_control: CacheControl | None = None


class ThinkingBlockParam(Struct, tag_field="type", tag="thinking", gc=False):
    thinking: str
    signature: str


class RedactedThinkingBlockParam(Struct, tag_field="type", tag="redacted_thinking", gc=False):
    data: str


BlockParam = (
    ContentBlockParam
    | ThinkingBlockParam
    | RedactedThinkingBlockParam
    | ToolUseBlockParam
    | ToolResultBlockParam
    | Raw  # a block that chat completions cannot express, unchanged
)


class MessageParam(Struct, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[BlockParam]


class ToolParam(Struct, omit_defaults=True, gc=False):
    name: str
    input_schema: dict[str, Any] | Raw  # raw: written by us
    description: str | UnsetType = UNSET
    strict: bool = False
    cache_control: CacheControl | None = None
    allowed_callers: list[str] | UnsetType = UNSET
    defer_loading: bool | UnsetType = UNSET
    eager_input_streaming: bool | UnsetType = UNSET
    input_examples: list[dict[str, Any]] | UnsetType = UNSET


class ToolChoiceParam(Struct, omit_defaults=True, gc=False):
    type: Literal["auto", "any", "tool", "none"]
    name: str | UnsetType = UNSET
    disable_parallel_tool_use: bool = False


class MetadataParam(Struct):
    user_id: str


class JSONOutputFormat(Struct, tag_field="type", tag="json_schema"):
    schema: dict[str, Any]


class OutputConfig(Struct, omit_defaults=True):
    effort: str | None = None
    format: JSONOutputFormat | dict[str, Any] | None = None  # a dict: a format sent in the native shape
    task_budget: dict[str, Any] | UnsetType = UNSET


class ThinkingEnabled(Struct, tag_field="type", tag="enabled", omit_defaults=True):
    budget_tokens: int
    display: str | None = None
    block_binding: dict[str, Any] | UnsetType = UNSET


class ThinkingAdaptive(Struct, tag_field="type", tag="adaptive", omit_defaults=True):
    display: str | None = None
    block_binding: dict[str, Any] | UnsetType = UNSET


class ThinkingBetweenTools(Struct, tag_field="type", tag="between_tools", gc=False):
    pass


class ThinkingDisabled(Struct, tag_field="type", tag="disabled", gc=False):
    pass


ThinkingConfig = ThinkingEnabled | ThinkingAdaptive | ThinkingBetweenTools | ThinkingDisabled


class Skill(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A skill of a container. Chat clients send it in the same shape."""

    type: str
    skill_id: str
    version: str | None = None


class ContainerParam(Struct, omit_defaults=True):
    id: str | None = None
    skills: list[Skill] | UnsetType = UNSET


class MessagesRequest(Struct, kw_only=True, gc=False):
    """Body of `POST /v1/messages`."""

    model: str
    max_tokens: int
    system: list[TextBlockParam] | UnsetType = UNSET
    messages: list[MessageParam]
    tools: list[ToolParam | dict[str, Any]] | UnsetType = UNSET  # a dict: a tool sent in the native shape
    tool_choice: ToolChoiceParam | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    stop_sequences: list[str] | UnsetType = UNSET
    metadata: MetadataParam | UnsetType = UNSET
    thinking: ThinkingConfig | UnsetType = UNSET
    output_config: OutputConfig | UnsetType = UNSET
    service_tier: Literal["auto", "standard_only"] | UnsetType = UNSET
    container: str | ContainerParam | UnsetType = UNSET
    stream: bool | UnsetType = UNSET
    # Keys that clients send in the native shape.
    cache_control: CacheControl | None | UnsetType = UNSET
    context_management: dict[str, Any] | UnsetType = UNSET
    inference_geo: str | UnsetType = UNSET
    mcp_servers: list[dict[str, Any]] | UnsetType = UNSET
    speed: str | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
