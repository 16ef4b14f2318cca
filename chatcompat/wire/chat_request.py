"""Wire structs of chat completions: the request that clients send.

Fields are named as in the vendor's reference (https://platform.openai.com/docs/api-reference/chat).
Decoding is strict: an unknown field fails the decoder. Then `chatcompat.request.unknown_fields` reports it, and
`chatcompat.request.open_structs` decodes the rest. `Raw` fields hold opaque JSON, which is validated before it is
sent on.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from chatcompat.wire import chat_native as native
from chatcompat.wire.chat_tools import CustomTool, FunctionDefinition, FunctionTool, Named, ToolChoice, WebSearchOptions
from chatcompat.wire.messages import CacheControl, CitationsConfig, Skill

_encode: Final = msgspec.json.Encoder().encode

WholeNumber = Annotated[float, Meta(multiple_of=1)]
"""Some clients write `0.0`. The integers of options are rewritten instead, see `chatcompat.request.lenient`."""

# ---------------------------------------------------------------- request: content parts


class PromptCacheBreakpoint(Struct, forbid_unknown_fields=True, gc=False):
    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class TextPart(Struct, tag_field="type", tag="text", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["text"]] = "text"
    text: str
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: PromptCacheBreakpoint | None = None


class RefusalPart(Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["refusal"]] = "refusal"
    refusal: str


class ImageURL(Struct, forbid_unknown_fields=True, gc=False):
    url: Raw  # a JSON string; images are large, so it is never decoded to a `str`
    detail: str | None = None
    format: str | None = None  # extension: the media type, as LiteLLM and its users write it


class ImagePart(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["image_url"]] = "image_url"
    image_url: ImageURL | str  # some clients send the URL alone
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: PromptCacheBreakpoint | None = None

    def to_image_url(self) -> ImageURL:
        """The URL with what is said about it."""
        image_url = self.image_url
        return ImageURL(Raw(_encode(image_url))) if isinstance(image_url, str) else image_url


class File(Struct, forbid_unknown_fields=True, gc=False):
    file_data: Raw | UnsetType = UNSET  # a JSON string: a data URL, or bare base64
    file_id: str | None = None
    filename: str | None = None
    format: str | None = None  # extension: the media type


class FilePart(Struct, tag_field="type", tag="file", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["file"]] = "file"
    file: File
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: PromptCacheBreakpoint | None = None


class NativeContent(Struct, tag_field="type", tag="content", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["content"]] = "content"
    content: str | list[TextPart | native.NativeImagePart]


class DocumentPart(Struct, tag_field="type", tag="document", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["document"]] = "document"
    source: native.NativeBase64 | native.NativeURL | native.NativeFile | native.NativeText | NativeContent
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class SearchResultPart(Struct, tag_field="type", tag="search_result", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["search_result"]] = "search_result"
    source: str
    title: str
    content: list[TextPart]
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


ResultPart = TextPart | ImagePart | FilePart | native.NativeImagePart | DocumentPart | SearchResultPart


class ToolResultPart(Struct, tag_field="type", tag="tool_result", forbid_unknown_fields=True, gc=False):
    type: ClassVar[Literal["tool_result"]] = "tool_result"
    tool_use_id: str
    content: str | list[ResultPart] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None  # that of the call
    cache_control: CacheControl | None = None


UserPart = ResultPart | ToolResultPart
AssistantPart = TextPart | RefusalPart | native.ToolUsePart | native.ThinkingPart | native.RedactedThinkingPart


# ---------------------------------------------------------------- request: messages


class FunctionCall(Struct, forbid_unknown_fields=True, gc=False):
    name: str
    arguments: str | dict[str, Any] | None = None  # some clients send the object itself

    def arguments_text(self) -> str:
        """The arguments as JSON, or as the client wrote them."""
        arguments = self.arguments or ""
        return arguments if isinstance(arguments, str) else _encode(arguments).decode()


class CustomCall(Struct, forbid_unknown_fields=True, gc=False):
    name: str
    input: str


class ToolCall(Struct, forbid_unknown_fields=True, gc=False):
    id: str
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    type: Literal["function", "custom"] | None = "function"  # some clients leave it out, or send null
    index: WholeNumber | None = None  # some clients keep it from the deltas of a stream


class ReasoningDetail(Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Extension: an entry of a reply's thinking, or a block that chat completions cannot express.

    `reasoning.text` and `reasoning.encrypted` hold thinking that the service signed. `reasoning.encrypted` also holds
    any other native block, as JSON. `chatcompat.wire.reasoning` describes the `id` of our entries. Earlier releases
    wrote positions as entries: `content` for the next `length` characters of the content, `tool_call` for the next
    call.
    """

    type: str
    index: WholeNumber | None = None  # clients use it to assemble deltas
    text: str | None = None
    signature: str | None = None
    data: str | None = None
    summary: str | list[Any] | None = None  # of other vendors
    length: Annotated[float, Meta(ge=0, multiple_of=1)] | None = None
    id: str | None = None
    format: str | None = None  # whose entry it is
    model: str | None = None  # which model wrote it, for the client


