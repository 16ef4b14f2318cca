"""Rules beyond the types, from the vendor's documentation and from user reports."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec
from msgspec import UNSET

from chatcompat.simulator.blocks import (
    Cacheable,
    Document,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from chatcompat.simulator.cache import is_deferred, present, system_blocks
from chatcompat.simulator.catalogue import Model
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.schema import Schema
from chatcompat.simulator.server_tools import check_signed
from chatcompat.simulator.strict import check_compiled
from chatcompat.simulator.turns import TOOL_NAME, Placed, Turn, check_conversation, check_pattern, check_text
from chatcompat.simulator.wire import (
    CustomTool,
    MessagesRequest,
    Prompt,
    ThinkingAdaptive,
    ThinkingEnabled,
    Tool,
    ToolChoiceAny,
    ToolChoiceTool,
)

OLD: Final = "2023-06-01"
LATEST: Final = "2026-10-21"
VERSIONS: Final = (OLD, LATEST)

MAX_BREAKPOINTS: Final = 4
MAX_USER_ID: Final = 256  # characters
MIN_BUDGET: Final = 1024  # tokens
MIN_TOP_P: Final = 0.95  # with thinking
SAMPLING: Final = ("temperature", "top_p", "top_k")

_FORCED: Final = 'tool_choice: type "tool" and "any" are not supported for this model.'
_BUDGET: Final = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.'
)
_PREFILL: Final = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
_DEFERRED: Final = (
    "A tool cannot have both defer_loading=true and cache_control set. "
    "Tools with defer_loading cannot use prompt caching."
)
_COMBINED: Final = "input_schema does not support oneOf, allOf, or anyOf at the top level"
_BAD_SCHEMA: Final = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."
)


def check_prompt(prompt: Prompt, tools: list[Tool], model: Model, version: str) -> list[Turn]:
    """Check the fields that both requests share. Returns the conversation as turns."""
    _check_system(prompt)
    turns = check_conversation(prompt.messages, latest=version == LATEST, system_role=model.system_role)
    for placed in (placed for turn in turns for placed in turn.blocks):
        check_signed(placed)
    _check_tools(tools)
    _check_tool_choice(prompt, tools, model)
    if not tools and any(isinstance(p.block, ToolUse | ToolResult) for turn in turns for p in turn.blocks):
        raise invalid("tools: Requests which have `tool_use` or `tool_result` blocks in `messages` must define tools.")
    _check_output_format(prompt, turns)
    check_compiled(prompt, tools)
    _check_prefill(prompt, turns, model)
    _check_thinking(prompt, turns, model)
    _check_breakpoints(prompt, tools, turns)
    return turns


def check_limits(request: MessagesRequest, model: Model, version: str) -> None:
    """Check limits and sampling, which only `POST /v1/messages` has."""
    if request.max_tokens < 1:
        raise invalid("max_tokens: must be greater than or equal to 1")
    if request.max_tokens > model.max_tokens:
        raise invalid(
            f"max_tokens: {request.max_tokens} > {model.max_tokens}, which is the maximum allowed number of output "
            f"tokens for {model.id}"
        )
    if isinstance(request.thinking, ThinkingEnabled) and request.thinking.budget_tokens >= request.max_tokens:
        raise invalid("max_tokens: must be greater than `thinking.budget_tokens`")
    if request.metadata is not UNSET and len(request.metadata.user_id or "") > MAX_USER_ID:
        raise invalid(f"metadata.user_id: String should have at most {MAX_USER_ID} characters")
    if request.stop_sequences is not UNSET and not all(stop.strip() for stop in request.stop_sequences):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    _check_sampling(request, model, version)


def _check_sampling(request: MessagesRequest, model: Model, version: str) -> None:
    names = [name for name in SAMPLING if getattr(request, name) is not UNSET]
    if names and version == LATEST:
        raise invalid(f"{names[0]}: Extra inputs are not permitted")
    if names and not model.sampling:
        raise invalid(f"{names[0]}: `{names[0]}` is deprecated for this model.")
    for name in names:
        value = getattr(request, name)
        if value < 0:
            raise invalid(f"{name}: Input should be greater than or equal to 0")
        if value > 1 and name != "top_k":
            raise invalid(f"{name}: Input should be less than or equal to 1")
    if not isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive):
        return
    if request.temperature is not UNSET and request.temperature != 1:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    if request.top_k is not UNSET:
        raise invalid("`top_k` must be unset when thinking is enabled or in adaptive mode.")
    if request.top_p is not UNSET and request.top_p < MIN_TOP_P:
        raise invalid("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")


def _check_system(prompt: Prompt) -> None:
    if isinstance(prompt.system, str):
        check_text(prompt.system, "system")
    elif prompt.system is not UNSET:
        for block in prompt.system:
            check_text(block.text, "system")


def _check_tools(tools: list[Tool]) -> None:
    for index, tool in enumerate(tools):
        if isinstance(tool, CustomTool):
            check_pattern(tool.name, TOOL_NAME, f"tools.{index}.custom.name")
            _check_input_schema(tool, f"tools.{index}.custom.input_schema")
    if len({tool.name for tool in tools}) < len(tools):
        raise invalid("tools: Tool names must be unique.")


def _check_input_schema(tool: CustomTool, at: str) -> None:
    if "type" not in tool.input_schema:
        raise invalid(f"{at}.type: Field required")
    if tool.input_schema["type"] != "object":
        raise invalid(f"{at}.type: Input should be 'object'")
    if tool.input_schema.keys() & {"anyOf", "oneOf", "allOf"}:
        raise invalid(f"{at}: {_COMBINED}")
    _check_schema(tool.input_schema, at)


def _check_schema(schema: dict[str, object], at: str) -> None:
    try:
        msgspec.convert(schema, Schema)
    except msgspec.ValidationError:
        raise invalid(f"{at}: {_BAD_SCHEMA}") from None


def _check_tool_choice(prompt: Prompt, tools: list[Tool], model: Model) -> None:
    choice = prompt.tool_choice
    if choice is UNSET:
        return
    if not tools:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools.")
    if not isinstance(choice, ToolChoiceAny | ToolChoiceTool):
        return
    if not model.forced_tools:
        raise invalid(_FORCED)
    if isinstance(prompt.thinking, ThinkingEnabled):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if isinstance(choice, ToolChoiceTool) and choice.name not in {tool.name for tool in tools}:
        raise invalid(f"tool_choice: Tool '{choice.name}' not found in provided tools")


def _check_output_format(prompt: Prompt, turns: list[Turn]) -> None:
    if prompt.output_config is not UNSET and prompt.output_config.format is not None:
        _check_schema(prompt.output_config.format.schema, "output_config.format.schema")
        blocks = [placed.block for turn in turns for placed in turn.blocks]
        inner = [
            b
            for found in blocks
            if isinstance(found, ToolResult) and isinstance(found.content, list)
            for b in found.content
        ]
        if any(
            isinstance(b, Document | SearchResult) and b.citations and b.citations.enabled for b in [*blocks, *inner]
        ):
            raise invalid("output_config.format: not supported together with citations")


def _check_prefill(prompt: Prompt, turns: list[Turn], model: Model) -> None:
    """Check a final assistant turn, which the reply would continue."""
    last = turns[-1]
    if last.role != "assistant":
        return
    if not model.prefill:
        raise invalid(_PREFILL)
    if prompt.output_config is not UNSET and prompt.output_config.format is not None:
        raise invalid("output_config.format: not supported together with an assistant message prefill")
    block = last.blocks[-1].block if last.blocks else None
    if isinstance(block, Text) and block.text != block.text.rstrip():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")


def _check_thinking(prompt: Prompt, turns: list[Turn], model: Model) -> None:
    if not isinstance(prompt.thinking, ThinkingEnabled):
        return
    if not model.thinking_budget:
        raise invalid(_BUDGET)
    if prompt.thinking.budget_tokens < MIN_BUDGET:
        raise invalid(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}")
    first = _start_of_last_turn(turns)
    if first is not None and not isinstance(first.block, Thinking | RedactedThinking):
        raise invalid(
            f"{first.path}.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{first.block.__struct_config__.tag}`. When `thinking` is enabled, a final `assistant` message must "
            "start with a thinking block."
        )


def _start_of_last_turn(turns: list[Turn]) -> Placed | None:
    """The first block of the model's turn that is not over. A tool loop is one turn, and a prefill starts its own."""
    spoken = [turn for turn in reversed(turns) if turn.role != "system"]
    own = [turn for turn in takewhile(_is_of_model, spoken) if turn.role == "assistant" and turn.blocks]
    if not own:
        return None
    return own[0 if own[0] is spoken[0] else -1].blocks[0]


