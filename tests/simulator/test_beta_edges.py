"""Edges of fields that need a beta: several headers, null fields, older betas, and the counting of tokens."""

import json
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.simulator import create_app
from tests.asgi.driver import Inner, call, chat
from tests.simulator.driver import body, client

SERVER = {"type": "url", "url": "https://x", "name": "n"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "n"}
EXTRA = "Extra inputs are not permitted"
MCP, OLD_MCP = "mcp-client-2025-11-20", "mcp-client-2025-04-04"
EDITS, COMPACTION = "context-management-2025-06-27", "compact-2026-01-12"
BUDGET = {"type": "tokens", "total": 9}


def answer(fields: Any, *betas: str, path: str = "/v1/messages") -> tuple[int, str]:
    request = body("hi", **fields)
    if path.endswith("count_tokens"):
        del request["max_tokens"]
    headers = [("anthropic-version", "2026-10-21"), ("x-api-key", "key"), *(("anthropic-beta", beta) for beta in betas)]
    reply = client().post(path, json=request, headers=headers)
    return reply.status_code, reply.json().get("error", {}).get("message", "")


@pytest.mark.parametrize("betas", [[f" {EDITS} ,, {MCP}"], ["", EDITS, f"other,{MCP}"]])
def test_betas_may_be_in_several_headers(betas: list[str]) -> None:
    fields = {"mcp_servers": [SERVER], "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    assert answer(fields, *betas) == (200, "")
    assert answer(fields, EDITS) == (400, f"mcp_servers: {EXTRA}")
    assert answer(fields, MCP) == (400, f"context_management: {EXTRA}")


@pytest.mark.parametrize(
    "fields",
    [
        {"context_management": None},
        {"speed": None, "model": "sim-2"},
        {"output_config": {"task_budget": None}},
        {"output_config": {"effort": "low"}},
        {"thinking": {"type": "adaptive", "block_binding": None, "display": None}},
        {"thinking": {"type": "disabled"}},
        {"speed": "fast"},
    ],
)
def test_a_null_field_and_one_that_is_public_need_no_beta(fields: Any) -> None:
    assert answer(fields) == (200, "")


@pytest.mark.parametrize("binding", [{}, {"prefix_mismatch_behavior": "drop_block"}])
def test_thinking_with_a_budget_needs_the_betas_too(binding: Any) -> None:
    budget: Any = {"type": "enabled", "budget_tokens": 1024}
    bound = {"thinking": {**budget, "block_binding": binding}, "max_tokens": 2000}
    assert answer(bound) == (400, f"thinking.enabled.block_binding: {EXTRA}")
    assert answer(bound, "thinking-binding-controls-2026-08-01") == (200, "")
    updated = {"thinking": {**budget, "display": "updates"}, "max_tokens": 2000}
    assert answer(updated) == (400, "thinking.enabled.display: Input should be 'summarized' or 'omitted'")
    assert answer(updated, "thinking-display-updates-2026-08-18") == (200, "")


def test_the_first_beta_of_servers_has_no_toolsets() -> None:
    assert answer({"mcp_servers": [SERVER]}, OLD_MCP) == (200, "")
    status, message = answer({"mcp_servers": [SERVER], "tools": [TOOLSET]}, OLD_MCP)
    assert (status, message.partition(":")[0]) == (400, "tools.0")


@pytest.mark.parametrize(
    ("edits", "betas", "status"),
    [
        (None, [EDITS], 200),
        ([], [COMPACTION], 200),
        ([{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}], [EDITS, COMPACTION], 200),
        ([{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}], [EDITS], 400),
        ([{}], [EDITS, COMPACTION], 400),
        ([{"type": 5}], [EDITS, COMPACTION], 400),
        ([{"type": "other"}], [EDITS, COMPACTION], 400),
    ],
)
def test_each_edit_needs_its_beta(edits: Any, betas: list[str], status: int) -> None:
    management = {} if edits is None else {"edits": edits}
    told, message = answer({"context_management": management}, *betas)
    assert told == status
    last = len(edits or [0]) - 1
    assert message.startswith(f"context_management.edits.{last}: ") if status == 400 else message == ""


@pytest.mark.parametrize(
    ("fields", "beta"),
    [
        ({"mcp_servers": [SERVER], "tools": [TOOLSET]}, MCP),
        ({"context_management": {"edits": []}}, EDITS),
        ({"output_config": {"task_budget": BUDGET}}, "task-budgets-2026-03-13"),
    ],
)
def test_counting_tokens_needs_the_same_betas(fields: Any, beta: str) -> None:
    status, message = answer(fields, path="/v1/messages/count_tokens")
    assert (status, message.endswith(EXTRA)) == (400, True)
    assert answer(fields, beta, path="/v1/messages/count_tokens") == (200, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"mcp_servers": [{**SERVER, "zz": 1}]},
        {"mcp_servers": [{**SERVER, "type": "stdio"}]},
        {"mcp_servers": [SERVER], "tools": [{**TOOLSET, "name": "n"}]},
        {"mcp_servers": [{**SERVER, "tool_configuration": {"tools": []}}]},
    ],
)
def test_an_unknown_field_of_a_server_is_refused(fields: Any) -> None:
    assert answer(fields, MCP)[0] == 400


# ---------------------------------------------------------------- through the middleware


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([b"a,b"], [b"a,b"]),
        ([b" a ,, b ", b"", b"a"], [b"a,b"]),
        ([b""], [b""]),
        ([b"caf\xe9"], [b"caf\xe9"]),
    ],
)
async def test_the_betas_of_a_client_become_one_header(given: list[bytes], passed: list[bytes]) -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner), chat(), headers=[(b"Anthropic-Beta", value) for value in given])
    assert reply.status == 200
    assert [value for name, value in inner.scopes[0]["headers"] if name == b"anthropic-beta"] == passed


@pytest.mark.anyio
async def test_a_field_passes_with_the_beta_of_the_client_or_the_dialect() -> None:
    management = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
    given = json.dumps({"model": "sim-1", "messages": [{"role": "user", "content": "hi"}], **management}).encode()
    app = ChatCompatMiddleware(create_app(), dialect=Dialect(key_betas={}))
    assert (await call(app, given)).status == 400
    assert (
        await call(app, given, headers=[(b"x-api-key", b"key"), (b"anthropic-beta", b"x,compact-2026-01-12")])
    ).status == 200
    named = ChatCompatMiddleware(create_app(), dialect=Dialect(key_betas={}, betas=(COMPACTION,)))
    assert (await call(named, given)).status == 200
