"""Rules of the native side beyond the types.

From the vendor's docs and from reports, not from calls to the service. What only some models refuse is not
guessed from a model's name: a test says it, with `refuses`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from .types import LATEST, SAMPLING, Json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
MAX_CACHE_BREAKPOINTS = 4
MIN_THINKING_BUDGET = 1024

Refusal = Literal["forced_tool", "prefill", "system_role", "thinking_budget"]

BLOCK_ROLE = {
    "redacted_thinking": "assistant",
    "thinking": "assistant",
    "tool_result": "user",
    "tool_use": "assistant",
}
NOT_IN_ASSISTANT = frozenset({"image", "search_result"})
NOT_IN_ASSISTANT_LATEST = NOT_IN_ASSISTANT | {"document"}


def lint_messages_request(
    d: Json, *, version: str = LATEST, refuses: Collection[Refusal] = (), max_temperature: float = 1
) -> list[str]:
    """Lint a well-typed request body for `version`; `refuses` names what the model at hand does not take."""
    latest = version >= LATEST
    return [
        *_limits(d),
        *_sampling(d, latest, max_temperature),
        *_system(d),
        *_order(_messages(d), refuses),
        *_blocks(_messages(d), latest),
        *_tool_uses(_messages(d)),
        *_tool_results(_messages(d)),
        *_prefill(d, refuses),
        *_cache_breakpoints(d),
        *_tools(d),
        *_tool_choice(d, refuses),
        *_thinking(d, latest, refuses),
    ]


def _messages(d: Json) -> list[Json]:
    return d.get("messages") or []


def _content(content: Any) -> list[Json]:
    """Give content as blocks, since a plain string is short for one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or [] if isinstance(block, dict)]


def _numbered_blocks(messages: list[Json]) -> Iterator[tuple[str, str, Json]]:
    """Walk all blocks as (path, role, block)."""
    for i, message in enumerate(messages):
        for j, block in enumerate(_content(message.get("content"))):
            yield f"messages.{i}.content.{j}", message.get("role", ""), block


def _is_blank(block: Json) -> bool:
    return not block.get("text", "").strip()


# ------------------------------------------------------------------ top level
def _limits(d: Json) -> Iterator[str]:
    least = 1 if d.get("stream") else 0
    if d.get("max_tokens", 1) < least:
        yield "max_tokens: want >= 1 (0 only pre-warms the cache, non-streaming)"
    for i, stop in enumerate(d.get("stop_sequences") or []):
        if not stop.strip():
            yield f"stop_sequences.{i}: whitespace only"


def _sampling(d: Json, latest: bool, max_temperature: float) -> Iterator[str]:
    ranges = {"temperature": max_temperature, "top_p": 1}
    for name in sorted(SAMPLING.keys() & d.keys()):
        if latest:
            yield f"{name}: removed in {LATEST} (400 even at the default)"
        elif name == "top_k":
            if d[name] < 0:
                yield "top_k: negative"
        elif not 0 <= d[name] <= ranges[name]:
            yield f"{name}: outside 0..{ranges[name]}"


def _system(d: Json) -> Iterator[str]:
    for i, block in enumerate(_content(d.get("system"))):
        if _is_blank(block):
            yield f"system.{i}: empty text"


# ------------------------------------------------------------------ turns
def _order(messages: list[Json], refuses: Collection[Refusal]) -> Iterator[str]:
    roles = [message.get("role") for message in messages]
    if not roles:
        yield "messages: empty"
    elif roles[0] != "user":
        yield f"messages.0: role is {roles[0]!r}, want 'user'"
    for i, role in enumerate(roles):
        is_last = i == len(roles) - 1
        if not _content(messages[i].get("content")) and not (role == "assistant" and is_last):
            yield f"messages.{i}: empty content"
        if i and role == roles[i - 1] and role != "system":
            yield f"messages.{i}: same role as the one before (the API merges; a translator should)"
        if role == "system":
            yield from _system_turn(messages, i, refuses)


