"""Reply structs: the whole message. Events are in `chatcompat.simulator.events`.

Source: https://platform.claude.com/docs/en/api/messages and the types of the vendor's Python package.
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.simulator.server_tools import Container


class TextBlock(Struct, tag_field="type", tag="text", omit_defaults=True):
    """Text."""

    text: str
    citations: list[dict[str, object]] | None = None


class ThinkingBlock(Struct, tag_field="type", tag="thinking"):
    """Thinking and its signature."""

    thinking: str
    signature: str


class ToolUseBlock(Struct, tag_field="type", tag="tool_use"):
    """A call. `input` is a JSON object."""

    id: str
    name: str
    input: Raw


ContentBlock = TextBlock | ThinkingBlock | ToolUseBlock | dict[str, object]  # a dict: a block of the service's tools


class StopDetails(Struct, frozen=True):
    """Why the model refused."""

    type: Literal["refusal"]
    category: str
    explanation: str


class CacheCreation(Struct, frozen=True):
    """Tokens written to a cache, by lifetime."""

    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class OutputDetails(Struct, frozen=True):
    """How the output tokens were used."""

    thinking_tokens: int


class Usage(Struct, frozen=True, kw_only=True):
    """Token counts. `input_tokens` does not include tokens written to or read from a cache.

    `credits_consumed` is not a vendor field. It is the price of the request; see `chatcompat.simulator.tokens`.
    """

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation
    output_tokens: int
    output_tokens_details: OutputDetails | UnsetType = UNSET
    service_tier: Literal["standard"] = "standard"
    credits_consumed: int


class Dropped(Struct, frozen=True):
    """Thinking that was dropped from the request."""

    path: str
    reason: Literal["prefix_binding_mismatch"] = "prefix_binding_mismatch"
    type: Literal["thinking_dropped"] = "thinking_dropped"


class Message(Struct, kw_only=True):
    """Reply of `POST /v1/messages`."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[ContentBlock]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Container | UnsetType = UNSET
    input_transformations: list[Dropped] | UnsetType = UNSET
    usage: Usage


class TokensCount(Struct):
    """Reply of `POST /v1/messages/count_tokens`."""

    input_tokens: int
