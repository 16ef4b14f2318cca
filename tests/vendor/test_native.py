"""The checks of the native side, each shown to find what it is for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vendor import (
    Json,
    Refusal,
    check_messages_request,
    messages_error,
    messages_event,
    messages_reply,
)
from tests.vendor.support import ABSENT, NATIVE_ERROR, OLD, REQUEST, caught, edit

# ------------------------------------------------------------------ native requests
FIRST, SECOND, THIRD = REQUEST["messages"]
CACHED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
CITATION = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
MANUAL_THINKING = {"type": "enabled", "budget_tokens": 1024}
PREFILL = [*REQUEST["messages"], {"role": "assistant", "content": "{ "}]


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param({}, id="everything"),
        pytest.param({"stream": True}, id="streamed"),
        pytest.param({"system": "s", "messages": [{"role": "user", "content": "hi"}]}, id="plain strings"),
        pytest.param(
            {"messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "s"}]},
            id="system in mid-conversation",
        ),
        pytest.param({"tools/0/name": "a" * 128, "tool_choice": {"type": "any"}}, id="long tool name"),
        pytest.param({"thinking": MANUAL_THINKING}, id="manual thinking"),
        pytest.param({"messages": [FIRST, {"role": "assistant", "content": []}]}, id="empty last turn"),
        pytest.param({"tools/0/input_schema/$defs": {"x": {}}}, id="any keyword in a schema"),
        pytest.param({"messages/0/content": [CACHED] * 4}, id="four cache breakpoints"),
    ],
)
def test_good_native_request_is_clean(edits: dict[str, Any]) -> None:
    assert check_messages_request(edit(REQUEST, edits)) == []


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        pytest.param({"temperature": 0.5}, "Extra inputs", id="temperature"),
        pytest.param({"temperature": 0.5}, "removed in 2026-10-21", id="temperature, by rule"),
        pytest.param({"max_completion_tokens": 1}, "Extra inputs", id="unknown top key"),
        pytest.param({"workspace_id": "w"}, "Extra inputs", id="header parameter in the body"),
        pytest.param({"messages/0/content/0/name": "bob"}, "Extra inputs", id="unknown key in a block"),
        pytest.param(
            {"messages/0/content/0": {"type": "image_url", "image_url": {"url": "x"}}},
            "unknown or missing 'type'",
            id="chat part in a block list",
        ),
        pytest.param({"messages/0/content/0/type": []}, "unknown or missing 'type'", id="type of no use"),
        pytest.param({"max_tokens": ABSENT}, "max_tokens: Field required", id="max_tokens missing"),
        pytest.param({"max_tokens": None}, "valid integer", id="max_tokens null"),
        pytest.param({"max_tokens": "5"}, "valid integer", id="max_tokens as text"),
        pytest.param({"tool_choice": "auto"}, "unknown or missing 'type'", id="tool_choice as text"),
        pytest.param({"tool_choice": {"type": "function"}}, "unknown or missing 'type'", id="chat tool_choice"),
        pytest.param(
            {"tool_choice": {"type": "none", "disable_parallel_tool_use": True}}, "Extra inputs", id="parallel none"
        ),
        pytest.param(
            {"tools/0": {"type": "function", "function": {"name": "f"}}}, "unknown or missing 'type'", id="chat tool"
        ),
        pytest.param({"messages/1/content/2/input": "{}"}, "dictionary", id="input left as text"),
        pytest.param(
            {"messages/0/content/1/source/media_type": "image/svg+xml"}, "image/jpeg", id="image of another type"
        ),
        pytest.param({"messages/2/role": "tool"}, "unknown or missing 'role'", id="role tool"),
        pytest.param({"output_config/effort": "minimal"}, "'low'", id="effort of the chat side"),
        pytest.param({"output_config/format/name": "x"}, "Extra inputs", id="format name leaked"),
        pytest.param({"service_tier": "default"}, "'auto'", id="service tier of the chat side"),
        pytest.param({"stop_sequences": None}, "valid list", id="stop_sequences null"),
        pytest.param({"messages/0/content/0/text": "\ud800"}, "not JSON", id="lone surrogate"),
        pytest.param({"tools/0/input_schema/x": float("nan")}, "not JSON", id="NaN"),
    ],
)
def test_badly_typed_native_request_is_caught(edits: dict[str, Any], reason: str) -> None:
    assert caught(check_messages_request(edit(REQUEST, edits)), reason)


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        pytest.param({"messages": []}, "messages: empty", id="no messages"),
        pytest.param({"messages": [SECOND, THIRD]}, "want 'user'", id="assistant first"),
        pytest.param(
            {"messages": [{"role": "system", "content": "s"}, *REQUEST["messages"]]}, "want 'user'", id="system first"
        ),
        pytest.param({"messages": [FIRST, FIRST]}, "same role", id="one role twice"),
        pytest.param({"messages/0/content": []}, "empty content", id="no content"),
        pytest.param(
            {"messages": [FIRST, {"role": "system", "content": "s"}, *REQUEST["messages"]]},
            "followed by an assistant",
            id="user after system",
        ),
        pytest.param(
            {"messages": [FIRST, SECOND, {"role": "system", "content": "s"}, THIRD]},
            "between tool_use and tool_result",
            id="system in a tool loop",
        ),
        pytest.param({"messages/2/content/2/text": " "}, "empty or whitespace", id="blank text"),
        pytest.param({"system/0/text": ""}, "system.0: empty", id="empty system text"),
        pytest.param(
            {"messages/2/content": THIRD["content"][::-1]}, "tool_result after other", id="results behind text"
        ),
        pytest.param({"messages/2/content/1": ABSENT}, "no tool_result for ['toolu_2']", id="result missing"),
        pytest.param({"messages": [FIRST, SECOND]}, "unanswered", id="calls at the end"),
        pytest.param(
            {"messages/2/content/1/tool_use_id": "toolu_9"}, "tool_result for ['toolu_9'] with no", id="orphan result"
        ),
        pytest.param({"messages/2/content/1/tool_use_id": "toolu_1"}, "two tool_results", id="result twice"),
        pytest.param({"messages/1/content/3/id": "toolu_1"}, "duplicate tool_use id", id="call id twice"),
        pytest.param({"messages/1/content/3/id": "a.b"}, "does not match", id="call id with a dot"),
        pytest.param({"messages/1/content/3/name": "f\n"}, "does not match", id="called name with a line end"),
        pytest.param(
            {"messages/0/content/0": SECOND["content"][3]}, "outside a message of role", id="call by the user"
        ),
        pytest.param({"messages/1/content/1": FIRST["content"][1]}, "image in an assistant", id="image by assistant"),
        pytest.param({"messages/1/content/0/signature": ""}, "without its signature", id="unsigned thinking"),
        pytest.param(
            {"messages/2/content/1/content/0": FIRST["content"][1]}, "is_error with non-text", id="image in an error"
        ),
        pytest.param(
            {"messages/1/content/0/cache_control": {"type": "ephemeral"}}, "on a thinking block", id="cached thinking"
        ),
        pytest.param({"messages/0/content/0/citations": [CITATION]}, "citations on a user", id="citing user"),
        pytest.param(
            {"messages/1/content/1": FIRST["content"][3]}, "document in an assistant", id="document by assistant"
        ),
        pytest.param({"messages/0/content": [CACHED] * 5}, "5 breakpoints", id="five cache breakpoints"),
        pytest.param(
            {"messages/0/content": [CACHED] * 4, "cache_control": {"type": "ephemeral"}},
            "5 breakpoints",
            id="fifth breakpoint at the top",
        ),
        pytest.param({"messages": PREFILL}, "ends in whitespace", id="prefill ending in white space"),
        pytest.param({"messages": PREFILL}, "prefill together with", id="prefill with a format"),
        pytest.param({"tools/0/name": "a.b"}, "tools.0.name: does not match", id="tool name with a dot"),
        pytest.param({"tools/0/name": "a" * 129}, "tools.0.name: does not match", id="tool name too long"),
        pytest.param({"tools/0/name": "web_search"}, "names not unique", id="tool name twice"),
        pytest.param({"tools/0/input_schema": {}}, "input_schema", id="schema of no object"),
        pytest.param({"tools": ABSENT}, "tool_choice: without tools", id="choice without tools"),
        pytest.param({"tools": ABSENT}, "history has tool blocks", id="history without tools"),
        pytest.param({"tool_choice": {"type": "tool", "name": "x"}}, "no such tool", id="choice of another tool"),
        pytest.param(
            {"thinking": MANUAL_THINKING, "tool_choice": {"type": "any"}}, "manual thinking", id="thinking and any"
        ),
        pytest.param({"thinking": {**MANUAL_THINKING, "budget_tokens": 1023}}, "want >= 1024", id="small budget"),
        pytest.param({"thinking": MANUAL_THINKING, "max_tokens": 1024}, "want < max_tokens", id="budget is all"),
        pytest.param({"stop_sequences": ["\n"]}, "whitespace only", id="blank stop"),
        pytest.param({"max_tokens": 0, "stream": True}, "want >= 1", id="no tokens in a stream"),
    ],
)
def test_native_request_against_a_rule_is_caught(edits: dict[str, Any], reason: str) -> None:
    assert caught(check_messages_request(edit(REQUEST, edits)), reason)


NO_THINKING: dict[str, Any] = {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        pytest.param({**NO_THINKING, "temperature": 0.5, "top_p": 1, "top_k": 5}, None, id="sampling"),
        pytest.param({**NO_THINKING, "temperature": 1.5}, "temperature: outside 0..1", id="temperature too high"),
        pytest.param({**NO_THINKING, "temperature": "1"}, "temperature: Input should be", id="temperature as text"),
        pytest.param({**NO_THINKING, "top_k": True}, "top_k: Input should be", id="top_k as a boolean"),
        pytest.param({**NO_THINKING, "top_k": -1}, "top_k: negative", id="top_k negative"),
        pytest.param({**NO_THINKING, "top_p": None}, "top_p: Input should be", id="top_p null"),
        pytest.param({**NO_THINKING, "metadata/temperature": 1}, "Extra inputs", id="sampling at another place"),
        pytest.param({"temperature": 0.5}, "together with temperature", id="temperature and thinking"),
    ],
)
def test_older_version_takes_sampling_fields(edits: dict[str, Any], reason: str | None) -> None:
    problems = check_messages_request(edit(REQUEST, edits), version=OLD)
    assert caught(problems, reason) if reason else problems == []


REFUSED: dict[Refusal, tuple[dict[str, Any], str]] = {
    "forced_tool": ({"tool_choice": {"type": "any"}}, "not supported for this model"),
    "prefill": (
        {"output_config": {}, "messages": [FIRST, {"role": "assistant", "content": "{"}]},
        "(prefill) on a model",
    ),
    "system_role": ({"messages": [FIRST, {"role": "system", "content": "s"}]}, "role 'system'"),
    "thinking_budget": ({"thinking": MANUAL_THINKING}, "use 'adaptive'"),
}


@pytest.mark.parametrize("refusal", REFUSED)
def test_what_a_model_refuses_is_said_and_not_guessed(refusal: Refusal) -> None:
    edits, reason = REFUSED[refusal]
    request = edit(REQUEST, {"model": "claude-opus-5-5", **edits})
    assert check_messages_request(request) == []
    assert caught(check_messages_request(request, refuses={refusal}), reason)


def test_rules_give_way_where_the_types_already_failed() -> None:
    problems = check_messages_request({"model": "m", "max_tokens": 5, "messages": "hi"})
    assert caught(problems, "messages: Input should be a valid list")


# ------------------------------------------------------------------ native replies
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "content": [{"type": "text", "text": "hi", "citations": None}],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def test_native_reply() -> None:
    assert messages_reply(MESSAGE) == []
    assert caught(messages_reply(edit(MESSAGE, {"stop_reason": "stop"})), "end_turn")
    with_credits = edit(MESSAGE, {"usage/credits_consumed": 27})
    assert messages_reply(with_credits) == ["usage.credits_consumed: Extra inputs are not permitted"]
    assert messages_reply(with_credits, allow={"credits_consumed"}) == []


TEXT_DELTA: Json = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(TEXT_DELTA, None, id="delta"),
        pytest.param({"type": "message_start", "message": MESSAGE}, None, id="start"),
        pytest.param({"type": "ping"}, None, id="ping"),
        pytest.param(NATIVE_ERROR, None, id="error"),
        pytest.param({"type": "ping", "x": 1}, "x: extra key", id="ping with more"),
        pytest.param(edit(TEXT_DELTA, {"delta/type": "x"}), "unknown or missing 'type'", id="unknown delta"),
        pytest.param({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, "usage: Field", id="no usage"),
        pytest.param({"type": "done"}, "unknown or missing 'type'", id="unknown event"),
    ],
)
def test_native_event(event: Json, reason: str | None) -> None:
    problems = messages_event(event)
    assert caught(problems, reason) if reason else problems == []


@pytest.mark.parametrize("where", ["", "delta/"])
def test_native_event_takes_allowed_extras(where: str) -> None:
    event = edit(TEXT_DELTA, {f"{where}extra": 1})
    assert caught(messages_event(event), "Extra inputs")
    assert messages_event(event, allow=["extra"]) == []


def test_native_error() -> None:
    assert messages_error(NATIVE_ERROR) == []
    assert messages_error(edit(NATIVE_ERROR, {"error/details": {"error_code": "x"}})) == []
    assert messages_error(edit(NATIVE_ERROR, {"error/type": "request_too_large"})) == []
    assert caught(messages_error(edit(NATIVE_ERROR, {"error/type": "server_error"})), "'type'")
    assert caught(
        messages_error({"error": {"message": "m", "type": "x", "param": None, "code": None}}), "Field required"
    )