def _system_turn(messages: list[Json], i: int, refuses: Collection[Refusal]) -> Iterator[str]:
    if "system_role" in refuses:
        yield f"messages.{i}: role 'system' is not supported on this model"
    before = messages[i - 1] if i else {}
    last_blocks = _content(before.get("content"))[-1:]
    after_server_tool = before.get("role") == "assistant" and any(
        block.get("type", "").startswith("server_tool") for block in last_blocks
    )
    if before.get("role") != "user" and not after_server_tool:
        yield f"messages.{i}: a system message must follow a user message"
    if i + 1 < len(messages) and messages[i + 1].get("role") != "assistant":
        yield f"messages.{i}: a system message must be last or be followed by an assistant message"


def _prefill(d: Json, refuses: Collection[Refusal]) -> Iterator[str]:
    messages = _messages(d)
    at = f"messages.{len(messages) - 1}"
    if not messages or messages[-1].get("role") != "assistant":
        return
    blocks = _content(messages[-1].get("content"))
    if not blocks:
        return
    text = blocks[-1].get("text", "") if blocks[-1].get("type") == "text" else ""
    if text != text.rstrip():
        yield f"{at}: final assistant text ends in whitespace"
    if "prefill" in refuses:
        yield f"{at}: ends with an assistant message (prefill) on a model that refuses it"
    if (d.get("output_config") or {}).get("format"):
        yield f"{at}: prefill together with output_config.format"


# ------------------------------------------------------------------ blocks
def _blocks(messages: list[Json], latest: bool) -> Iterator[str]:
    barred = NOT_IN_ASSISTANT_LATEST if latest else NOT_IN_ASSISTANT
    for at, role, block in _numbered_blocks(messages):
        kind = block.get("type", "")
        if role != BLOCK_ROLE.get(kind, role):
            yield f"{at}: {kind} outside a message of role {BLOCK_ROLE[kind]!r}"
        if role == "assistant" and kind in barred:
            yield f"{at}: {kind} in an assistant message"
        if kind == "text":
            if _is_blank(block):
                yield f"{at}: empty or whitespace text block"
            if latest and role == "user" and block.get("citations"):
                yield f"{at}: citations on a user text block (400 since {LATEST})"
        if kind == "thinking" and not block.get("signature"):
            yield f"{at}: thinking without its signature"
        if kind in ("thinking", "redacted_thinking") and block.get("cache_control") is not None:
            yield f"{at}: cache_control on a thinking block"


def _tool_uses(messages: list[Json]) -> Iterator[str]:
    seen: set[str] = set()
    for at, _, block in _numbered_blocks(messages):
        if block.get("type") != "tool_use":
            continue
        if not TOOL_ID.fullmatch(block.get("id", "")):
            yield f"{at}.id: {block.get('id')!r} does not match {TOOL_ID.pattern}"
        if block.get("id") in seen:
            yield f"{at}.id: duplicate tool_use id"
        seen.add(block.get("id", ""))
        if not TOOL_NAME.fullmatch(block.get("name", "")):
            yield f"{at}.name: does not match {TOOL_NAME.pattern}"


def _tool_results(messages: list[Json]) -> Iterator[str]:
    """Check that each tool_use is answered once, by the next message, in front of anything else."""
    pending: set[str] = set()
    for i, message in enumerate(messages):
        role, blocks = message.get("role"), _content(message.get("content"))
        if role == "system":
            if pending:
                yield f"messages.{i}: system message between tool_use and tool_result"
            continue
        results = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
        if pending - set(results):
            yield f"messages.{i}: no tool_result for {sorted(pending - set(results))}"
        if set(results) - pending:
            orphans = sorted(set(results) - pending)
            yield f"messages.{i}: tool_result for {orphans} with no tool_use in the message before"
        if len(results) != len(set(results)):
            yield f"messages.{i}: two tool_results for one tool_use"
        if any(block.get("type") == "tool_result" for block in blocks[len(results) :]):
            yield f"messages.{i}: tool_result after other content in the turn"
        for block in blocks:
            yield from _error_result(f"messages.{i}", block)
        pending = {block["id"] for block in blocks if block.get("type") == "tool_use"}
    if pending:
        yield f"messages: last message leaves tool_use {sorted(pending)} unanswered"


