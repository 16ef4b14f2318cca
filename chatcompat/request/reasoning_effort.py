"""Set the thinking that a request asks for, and remove what the native API does not accept together with it."""

from typing import Final

from msgspec import UNSET

from chatcompat.dialect import Dialect
from chatcompat.request.asked_reasoning import Asked, to_asked
from chatcompat.request.context import RequestContext
from chatcompat.request.native_keys import to_thinking
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.messages import (
    MessageParam,
    MessagesRequest,
    OutputConfig,
    RedactedThinkingBlockParam,
    ThinkingAdaptive,
    ThinkingBetweenTools,
    ThinkingBlockParam,
    ThinkingConfig,
    ThinkingDisabled,
    ThinkingEnabled,
    ToolResultBlockParam,
)

MIN_BUDGET: Final = 1_024
"""Native: "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"."""

_MIN_TOP_P: Final = 0.95


def set_reasoning(
    chat: ChatCompletionRequest,
    request: MessagesRequest,
    dialect: Dialect,
    context: RequestContext,
    *,
    forces_call: bool,
    hidden: bool,
) -> None:
    """Turn thinking on or off in an otherwise complete request.

    The native API does not allow every combination: a forced call wins over thinking, and thinking over sampling.
    `hidden` says that the reply must not show the thinking.
    """
    ignored, limited = context.ignored, bool(chat.max_completion_tokens or chat.max_tokens)
    asked = to_asked(chat, dialect, ignored)
    if asked is not None:
        if asked.effort == "none":
            _turn_off(asked, request, dialect, ignored)
        elif dialect.reasoning == "effort":
            _set_effort(asked, request, dialect, ignored)
        elif dialect.reasoning == "none" or forces_call or _has_lost_thinking(request):
            ignored.append(asked.field)
        else:
            _set_budget(asked, request, dialect, ignored, limited=limited)
    if chat.thinking is not None:
        is_off = asked is not None and asked.effort == "none"
        if "thinking" not in dialect.native_keys:
            ignored.append("thinking")
        else:
            thinking = to_thinking(chat.thinking, context)
            if isinstance(thinking, ThinkingEnabled) and dialect.reasoning == "effort" and not is_off:
                thinking = _to_adaptive(thinking, chat, request, dialect, ignored)
            if thinking is not None and (asked is None or asked.field != "thinking"):
                _merge(thinking, request, dialect, ignored, forces_call=forces_call, is_off=is_off, limited=limited)
    if dialect.display is not None:
        _set_display("omitted" if hidden else dialect.display, request, dialect, forces_call=forces_call)
    if isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive):
        _unset_sampling(request, ignored)


def set_block_binding(request: MessagesRequest, dialect: Dialect, ignored: list[str], *, has_thinking: bool) -> None:
    """Say what happens to thinking after a changed prefix. A model that thinks unasked must be asked to think then."""
    if dialect.prefix_mismatch is None:
        return
    if request.thinking is UNSET and dialect.reasoning == "effort" and has_thinking:
        request.thinking = ThinkingAdaptive()
        _unset_sampling(request, ignored)
    thinking = request.thinking
    if isinstance(thinking, ThinkingEnabled | ThinkingAdaptive) and thinking.block_binding is UNSET:
        thinking.block_binding = {"prefix_mismatch_behavior": dialect.prefix_mismatch}


def _turn_off(asked: Asked, request: MessagesRequest, dialect: Dialect, ignored: list[str]) -> None:
    if dialect.reasoning == "none":
        return
    if dialect.thinking_off in (True, "disabled"):
        request.thinking = ThinkingDisabled()
    elif dialect.thinking_off == "between_tools":
        request.thinking = ThinkingBetweenTools()
        if request.tools is not UNSET:
            ignored.append(asked.field)
    elif dialect.reasoning == "effort":  # with "budget", a model thinks only if it gets one
        output_config(request).effort = "low"
        ignored.append(asked.field)


def _set_effort(asked: Asked, request: MessagesRequest, dialect: Dialect, ignored: list[str]) -> None:
    if asked.budget is not None:
        ignored.append("reasoning.max_tokens")
    native = dialect.efforts.get(asked.effort or _nearest_effort(asked.budget or 0, dialect))
    if native is None:
        ignored.append(asked.field)
        return
    output_config(request).effort = native
    if dialect.adaptive_thinking:
        request.thinking = ThinkingAdaptive()