def _is_of_model(turn: Turn) -> bool:
    """Whether a turn belongs to one of the model's: its own messages, and the results of its calls."""
    return turn.role == "assistant" or any(isinstance(placed.block, ToolResult) for placed in turn.blocks)


def _check_breakpoints(prompt: Prompt, tools: list[Tool], turns: list[Turn]) -> None:
    for index, tool in enumerate(tools):
        if tool.cache_control and is_deferred(tool):
            raise invalid(f"tools.{index}.cache_control: {_DEFERRED}")
    for placed in (placed for turn in turns for placed in turn.blocks):
        if isinstance(placed.block, ToolResult) and isinstance(placed.block.content, list):
            _check_nested(placed.block.content, f"{placed.path}.tool_result.content")
    blocks = [*present(tools), *system_blocks(prompt), *(placed.block for turn in turns for placed in turn.blocks)]
    cacheable = [block for block in blocks if isinstance(block, Cacheable)]
    found = [block.cache_control for block in [*cacheable, prompt] if block.cache_control]
    if len(found) > MAX_BREAKPOINTS:
        raise invalid(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(found)}.")
    target = cacheable[-1].cache_control if cacheable else None
    if prompt.cache_control and target and target.ttl != prompt.cache_control.ttl:
        raise invalid(
            f"Top-level cache_control has ttl='{prompt.cache_control.ttl}' but the target block already has "
            f"cache_control with ttl='{target.ttl}'. When both are specified on the same block, they must have "
            "matching TTLs."
        )
    ttls = [breakpoint_.ttl for breakpoint_ in found]
    if ttls != sorted(ttls):  # "1h" sorts before "5m"
        raise invalid(
            "cache_control: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note "
            "that blocks are processed in the following order: tools, system, messages."
        )


def _check_nested(content: Sequence[Cacheable], at: str) -> None:
    for index, inner in enumerate(content):
        if inner.cache_control:
            raise invalid(
                f"{at}.{index}.cache_control: cache_control may not be specified within `tool_result.content`. "
                "Instead, place it directly on `tool_result`"
            )