def _error_result(at: str, block: Json) -> Iterator[str]:
    if block.get("type") == "tool_result" and block.get("is_error"):
        kinds = {inner.get("type") for inner in _content(block.get("content"))}
        if kinds - {"text"}:
            yield f"{at}: is_error with non-text content"


def _cache_breakpoints(d: Json) -> Iterator[str]:
    """Count markers wherever one may stand: the top level takes a slot too, and so do nested blocks."""
    blocks = [block for _, _, block in _numbered_blocks(_messages(d))]
    nested = [
        inner for block in blocks if block.get("type") == "tool_result" for inner in _content(block.get("content"))
    ]
    holders = [d, *_content(d.get("system")), *(d.get("tools") or []), *blocks, *nested]
    count = sum(holder.get("cache_control") is not None for holder in holders)
    if count > MAX_CACHE_BREAKPOINTS:
        yield f"cache_control: {count} breakpoints, at most {MAX_CACHE_BREAKPOINTS}"


# ------------------------------------------------------------------ tools and thinking
def _tools(d: Json) -> Iterator[str]:
    tools = d.get("tools") or []
    for i, tool in enumerate(tools):
        if tool.get("type") not in (None, "custom"):
            continue  # a server tool has a fixed name and no schema
        if not TOOL_NAME.fullmatch(tool.get("name") or ""):
            yield f"tools.{i}.name: does not match {TOOL_NAME.pattern}"
        if (tool.get("input_schema") or {}).get("type") != "object":
            yield f"tools.{i}.input_schema.type: want 'object'"
    names = [tool.get("name") for tool in tools]
    if len(names) != len(set(names)):
        yield "tools: names not unique"
    kinds = {block.get("type") for _, _, block in _numbered_blocks(_messages(d))}
    if not tools and kinds & {"tool_use", "tool_result"}:
        yield "tools: history has tool blocks but tools is absent (older models and gateways refuse; unsure)"


def _tool_choice(d: Json, refuses: Collection[Refusal]) -> Iterator[str]:
    choice, tools = d.get("tool_choice"), d.get("tools") or []
    if not choice:
        return
    if not tools:
        yield "tool_choice: without tools"
    if choice["type"] == "tool" and choice.get("name") not in {tool.get("name") for tool in tools}:
        yield "tool_choice.name: no such tool"
    if choice["type"] in ("any", "tool"):
        if (d.get("thinking") or {}).get("type") == "enabled":
            yield "tool_choice: any/tool together with manual thinking"
        if "forced_tool" in refuses:
            yield "tool_choice: any/tool are not supported for this model"


def _thinking(d: Json, latest: bool, refuses: Collection[Refusal]) -> Iterator[str]:
    thinking = d.get("thinking") or {}
    if thinking.get("type") == "enabled":
        budget = thinking.get("budget_tokens", 0)
        if budget < MIN_THINKING_BUDGET:
            yield f"thinking.budget_tokens: want >= {MIN_THINKING_BUDGET}"
        if budget >= d.get("max_tokens", 0):
            yield "thinking.budget_tokens: want < max_tokens"
        if "thinking_budget" in refuses:
            yield "thinking: type 'enabled' is refused by this model; use 'adaptive'"
    is_on = thinking.get("type") in ("adaptive", "enabled")
    if is_on and not latest and ("top_k" in d or d.get("temperature", 1) != 1):
        yield "thinking: together with temperature or top_k"
