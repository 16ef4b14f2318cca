"""The request around its messages: tools, options and the body itself. As strict as `chatcompat.simulator.blocks`.

Source: https://platform.claude.com/docs/en/api/messages and the types of the vendor's Python package.
"""

from typing import Literal

from msgspec import UNSET, Raw, UnsetType

from chatcompat.simulator.beta_wire import BlockBinding, ContextManagement, MCPServer, MCPToolset, TaskBudget
from chatcompat.simulator.blocks import Cacheable, CitationsConfig, Message, TextOnly, Wire

# ---------------------------------------------------------------- tools


class CustomTool(Cacheable):
    """A tool that the client runs."""

    name: str
    input_schema: dict[str, object]
    type: Literal["custom"] | None = None
    allowed_callers: list[str] | UnsetType = UNSET
    defer_loading: bool = False
    description: str | UnsetType = UNSET
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, object]] | UnsetType = UNSET
    strict: bool = False


class UserLocation(Wire):
    """The user's location, for a web search."""

    type: Literal["approximate"]
    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class WebSearch(Cacheable):
    """The service's web search."""

    type: Literal["web_search_20250305", "web_search_20260209", "web_search_20260318"]
    name: Literal["web_search"]
    allowed_callers: list[str] | UnsetType = UNSET
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    defer_loading: bool = False
    max_uses: int | None = None
    response_inclusion: Literal["full", "excluded"] | UnsetType = UNSET
    strict: bool = False
    user_location: UserLocation | None = None


class WebFetch(Cacheable):
    """The service's access to pages."""

    type: Literal["web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318"]
    name: Literal["web_fetch"]
    allowed_callers: list[str] | UnsetType = UNSET
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    citations: CitationsConfig | None = None
    defer_loading: bool = False
    max_content_tokens: int | None = None
    max_uses: int | None = None
    response_inclusion: Literal["full", "excluded"] | UnsetType = UNSET
    strict: bool = False
    use_cache: bool | UnsetType = UNSET


class CodeExecution(Cacheable):
    """The service's container, in which it runs commands."""

    type: Literal[
        "code_execution_20250522", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521"
    ]
    name: Literal["code_execution"]
    allowed_callers: list[str] | UnsetType = UNSET
    defer_loading: bool = False
    strict: bool = False


class ToolSearch(Cacheable):
    """The service's search among deferred tools. It is accepted, but never runs."""

    type: Literal[
        "tool_search_tool_bm25",
        "tool_search_tool_bm25_20251119",
        "tool_search_tool_regex",
        "tool_search_tool_regex_20251119",
    ]
    name: Literal["tool_search_tool_bm25", "tool_search_tool_regex"]
    allowed_callers: list[str] | UnsetType = UNSET
    defer_loading: bool = False
    strict: bool = False


ServerTool = WebSearch | WebFetch | CodeExecution
Tool = CustomTool | ServerTool | ToolSearch | MCPToolset


class ToolChoiceAuto(Wire, tag="auto"):
    """The model decides."""

    disable_parallel_tool_use: bool = False


class ToolChoiceAny(Wire, tag="any"):
    """At least one call."""

    disable_parallel_tool_use: bool = False


class ToolChoiceTool(Wire, tag="tool"):
    """A call of one tool."""

    name: str
    disable_parallel_tool_use: bool = False


class ToolChoiceNone(Wire, tag="none"):
    """No call."""


ToolChoice = ToolChoiceAuto | ToolChoiceAny | ToolChoiceTool | ToolChoiceNone


# ---------------------------------------------------------------- the request


class ThinkingEnabled(Wire, tag="enabled"):
    """Thinking within a budget of tokens."""

    budget_tokens: int
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: BlockBinding | None = None


class ThinkingAdaptive(Wire, tag="adaptive"):
    """As much thinking as the model decides."""

    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: BlockBinding | None = None


class ThinkingBetweenTools(Wire, tag="between_tools"):
    """Thinking only after tool results."""


class ThinkingDisabled(Wire, tag="disabled"):
    """No thinking."""


ThinkingConfig = ThinkingEnabled | ThinkingAdaptive | ThinkingBetweenTools | ThinkingDisabled


class JSONFormat(Wire):
    """A schema that the reply's text matches."""

    type: Literal["json_schema"]
    schema: dict[str, object]


class OutputConfig(Wire):
    """Effort and format of the reply."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JSONFormat | None = None
    task_budget: TaskBudget | None = None


class Metadata(Wire):
    """About the request."""

    user_id: str | None = None


class Skill(Wire):
    """A skill to load into a container."""

    skill_id: str
    type: Literal["anthropic", "custom"]
    version: str | UnsetType = UNSET


class Container(Wire):
    """A container to use again."""

    id: str | None = None
    skills: list[Skill] | None = None


class Diagnostics(Wire):
    """Asks why a cache was missed."""

    previous_message_id: str | None = None


class Prompt(Cacheable, kw_only=True):
    """The body of `POST /v1/messages/count_tokens`, and the fields shared with `POST /v1/messages`.

    `tools` are decoded in a second step, since a custom tool may omit its type.
    """

    model: str
    messages: list[Message]
    system: str | list[TextOnly] | UnsetType = UNSET
    tools: list[Raw] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    thinking: ThinkingConfig | UnsetType = UNSET
    output_config: OutputConfig | UnsetType = UNSET
    speed: Literal["standard", "fast"] | None = None
    context_management: ContextManagement | None = None
    mcp_servers: list[MCPServer] | UnsetType = UNSET


class MessagesRequest(Prompt, kw_only=True):
    """The body of `POST /v1/messages`. Only version 2023-06-01 has temperature, top_p and top_k."""

    max_tokens: int
    container: str | Container | None = None
    diagnostics: Diagnostics | None = None
    inference_geo: str | None = None
    metadata: Metadata | UnsetType = UNSET
    service_tier: Literal["auto", "standard_only"] | UnsetType = UNSET
    stop_sequences: list[str] | UnsetType = UNSET
    stream: bool | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