def _to_adaptive(
    thinking: ThinkingEnabled,
    chat: ChatCompletionRequest,
    request: MessagesRequest,
    dialect: Dialect,
    ignored: list[str],
) -> ThinkingAdaptive:
    """Convert a budget for a service that only takes efforts. An effort that the client sends wins over it."""
    ignored.append("thinking.budget_tokens")
    effort = dialect.efforts.get(_nearest_effort(thinking.budget_tokens, dialect))
    names_effort = (
        chat.output_config is not None and chat.output_config.effort and "output_config" in dialect.native_keys
    )
    if effort is not None and not names_effort and (request.output_config or OutputConfig()).effort is None:
        output_config(request).effort = effort
    return ThinkingAdaptive(thinking.display, thinking.block_binding)


def _nearest_effort(budget: int, dialect: Dialect) -> str:
    """The highest effort whose budget is at most `budget`, or the lowest effort."""
    efforts = sorted(dialect.budgets, key=lambda effort: dialect.budgets[effort])
    below = [effort for effort in efforts if dialect.budgets[effort] <= budget]
    return (below[-1:] or efforts[:1] or ["low"])[0]


def output_config(request: MessagesRequest) -> OutputConfig:
    """The request's `output_config`, created if there is none."""
    if request.output_config is UNSET:
        request.output_config = OutputConfig()
    return request.output_config


def _set_budget(asked: Asked, request: MessagesRequest, dialect: Dialect, ignored: list[str], *, limited: bool) -> None:
    """Set the budget. A budget that does not fit is reduced and reported."""
    wanted = asked.budget or dialect.budgets.get(asked.effort or "", 0)
    budget = max(wanted, MIN_BUDGET) if asked.budget else wanted
    if not limited:
        _make_room(budget, request, dialect)
        budget = min(budget, max(request.max_tokens // 2, request.max_tokens - dialect.max_tokens))
    elif asked.budget is None or budget >= request.max_tokens:
        budget = min(budget, request.max_tokens // 2)
    if budget != wanted or budget < MIN_BUDGET:
        ignored.append(asked.field)
    if budget >= MIN_BUDGET:
        request.thinking = ThinkingEnabled(budget)
    if asked.budget is not None and asked.effort is not None:
        ignored.append("reasoning.effort")


def _make_room(budget: int, request: MessagesRequest, dialect: Dialect) -> None:
    """Raise the default `max_tokens` by a budget, up to the limit of the model."""
    request.max_tokens = max(dialect.max_tokens, min(dialect.max_tokens + budget, dialect.max_tokens_limit))


def _merge(
    thinking: ThinkingConfig,
    request: MessagesRequest,
    dialect: Dialect,
    ignored: list[str],
    *,
    forces_call: bool,
    is_off: bool,
    limited: bool,
) -> None:
    """Use `thinking` as the client sent it, unless the request already says otherwise."""
    made = request.thinking
    if is_off and not isinstance(thinking, ThinkingDisabled):
        ignored.append("thinking")
    elif made is not UNSET:
        if isinstance(thinking, ThinkingAdaptive) and isinstance(made, ThinkingAdaptive):
            request.thinking = thinking  # it may have a display
        elif thinking != made:
            ignored.append("thinking")
    elif isinstance(thinking, ThinkingEnabled):
        if forces_call or _has_lost_thinking(request):
            ignored.append("thinking")
            return
        request.thinking = thinking
        if not limited:
            _make_room(thinking.budget_tokens, request, dialect)
    else:
        request.thinking = thinking


def _set_display(display: str, request: MessagesRequest, dialect: Dialect, *, forces_call: bool) -> None:
    thinks_unasked = dialect.reasoning == "effort" and not dialect.adaptive_thinking
    if request.thinking is UNSET and thinks_unasked and not forces_call:
        request.thinking = ThinkingAdaptive()
    if isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive) and request.thinking.display is None:
        request.thinking.display = display


def _unset_sampling(request: MessagesRequest, ignored: list[str]) -> None:
    if request.temperature is not UNSET:
        if request.temperature != 1:
            ignored.append("temperature")
        request.temperature = UNSET
    if request.top_p is not UNSET and request.top_p < _MIN_TOP_P:
        request.top_p = UNSET
        ignored.append("top_p")


def _has_lost_thinking(request: MessagesRequest) -> bool:
    """Whether the model's turn goes on, behind the results of its calls or as a prefill, without its thinking.

    Native: "When `thinking` is enabled, a final `assistant` message must start with a thinking block". Most clients
    drop thinking, and a prefill has none. A tool loop is one turn: a model may think at its start only.
    """
    spoken = (message for message in reversed(request.messages) if message.role != "system")
    first = next(spoken)
    if first.role == "user":
        if not _has_results(first):
            return False
        for message in spoken:
            if message.role == "assistant":
                first = message
            elif not _has_results(message):
                break
    return isinstance(first.content, str) or not isinstance(
        first.content[0], ThinkingBlockParam | RedactedThinkingBlockParam
    )


def _has_results(message: MessageParam) -> bool:
    return not isinstance(message.content, str) and isinstance(message.content[0], ToolResultBlockParam)
