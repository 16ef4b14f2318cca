"""What a service says about a model -> options of a `Dialect`."""

from collections.abc import Mapping
from typing import Any, Final

# The version of the web search tool that every model with web search accepts. The service does not name versions.
_WEB_SEARCH: Final = "web_search_20250305"


def to_dialect_options(
    model: Mapping[str, Any], *, efforts: Mapping[str, str], max_tokens: int, web_search: str | None
) -> dict[str, Any]:
    """The options that follow from the capabilities of a model. Raises `ValueError` if it has none.

    The other arguments are options of the `Dialect` that it is based on.
    """
    capabilities = model.get("capabilities") if isinstance(model, Mapping) else None
    if not isinstance(capabilities, Mapping):
        raise ValueError("expected a model with capabilities, as GET /v1/models/{id} describes it")  # noqa: TRY004 - a document is invalid, not an argument
    options = _reasoning(capabilities, efforts)
    if (structured := _supported(capabilities, "structured_outputs")) is not None:
        options["json_schema"] = structured
        if not structured:
            options["strict_tools"] = 0
    search = _supported(capabilities, "server_tools", "web_search")
    if search is not None:
        options["web_search"] = (web_search or _WEB_SEARCH) if search else None
    limit = model.get("max_tokens")
    if type(limit) is int and limit >= 1:
        options["max_tokens"] = min(max_tokens, limit)
        options["max_tokens_limit"] = limit
    return options


def _reasoning(capabilities: Mapping[str, Any], efforts: Mapping[str, str]) -> dict[str, Any]:
    """The options for thinking: by effort if the model decides how much to think, else by budget, else none."""
    effort = _supported(capabilities, "effort")
    budget = _supported(capabilities, "thinking", "types", "enabled")
    adaptive = _supported(capabilities, "thinking", "types", "adaptive")
    disabled = _supported(capabilities, "thinking", "types", "disabled")
    options: dict[str, Any] = {}
    if disabled is not None:
        between = _supported(capabilities, "thinking", "types", "between_tools")
        options["thinking_off"] = "between_tools" if between and not disabled else disabled
    if effort is None and budget is None:
        return options
    if effort and (adaptive or not budget):
        options["reasoning"] = "effort"
        options["adaptive_thinking"] = bool(adaptive)
        options["efforts"] = {
            asked: native
            for asked, native in efforts.items()
            if _supported(capabilities, "effort", native) is not False
        }
    else:
        options["reasoning"] = "budget" if budget else "none"
    return options


def _supported(capabilities: Mapping[str, Any], *path: str) -> bool | None:
    """Whether a capability is supported. None if the service does not say so."""
    value: Any = capabilities
    for name in (*path, "supported"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, bool) else None
