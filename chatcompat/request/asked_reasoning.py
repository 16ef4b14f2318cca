"""How much thinking a request asks for, and whether its reply shows the thinking.

Several fields can ask for thinking. If two disagree, `reasoning_effort` wins over `reasoning`, and the other is
reported.
"""

from typing import Final

from msgspec import Struct

from chatcompat.dialect import Dialect
from chatcompat.wire.chat_native import Reasoning, ThinkingKey
from chatcompat.wire.chat_request import ChatCompletionRequest

_UNNAMED_EFFORT: Final = "medium"  # for a request that only turns thinking on


class Asked(Struct):
    """An effort or a budget, and the field that asks for it."""

    field: str
    effort: str | None = None  # "none" turns thinking off
    budget: int | None = None  # tokens


def to_asked(chat: ChatCompletionRequest, dialect: Dialect, ignored: list[str]) -> Asked | None:
    """Return what the request asks for, or None if it leaves the decision to the model."""
    asked = None if chat.reasoning is None else _from_reasoning(chat.reasoning, ignored)
    if chat.reasoning_effort is not None:
        if asked is not None and (asked.effort, asked.budget) != (chat.reasoning_effort, None):
            ignored.append(asked.field)
        return Asked("reasoning_effort", chat.reasoning_effort)
    return asked if asked is not None or chat.thinking is None else _from_key(chat.thinking, dialect)


def _from_key(key: ThinkingKey, dialect: Dialect) -> Asked | None:
    """Return what a native `thinking` asks for, if it does not say how. The dialect then decides how it is sent."""
    if "thinking" not in dialect.native_keys:
        return None
    if key.type == "enabled" and key.budget_tokens is None:
        return Asked("thinking", _UNNAMED_EFFORT)
    return Asked("thinking", "none") if key.type == "disabled" and dialect.reasoning != "none" else None


def _from_reasoning(reasoning: Reasoning, ignored: list[str]) -> Asked | None:
    effort, budget = reasoning.effort, reasoning.max_tokens
    if reasoning.enabled is False:
        if effort not in (None, "none"):
            ignored.append("reasoning.effort")
        if budget:
            ignored.append("reasoning.max_tokens")
        return Asked("reasoning.enabled", "none")
    if effort == "none" or (budget == 0 and effort is None):
        if budget:
            ignored.append("reasoning.max_tokens")
        if reasoning.enabled:
            ignored.append("reasoning.enabled")
        return Asked("reasoning.effort" if effort else "reasoning.max_tokens", "none")
    if budget:
        return Asked("reasoning.max_tokens", effort, budget)
    if effort is not None:
        if budget == 0:
            ignored.append("reasoning.max_tokens")
        return Asked("reasoning.effort", effort)
    return Asked("reasoning.enabled", _UNNAMED_EFFORT) if reasoning.enabled else None


def hides_reasoning(chat: ChatCompletionRequest, ignored: list[str]) -> bool:
    """Return whether the reply must have no reasoning. `reasoning.exclude` wins over `include_reasoning`."""
    exclude = None if chat.reasoning is None else chat.reasoning.exclude
    if exclude is None:
        return chat.include_reasoning is False
    if chat.include_reasoning is exclude:
        ignored.append("include_reasoning")
    return exclude
