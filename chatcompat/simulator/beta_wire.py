"""Fields of the request that need a beta. As strict as `chatcompat.simulator.blocks`.

Source: the types of the vendor's Python package, `anthropic.types.beta`.
"""

from typing import Literal

from msgspec import UNSET, UnsetType

from chatcompat.simulator.blocks import Cacheable, Wire


class ContextManagement(Wire):
    """Edits of the context. Each has a type, and options that depend on it."""

    edits: list[dict[str, object]] | UnsetType = UNSET


class ToolConfiguration(Wire):
    """The tools of a server that may be called, in the first version of the connector."""

    allowed_tools: list[str] | None = None
    enabled: bool | None = None


class MCPServer(Wire):
    """A server whose tools the service calls."""

    type: Literal["url"]
    url: str
    name: str
    authorization_token: str | None = None
    tool_configuration: ToolConfiguration | None = None


class MCPToolset(Cacheable):
    """The tools of a server."""

    type: Literal["mcp_toolset"]
    mcp_server_name: str
    configs: dict[str, dict[str, object]] | None = None
    default_config: dict[str, object] | UnsetType = UNSET
    tools: list[dict[str, object]] | None = None

    @property
    def name(self) -> str:
        """A name that no other tool has."""
        return f"mcp_toolset:{self.mcp_server_name}"


class BlockBinding(Wire):
    """What happens to thinking after a changed conversation."""

    prefix_mismatch_behavior: Literal["error", "drop_block"] | None = None


class TaskBudget(Wire):
    """Tokens for a task of several requests."""

    type: Literal["tokens"]
    total: int
    remaining: int | None = None
