"""Wire structs of chat completions: the request that clients send, the reply and the chunks they get.

Fields are named as in the vendor's reference (https://platform.openai.com/docs/api-reference/chat).
Requests are strict: an unknown field fails the decoder (and is then ignored and reported, see
`chatcompat.request.unknown`). What is typed `Raw` is opaque JSON that is proven before it is sent on.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from chatcompat.messages import CacheControl

# ---------------------------------------------------------------- request: content parts


class TextPart(Struct, tag_field="type", tag="text", forbid_unknown_fields=True, gc=False):
    text: str
    cache_control: CacheControl | None = None


class RefusalPart(Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True, gc=False):
    refusal: str


class ImageURL(Struct, forbid_unknown_fields=True, gc=False):
    url: Raw  # a JSON string; images are large and their text never becomes a `str`
    detail: str | None = None


class ImagePart(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True, gc=False):
    image_url: ImageURL
    cache_control: CacheControl | None = None


# ---------------------------------------------------------------- request: messages


class FunctionCall(Struct, forbid_unknown_fields=True, gc=False):
    name: str
    arguments: str | None = None


class ToolCall(Struct, forbid_unknown_fields=True, gc=False):
    id: str
    function: FunctionCall
    type: Literal["function"] = "function"  # clients leave it out
    index: int | None = None  # clients that rebuild a call from its deltas keep it


class SystemMessage(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    content: str | list[TextPart]
    name: str | None = None
    cache_control: CacheControl | None = None


class DeveloperMessage(SystemMessage, tag_field="role", tag="developer", forbid_unknown_fields=True):
    """The newer name of a system message."""


class UserMessage(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: str | list[TextPart | ImagePart]
    name: str | None = None
    cache_control: CacheControl | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    cache_control: CacheControl | None = None
    # What replies bring and clients send back whole; it has no place in a messages request.
    annotations: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    function_call: Raw | UnsetType = UNSET


class ToolMessage(Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    tool_call_id: str
    content: str | list[TextPart | ImagePart] | None = None
    is_error: bool | None = None
    name: str | None = None
    cache_control: CacheControl | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage

# ---------------------------------------------------------------- request: tools and options


class FunctionDefinition(Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None


class Tool(Struct, forbid_unknown_fields=True):
    function: FunctionDefinition
    type: Literal["function"]
    cache_control: CacheControl | None = None


class NamedFunction(Struct, forbid_unknown_fields=True):
    name: str


class NamedToolChoice(Struct, forbid_unknown_fields=True):
    function: NamedFunction
    type: Literal["function"]


class JSONSchema(Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    schema: Raw | UnsetType = UNSET
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class StreamOptions(Struct, forbid_unknown_fields=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


PositiveInt = Annotated[int, Meta(ge=1)]


class ChatCompletionRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of `POST /v1/chat/completions`; `chatcompat.request.fields` says what becomes of each field."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: str | None = None
    user: str | None = None

    # Not sent on. They stand last, so that one comparison tells whether any is there.
    audio: Raw | UnsetType = UNSET
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None | UnsetType = UNSET
    function_call: Raw | UnsetType = UNSET
    functions: Raw | UnsetType = UNSET
    logit_bias: dict[str, float] | None | UnsetType = UNSET
    logprobs: bool | None | UnsetType = UNSET
    metadata: dict[str, str] | None | UnsetType = UNSET
    modalities: list[str] | None | UnsetType = UNSET
    moderation: Raw | UnsetType = UNSET
    n: PositiveInt | None | UnsetType = UNSET
    prediction: Raw | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None | UnsetType = UNSET
    prompt_cache_key: str | None | UnsetType = UNSET
    prompt_cache_options: Raw | UnsetType = UNSET
    prompt_cache_retention: str | None | UnsetType = UNSET
    reasoning_effort: str | None | UnsetType = UNSET
    seed: int | None | UnsetType = UNSET
    service_tier: str | None | UnsetType = UNSET
    store: bool | None | UnsetType = UNSET
    top_logprobs: int | None | UnsetType = UNSET
    verbosity: str | None | UnsetType = UNSET
    web_search_options: Raw | UnsetType = UNSET


# ---------------------------------------------------------------- reply


class ReplyFunction(Struct, gc=False):
    name: str
    arguments: str


class ReplyToolCall(Struct, gc=False):
    id: str
    function: ReplyFunction
    type: Literal["function"] = "function"


class ReplyMessage(Struct, tag_field="role", tag="assistant"):
    content: str | None
    refusal: str | None
    tool_calls: list[ReplyToolCall] | UnsetType = UNSET


class Choice(Struct):
    index: int
    message: ReplyMessage
    finish_reason: str
    logprobs: None
    native_finish_reason: str | None  # extension: the `stop_reason` as it came
    stop_sequence: str | UnsetType = UNSET  # extension: which stop sequence matched


class ChatCompletion(Struct, kw_only=True):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, Any]  # names of both vendors: what has no chat name keeps its own


class ErrorObject(Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct):
    """The error shape: `{"error": {"message", "type", "param", "code"}}`, all four always written."""

    error: ErrorObject
