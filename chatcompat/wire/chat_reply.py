"""Wire structs of chat completions: the reply that clients receive.

Fields are named and ordered as in the vendor's reference (https://platform.openai.com/docs/api-reference/chat/object).
A comment marks each extension. A field without a default is always written, because clients need its null.
"""

from typing import Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.message_reply import Citation, StopDetails


class ReplyFunction(Struct, gc=False):
    name: str
    arguments: str


class ReplyToolCall(Struct, gc=False):
    id: str
    function: ReplyFunction
    type: Literal["function"] = "function"


class ReplyCustom(Struct, gc=False):
    name: str
    input: str


class ReplyCustomCall(Struct, gc=False):
    id: str
    custom: ReplyCustom
    type: Literal["custom"] = "custom"


class URLCitation(Struct, gc=False):
    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(Struct, tag_field="type", tag="url_citation", gc=False):
    url_citation: URLCitation


class CitedSpan(Struct, gc=False):
    """Extension: a native citation of the characters from `start_index` to `end_index` of the content."""

    start_index: int
    end_index: int
    citation: Citation


class ReplyMessage(Struct, tag_field="role", tag="assistant"):
    content: str | Raw | None  # raw: a JSON string
    refusal: str | None
    tool_calls: list[ReplyToolCall | ReplyCustomCall] | UnsetType = UNSET
    function_call: ReplyFunction | UnsetType = UNSET
    annotations: list[Annotation] | UnsetType = UNSET
    citations: list[CitedSpan] | UnsetType = UNSET  # extension: what `annotations` has no form for
    reasoning_content: str | UnsetType = UNSET  # extension
    reasoning_details: list[ReasoningDetail] | UnsetType = UNSET  # extension


class Choice(Struct):
    index: int
    message: ReplyMessage
    finish_reason: str
    logprobs: None
    native_finish_reason: str | None  # extension: the native `stop_reason`, unchanged
    stop_sequence: str | UnsetType = UNSET  # extension: which stop sequence matched
    stop_details: StopDetails | UnsetType = (
        UNSET  # extension: the native details, for instance the category of a refusal
    )


class PromptTokensDetails(Struct, omit_defaults=True, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionTokensDetails(Struct, gc=False):
    reasoning_tokens: int


class PlainChatUsage(Struct, gc=False):
    """A usage with no other fields than the vendor's."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | UnsetType = UNSET
    completion_tokens_details: CompletionTokensDetails | UnsetType = UNSET
    cache_creation: Raw | UnsetType = UNSET  # extension, as all that follow
    server_tool_use: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET
    inference_geo: Raw | UnsetType = UNSET


class ChatCompletion(Struct, kw_only=True):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    service_tier: str | None | UnsetType = UNSET
    usage: dict[str, Any] | PlainChatUsage  # chat names; a native field without one keeps its native name
    container: Raw | UnsetType = UNSET  # extension: the container that server tools ran in
