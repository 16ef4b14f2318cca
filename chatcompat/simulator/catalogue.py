"""The models, their capabilities, and the replies of `GET /v1/models`."""

import re
from typing import Final, Literal

from msgspec import Struct

from chatcompat.simulator.errors import Failure, invalid

MAX_PAGE: Final = 1000  # models


class Model(Struct, frozen=True):
    """A model and its optional features."""

    id: str
    display_name: str
    created_at: str  # RFC 3339
    forced_tools: bool = True  # tool_choice any and tool
    prefill: bool = True  # a last message of the assistant
    sampling: bool = True  # temperature, top_p, top_k
    thinking_budget: bool = True  # thinking of type enabled
    binds_thinking: bool = False  # refuses thinking after a changed prefix
    system_role: bool = False  # system messages within the conversation
    shows_thinking: bool = True  # the text of thinking, unless `display` says otherwise
    fast_mode_beta: bool = False  # any `speed` needs the beta of the fast mode
    max_input_tokens: int = 200_000
    max_tokens: int = 128_000
    min_cached_tokens: int = 1_024  # a shorter prompt is not cached


MODELS: Final = (
    Model("caicaini/auto", "Auto", "2026-01-01T00:00:00Z"),  # a virtual id: the reply names it too
    Model("sim-1", "Sim 1", "2025-06-01T00:00:00Z"),
    Model(
        "sim-2",
        "Sim 2",
        "2026-10-21T00:00:00Z",
        forced_tools=False,
        prefill=False,
        sampling=False,
        thinking_budget=False,
        binds_thinking=True,
        system_role=True,
        shows_thinking=False,
        fast_mode_beta=True,
        min_cached_tokens=512,
    ),
)


def find_model(model_id: str) -> Model:
    """Return the model with this id. Raises a 404 if there is none."""
    for model in MODELS:
        if model.id == model_id:
            return model
    raise Failure("not_found_error", f"model: {model_id}")


# ---------------------------------------------------------------- as the API shows them


class Support(Struct, frozen=True):
    """Whether something is supported."""

    supported: bool


YES: Final = Support(True)
NO: Final = Support(False)


class ContextManagement(Struct, frozen=True):
    """Edits of the context by the service: those that `context_management` takes."""

    supported: bool = True
    clear_thinking_20251015: Support = YES
    clear_tool_uses_20250919: Support = YES
    compact_20260112: Support = YES


class Effort(Struct, frozen=True):
    """Levels of `output_config.effort`."""

    supported: bool = True
    low: Support = YES
    medium: Support = YES
    high: Support = YES
    xhigh: Support = YES
    max: Support = YES


class ServerTools(Struct, frozen=True):
    """Tools that the service runs."""

    supported: bool = True
    code_execution: Support = YES
    web_search: Support = YES


class ThinkingTypes(Struct, frozen=True):
    """Types of `thinking`."""

    enabled: Support
    adaptive: Support = YES
    between_tools: Support = YES
    disabled: Support = YES


class ThinkingSupport(Struct, frozen=True):
    """Whether and how a model thinks."""

    types: ThinkingTypes
    supported: bool = True


class Capabilities(Struct, frozen=True):
    """What a model can do."""

    thinking: ThinkingSupport
    batch: Support = NO
    citations: Support = NO
    code_execution: Support = NO
    context_management: ContextManagement = ContextManagement()
    effort: Effort = Effort()
    image_input: Support = YES
    pdf_input: Support = YES
    server_tools: ServerTools = ServerTools()
    structured_outputs: Support = YES


class ModelInfo(Struct, frozen=True):
    """Reply of `GET /v1/models/{id}`."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int
    max_tokens: int
    capabilities: Capabilities
    lifecycle: Literal["active"] = "active"
    deprecated_at: None = None
    retires_at: None = None
    line: None = None
    type: Literal["model"] = "model"


class ModelPage(Struct):
    """Reply of `GET /v1/models`."""

    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


def to_model_info(model: Model) -> ModelInfo:
    """Return the model as the API shows it."""
    thinking = ThinkingSupport(ThinkingTypes(enabled=Support(model.thinking_budget)))
    return ModelInfo(
        id=model.id,
        display_name=model.display_name,
        created_at=model.created_at,
        max_input_tokens=model.max_input_tokens,
        max_tokens=model.max_tokens,
        capabilities=Capabilities(thinking),
    )


def to_model_page(limit: str = "20", after_id: str | None = None, before_id: str | None = None) -> ModelPage:
    """Return up to `limit` models, after `after_id` or before `before_id`, as in the query."""
    if after_id is not None and before_id is not None:
        raise invalid("after_id: cannot be used together with before_id")
    if not re.fullmatch("0*[1-9][0-9]{0,3}", limit) or int(limit) > MAX_PAGE:
        raise invalid(f"limit: Input should be a valid integer from 1 to {MAX_PAGE}")
    size = int(limit)
    if before_id is not None:
        rest = MODELS[: _position("before_id", before_id)]
        page = rest[-size:]
    else:
        rest = MODELS[0 if after_id is None else _position("after_id", after_id) + 1 :]
        page = rest[:size]
    return ModelPage(
        data=[to_model_info(model) for model in page],
        has_more=len(page) < len(rest),
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
    )


def _position(name: str, model_id: str) -> int:
    ids = [model.id for model in MODELS]
    if model_id not in ids:
        raise invalid(f"{name}: is not the id of a model")
    return ids.index(model_id)
