"""Keys of the native API in a chat request. Those that the dialect lists are passed on.

Chat fields win over native keys: `response_format` over `output_config.format`, `reasoning_effort` over
`output_config.effort`. A key that loses is reported, and so is one that the dialect does not list.
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET, Raw, UnsetType

from chatcompat.dialect import BETA, Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import check_count
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL, require_object, require_objects
from chatcompat.wire.chat_native import ContextManagementKey, MCPServer, OutputConfigKey, ThinkingKey
from chatcompat.wire.chat_request import ChatCompletionRequest, Container
from chatcompat.wire.messages import (
    ContainerParam,
    MessagesRequest,
    OutputConfig,
    ThinkingAdaptive,
    ThinkingBetweenTools,
    ThinkingConfig,
    ThinkingDisabled,
    ThinkingEnabled,
)

MAX_BETAS: Final = 100

# `thinking` and `betas` are handled elsewhere.
_KEYS: Final = (
    *("output_config", "top_k", "cache_control", "container", "context_management", "mcp_servers"),
    *("speed", "inference_geo"),
)
_DATE: Final = -11  # where the date of a beta begins, as in mcp-client-2025-11-20


def set_native_keys(
    chat: ChatCompletionRequest, request: MessagesRequest, dialect: Dialect, version: str, context: RequestContext
) -> None:
    """Copy the native keys that the dialect lists, except `thinking` and `betas`. Raises `InvalidRequest`."""
    for name in _KEYS:
        value: Any = getattr(chat, name)
        if value is None or value == []:
            continue
        if name not in dialect.native_keys:
            context.ignored.append(name)
            continue
        match name:
            case "output_config":
                _set_output_config(value, chat, request, context)
            case "top_k":
                _set_top_k(value, request, context.ignored, taken=dialect.takes_sampling(version))
            case "cache_control":
                request.cache_control = value
            case "container":
                request.container = _to_container(value, context)
            case "context_management":
                request.context_management = _to_context_management(value, context)
            case "mcp_servers":
                request.mcp_servers = _to_servers(value, context)
            case _:
                setattr(request, name, value)


def _set_output_config(
    key: OutputConfigKey, chat: ChatCompletionRequest, request: MessagesRequest, context: RequestContext
) -> None:
    config = OutputConfig() if request.output_config is UNSET else request.output_config
    if key.effort is not None and config.effort not in (None, key.effort):
        context.ignored.append("output_config.effort")
    elif key.effort is not None:
        config.effort = key.effort
    if (found := _object(key.format, "output_config.format", context)) is not None:
        if chat.response_format is not None and chat.response_format.type != "text":
            context.ignored.append("output_config.format")
        else:
            config.format = found
    if (budget := _object(key.task_budget, "output_config.task_budget", context)) is not None:
        config.task_budget = budget
    if config != OutputConfig():
        request.output_config = config


def _set_top_k(top_k: int, request: MessagesRequest, ignored: list[str], *, taken: bool) -> None:
    """Set `top_k`. A negative value means no limit. Only older versions accept it (`taken`), and not with thinking."""
    if top_k < 0:
        return
    if taken and not isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive):
        request.top_k = top_k
    else:
        ignored.append("top_k")


def _to_container(container: str | Container, context: RequestContext) -> str | ContainerParam | UnsetType:
    """Return the container in the form of a request: its id alone, unless it has skills."""
    if isinstance(container, str):
        return container
    if container.skills:
        check_count("skills", len(container.skills), context.bounds.parts, "container.skills")
        return ContainerParam(container.id, container.skills)
    return container.id or UNSET


def _to_context_management(key: ContextManagementKey, context: RequestContext) -> dict[str, Any]:
    if key.edits is None:
        return {}
    return {"edits": require_objects(key.edits, "entries", "context_management.edits", context.bounds)}


def _to_servers(servers: list[MCPServer], context: RequestContext) -> list[dict[str, Any]]:
    check_count("servers", len(servers), context.bounds.tools, "mcp_servers")
    return [_to_server(server, f"mcp_servers[{index}]", context) for index, server in enumerate(servers)]


def _to_server(server: MCPServer, path: str, context: RequestContext) -> dict[str, Any]:
    native: dict[str, Any] = {"type": server.type, "url": server.url, "name": server.name}
    if server.authorization_token is not None:
        native["authorization_token"] = server.authorization_token
    configuration = _object(server.tool_configuration, f"{path}.tool_configuration", context)
    return native if configuration is None else native | {"tool_configuration": configuration}


def to_thinking(key: ThinkingKey, context: RequestContext) -> ThinkingConfig | None:
    """Convert `thinking`. None if it only turns thinking on, without a budget, as for other vendors."""
    binding = _object(key.block_binding, "thinking.block_binding", context)
    if key.type != "enabled" and key.budget_tokens is not None:
        context.ignored.append("thinking.budget_tokens")
    if key.type == "enabled" and key.budget_tokens is not None:
        return ThinkingEnabled(key.budget_tokens, key.display, UNSET if binding is None else binding)
    if key.type == "adaptive":
        return ThinkingAdaptive(key.display, UNSET if binding is None else binding)
    context.ignored += ["thinking.display"] * (key.display is not None)
    context.ignored += ["thinking.block_binding"] * (binding is not None)
    if key.type == "enabled":
        return None
    return ThinkingBetweenTools() if key.type == "between_tools" else ThinkingDisabled()


def _object(raw: Raw | UnsetType, path: str, context: RequestContext) -> dict[str, Any] | None:
    """Decode an optional object. None if it is absent or null."""
    return None if raw is UNSET or raw == NULL else require_object(raw, path, context.bounds.depth)


# ---------------------------------------------------------------- betas


def to_betas(
    chat: ChatCompletionRequest, request: MessagesRequest, dialect: Dialect, named: tuple[str, ...], ignored: list[str]
) -> tuple[str, ...]:
    """Return the names of the `anthropic-beta` header, each once.

    They come from the client's header (`named`), from its `betas`, from the dialect, and from the keys that need one.
    Raises `InvalidRequest`.
    """
    betas = [*named, *_listed_betas(chat.betas, dialect, ignored), *dialect.betas]
    families = {beta[:_DATE] for beta in betas}
    needed = [dialect.key_betas.get(path) for path in _paths_of(request)]
    betas += [beta for beta in needed if beta is not None and beta[:_DATE] not in families]
    return tuple(dict.fromkeys(betas))


def _listed_betas(betas: list[str] | None, dialect: Dialect, ignored: list[str]) -> list[str]:
    if betas is None:
        return []
    check_count("betas", len(betas), MAX_BETAS, "betas")
    for index, beta in enumerate(betas):
        if not BETA.fullmatch(beta):
            raise InvalidRequest(
                "Send the name of a beta: letters, digits, '-', '.' and '_', at most 100.",
                param=f"betas[{index}]",
                code="invalid_value",
            )
    if betas and "betas" not in dialect.native_keys:
        ignored.append("betas")
        return []
    return betas


def _paths_of(request: MessagesRequest) -> Iterator[str]:
    """Yield the keys of `Dialect.key_betas` that a request has."""
    if request.context_management is not UNSET:
        edits = request.context_management.get("edits", [])
        compacts = [str(edit.get("type", "")).startswith("compact_") for edit in edits]
        if any(compacts):
            yield "context_management.compact"
        if not all(compacts) or not edits:
            yield "context_management"
    tools = [] if request.tools is UNSET else request.tools
    native = [tool for tool in tools if isinstance(tool, dict)] if dict in map(type, tools) else []
    if request.mcp_servers is not UNSET or any(tool.get("type") == "mcp_toolset" for tool in native):
        yield "mcp_servers"
    if request.output_config is not UNSET and request.output_config.task_budget is not UNSET:
        yield "output_config.task_budget"
    if request.speed is not UNSET:
        yield "speed"
    if request.thinking is not UNSET and isinstance(request.thinking, ThinkingEnabled | ThinkingAdaptive):
        if request.thinking.block_binding is not UNSET:
            yield "thinking.block_binding"
        if request.thinking.display == "updates":
            yield "thinking.display.updates"