class ThinkingBlock(Struct, forbid_unknown_fields=True, gc=False):
    """Extension: a native block of thinking, which some gateways send in `thinking_blocks`."""

    type: str
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    cache_control: CacheControl | None = None  # thinking cannot carry it natively


# `role` is a class variable too: to compare it takes a fifth of `isinstance`, where the struct is another.


class SystemMessage(Struct, tag_field="role", tag="system", forbid_unknown_fields=True, gc=False):
    role: ClassVar[Literal["system", "developer"]] = "system"
    content: str | list[TextPart] | None = None  # some clients leave empty text out
    name: str | None = None
    cache_control: CacheControl | None = None


class DeveloperMessage(SystemMessage, tag_field="role", tag="developer", forbid_unknown_fields=True, gc=False):
    """The newer name of a system message."""

    role: ClassVar[Literal["system", "developer"]] = "developer"


class UserMessage(Struct, tag_field="role", tag="user", forbid_unknown_fields=True, gc=False):
    role: ClassVar[Literal["user"]] = "user"
    content: str | list[UserPart]
    name: str | None = None
    cache_control: CacheControl | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True, gc=False):
    role: ClassVar[Literal["assistant"]] = "assistant"
    content: str | list[AssistantPart] | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    function_call: FunctionCall | None = None
    name: str | None = None
    cache_control: CacheControl | None = None
    # Reply fields that clients send back with the history. The first two have no native field.
    annotations: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    citations: Raw | UnsetType = UNSET  # extension
    reasoning_content: str | None = None  # extension: the model's thinking as plain text
    reasoning: str | None = None  # extension: the same, as OpenRouter names it
    reasoning_details: list[ReasoningDetail] | None = None  # extension: all thinking, signed and in position
    thinking_blocks: list[ThinkingBlock] | None = None  # extension of other gateways: the same without positions


class ToolMessage(Struct, tag_field="role", tag="tool", forbid_unknown_fields=True, gc=False):
    role: ClassVar[Literal["tool"]] = "tool"
    tool_call_id: str
    content: str | list[ResultPart] | None = None
    is_error: bool | None = None
    name: str | None = None
    cache_control: CacheControl | None = None


class FunctionMessage(Struct, tag_field="role", tag="function", forbid_unknown_fields=True, gc=False):
    """The result of a legacy `function_call`, matched by the function's name."""

    role: ClassVar[Literal["function"]] = "function"
    name: str
    content: str | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage

# ---------------------------------------------------------------- request: options


class JSONSchema(Struct, forbid_unknown_fields=True):
    name: str | None = None  # required in the reference, but nothing here needs it
    description: str | None = None
    schema: Raw | UnsetType = UNSET
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None
    schema: Raw | UnsetType = UNSET  # extension of other services: the schema of a `json_object`
    value: Raw | UnsetType = UNSET  # the same, as Hugging Face's client writes it


class Container(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Extension: the container of a reply, as the reply names it."""

    id: str | None = None
    skills: list[Skill] | None = None
    expires_at: str | None = None  # only in replies


class StreamOptions(Struct, forbid_unknown_fields=True, gc=False):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class PromptCacheOptions(Struct, forbid_unknown_fields=True):
    mode: Literal["implicit", "explicit"] | None = None
    ttl: str | None = None


PositiveInt = Annotated[int, Meta(ge=1)]


class PlainRequest(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The fields that a request for plain text has: such a request is decoded without the many others."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


class ChatCompletionRequest(PlainRequest, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Body of `POST /v1/chat/completions`; `chatcompat.request.fields` lists how each field is handled."""

    tools: list[FunctionTool | CustomTool | None] | None = None  # null replaces a native tool
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    web_search_options: WebSearchOptions | None = None
    functions: list[FunctionDefinition] | None = None
    function_call: Literal["none", "auto"] | Named | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: str | None = None

    # Extension: thinking, as other gateways name it, and keys of the native API.
    reasoning: native.Reasoning | None = None
    include_reasoning: bool | None = None
    thinking: native.ThinkingKey | None = None
    output_config: native.OutputConfigKey | None = None
    top_k: Annotated[int, Meta(ge=-1)] | None = None  # -1: no limit, as other services name it
    cache_control: CacheControl | None = None
    container: str | Container | None = None
    context_management: native.ContextManagementKey | None = None
    mcp_servers: list[native.MCPServer] | None = None
    speed: str | None = None
    inference_geo: str | None = None
    betas: list[str] | None = None

    # Fields that are not sent on. They come last, so that one comparison shows whether any is set.
    audio: Raw | UnsetType = UNSET
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None | UnsetType = UNSET
    logit_bias: dict[str, float] | None | UnsetType = UNSET
    logprobs: bool | None | UnsetType = UNSET
    metadata: dict[str, Any] | None | UnsetType = UNSET
    modalities: list[str] | None | UnsetType = UNSET
    moderation: Raw | UnsetType = UNSET
    n: PositiveInt | None | UnsetType = UNSET
    prediction: Raw | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None | UnsetType = UNSET
    prompt_cache_key: str | None | UnsetType = UNSET
    seed: int | None | UnsetType = UNSET
    store: bool | None | UnsetType = UNSET
    top_logprobs: int | None | UnsetType = UNSET
    verbosity: str | None | UnsetType = UNSET
