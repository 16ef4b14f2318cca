"""The names in the `anthropic-beta` header, and the fields that need one. Without it they are unknown fields.

Source: https://platform.claude.com/docs/en/api/beta-headers and the pages of the features.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET

from chatcompat.simulator.beta_wire import ContextManagement, MCPToolset
from chatcompat.simulator.catalogue import Model
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.prefix import BETA
from chatcompat.simulator.wire import Prompt, ThinkingAdaptive, ThinkingEnabled, Tool

Betas = frozenset[str]

MCP: Final = Betas({"mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15"})
MCP_TOOLSET: Final = MCP - {"mcp-client-2025-04-04"}
CONTEXT_EDITS: Final = Betas({"context-management-2025-06-27"})
COMPACTION: Final = Betas({"compact-2026-01-12"})
FAST_MODE: Final = Betas({"fast-mode-2026-02-01"})
TASK_BUDGET: Final = Betas({"task-budgets-2026-03-13"})
BLOCK_BINDING: Final = Betas({BETA})
DISPLAY_UPDATES: Final = Betas({"thinking-display-updates-2026-08-18"})

EDITS: Final = {
    "clear_tool_uses_20250919": CONTEXT_EDITS,
    "clear_thinking_20251015": CONTEXT_EDITS,
    "compact_20260112": COMPACTION,
}
_UNKNOWN_TAG: Final = "Input tag found using 'type' does not match any of the expected tags"


def read_betas(values: Iterable[str]) -> Betas:
    """Return the names in the `anthropic-beta` headers."""
    return Betas(name.strip() for value in values for name in value.split(",")) - {""}


def check_betas(prompt: Prompt, tools: list[Tool], model: Model, betas: Betas) -> None:
    """Refuse each field that needs a beta which the request does not name."""
    _require("mcp_servers", prompt.mcp_servers, betas, MCP)
    _require("context_management", prompt.context_management, betas, CONTEXT_EDITS | COMPACTION)
    if model.fast_mode_beta:
        _require("speed", prompt.speed, betas, FAST_MODE)
    if prompt.output_config is not UNSET:
        _require("output_config.task_budget", prompt.output_config.task_budget, betas, TASK_BUDGET)
    thinking = prompt.thinking
    if isinstance(thinking, ThinkingEnabled | ThinkingAdaptive):
        at = f"thinking.{thinking.__struct_config__.tag}"
        _require(f"{at}.block_binding", thinking.block_binding, betas, BLOCK_BINDING)
        if thinking.display == "updates" and not betas & DISPLAY_UPDATES:
            raise invalid(f"{at}.display: Input should be 'summarized' or 'omitted'")
    _check_edits(prompt.context_management or None, betas)
    _check_toolsets(prompt, tools, betas)


def _require(path: str, value: object, betas: Betas, one_of: Betas) -> None:
    if value not in (None, UNSET) and not betas & one_of:
        raise invalid(f"{path}: Extra inputs are not permitted")


def _check_edits(management: ContextManagement | None, betas: Betas) -> None:
    for index, edit in enumerate((management and management.edits) or []):
        if not betas & EDITS.get(str(edit.get("type")), Betas()):
            known = ", ".join(repr(kind) for kind, one_of in EDITS.items() if betas & one_of)
            raise invalid(f"context_management.edits.{index}: {_UNKNOWN_TAG}: {known}")


def _check_toolsets(prompt: Prompt, tools: list[Tool], betas: Betas) -> None:
    names = [server.name for server in prompt.mcp_servers or []]
    if len(set(names)) < len(names):
        raise invalid("mcp_servers: Server names must be unique.")
    for index, tool in enumerate(tools):
        if isinstance(tool, MCPToolset) and not betas & MCP_TOOLSET:
            raise invalid(f"tools.{index}: {_UNKNOWN_TAG}")
        if isinstance(tool, MCPToolset) and tool.mcp_server_name not in names:
            raise invalid(f"tools.{index}.mcp_toolset.mcp_server_name: not found in mcp_servers")
