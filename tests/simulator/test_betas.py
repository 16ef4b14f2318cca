"""Fields that need a name in the `anthropic-beta` header."""

from typing import Any

import pytest

from tests.simulator.driver import body, client

SERVER = {"type": "url", "url": "https://x", "name": "n"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "n"}
MCP = "mcp-client-2025-11-20"
EXTRA = "Extra inputs are not permitted"
TAG = "Input tag found using 'type' does not match"


def adaptive(**fields: Any) -> Any:
    return {"thinking": {"type": "adaptive", **fields}}


FIELDS: list[tuple[Any, str, str]] = [
    ({"mcp_servers": [SERVER]}, MCP, f"mcp_servers: {EXTRA}"),
    ({"context_management": {"edits": []}}, "compact-2026-01-12", f"context_management: {EXTRA}"),
    ({"speed": "fast", "model": "sim-2"}, "fast-mode-2026-02-01", f"speed: {EXTRA}"),
    (
        {"output_config": {"task_budget": {"type": "tokens", "total": 1}}},
        "task-budgets-2026-03-13",
        f"output_config.task_budget: {EXTRA}",
    ),
    (
        adaptive(block_binding={}),
        "thinking-binding-controls-2026-08-01",
        f"thinking.adaptive.block_binding: {EXTRA}",
    ),
    (adaptive(display="updates"), "thinking-display-updates-2026-08-18", "thinking.adaptive.display: Input should be"),
]


def answer(fields: Any, betas: str) -> tuple[int, str]:
    reply = client().post("/v1/messages", json=body("hi", **fields), headers={"anthropic-beta": betas})
    return reply.status_code, reply.json().get("error", {}).get("message", "")


@pytest.mark.parametrize(("fields", "beta", "message"), FIELDS)
def test_a_field_needs_its_beta(fields: Any, beta: str, message: str) -> None:
    status, told = answer(fields, "other-2026-01-01")
    assert status == 400
    assert told.startswith(message)
    assert answer(fields, f"other-2026-01-01, {beta}") == (200, "")


@pytest.mark.parametrize(
    ("fields", "betas", "message"),
    [
        ({"tools": [TOOLSET]}, "", f"tools.0: {TAG}"),
        ({"tools": [TOOLSET]}, MCP, "tools.0.mcp_toolset.mcp_server_name: not found in mcp_servers"),
        ({"mcp_servers": [SERVER, SERVER]}, MCP, "mcp_servers: Server names must be unique."),
        (
            {"context_management": {"edits": [{"type": "compact_20260112"}]}},
            "context-management-2025-06-27",
            f"context_management.edits.0: {TAG}",
        ),
    ],
)
def test_servers_and_edits_are_checked(fields: Any, betas: str, message: str) -> None:
    status, told = answer(fields, betas)
    assert status == 400
    assert told.startswith(message)


def test_a_toolset_of_a_server_is_taken() -> None:
    assert answer({"tools": [TOOLSET], "mcp_servers": [SERVER]}, MCP) == (200, "")


def test_a_newer_model_omits_the_text_of_thinking_by_default() -> None:
    for model, display, shown in (
        ("sim-1", {}, True),
        ("sim-2", {}, False),
        ("sim-2", {"display": "summarized"}, True),
    ):
        fields = body("hi", model=model, **adaptive(**display))
        block = client().post("/v1/messages", json=fields).json()["content"][0]
        assert (block["type"], bool(block["thinking"])) == ("thinking", shown)
