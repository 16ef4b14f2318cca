"""`reasoning_effort` -> thinking. Also removes what the native API does not accept together with thinking."""

from typing import Final

from msgspec import UNSET

from chatcompat.dialect import Dialect
from chatcompat.wire.messages import (
    BlockBinding,
    MessagesRequest,
    OutputConfig,
    RedactedThinkingBlockParam,
    ThinkingAdaptive,
    ThinkingBlockParam,
    ThinkingDisabled,
    ThinkingEnabled,
    ToolResultBlockParam,
    ToolUseBlockParam,
)

MIN_BUDGET: Final = 1_024
"""Native: "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"."""

_MIN_TOP_P: Final = 0.95


def set_reasoning(
    effort: str | None, request: MessagesRequest, dialect: Dialect, ignored: list[str], *, forces_call: bool
) -> None:
    """Turn thinking on or off in an otherwise complete request.

    The native API does not combine them all: a forced call wins over thinking, and thinking wins over sampling.
    """
    if effort is None or (dialect.reasoning == "none" and effort == "none"):
        return
    if effort == "none":
        _turn_off(request, dialect, ignored)
    elif dialect.reasoning == "effort":
        _set_effort(effort, request, dialect, ignored)
    elif dialect.reasoning == "none" or not _set_budget(effort, request, dialect, forces_call):
        ignored.append("reasoning_effort")
    else:
        _unset_sampling(request, ignored)


def set_block_binding(request: MessagesRequest, dialect: Dialect, ignored: list[str], *, has_thinking: bool) -> None:
    """Say what happens to thinking behind a changed prefix. A model that thinks by itself must be told to think."""
    if dialect.prefix_mismatch is None:
        return
    if request.thinking is UNSET and dialect.reasoning == "effort" and has_thinking:
        request.thinking = ThinkingAdaptive()
        _unset_sampling(request, ignored)
    if isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive):
        request.thinking.block_binding = BlockBinding(dialect.prefix_mismatch)


def _turn_off(request: MessagesRequest, dialect: Dialect, ignored: list[str]) -> None:
    if dialect.thinking_off:
        request.thinking = ThinkingDisabled()
    else:
        _config(request).effort = "low"
        ignored.append("reasoning_effort")


def _set_effort(effort: str, request: MessagesRequest, dialect: Dialect, ignored: list[str]) -> None:
    native = dialect.efforts.get(effort)
    if native is None:
        ignored.append("reasoning_effort")
        return
    _config(request).effort = native
    if dialect.adaptive_thinking:
        request.thinking = ThinkingAdaptive()
        _unset_sampling(request, ignored)


def _config(request: MessagesRequest) -> OutputConfig:
    if request.output_config is UNSET:
        request.output_config = OutputConfig()
    return request.output_config


def _set_budget(effort: str, request: MessagesRequest, dialect: Dialect, forces_call: bool) -> bool:
    budget = min(dialect.budgets.get(effort, 0), request.max_tokens // 2)
    if budget < MIN_BUDGET or forces_call or _has_lost_thinking(request):
        return False
    request.thinking = ThinkingEnabled(budget)
    return True


def _unset_sampling(request: MessagesRequest, ignored: list[str]) -> None:
    if request.temperature is not UNSET:
        if request.temperature != 1:
            ignored.append("temperature")
        request.temperature = UNSET
    if request.top_p is not UNSET and request.top_p < _MIN_TOP_P:
        request.top_p = UNSET
        ignored.append("top_p")


def _has_lost_thinking(request: MessagesRequest) -> bool:
    """Whether the last turn holds the results of a turn whose thinking is missing.

    Native: "Expected `thinking` or `redacted_thinking`, but found `tool_use`". Most clients drop thinking.
    """
    if len(request.messages) < 2:  # noqa: PLR2004 - a turn and its answer
        return False
    called, answer = request.messages[-2].content, request.messages[-1].content
    if isinstance(called, str) or isinstance(answer, str) or not isinstance(answer[0], ToolResultBlockParam):
        return False
    return any(isinstance(block, ToolUseBlockParam) for block in called) and not isinstance(
        called[0], ThinkingBlockParam | RedactedThinkingBlockParam
    )
