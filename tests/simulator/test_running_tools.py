"""Tools that the service runs: their blocks in a reply, in its stream, and in the history that comes back."""

import json
from typing import Any

import pytest
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from pydantic import TypeAdapter

from tests.simulator.driver import WEATHER, ask, body, client, collected, events_of, post, refused, stream, user

SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch"}
CODE = {"type": "code_execution_20260521", "name": "code_execution"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "wiki"}
SERVERS = {"tools": [TOOLSET], "mcp_servers": [{"type": "url", "url": "https://x", "name": "wiki"}]}
COMPACT = {"edits": [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}]}
ADAPTIVE: Any = {"thinking": {"type": "adaptive"}, "model": "sim-2"}
BETAS = {"anthropic-beta": "mcp-client-2025-11-20,compact-2026-01-12"}
LONG = "x" * 200_004

PLAIN = {
    "search": ("use web_search", [SEARCH], ["server_tool_use", "web_search_tool_result", "text", "text"]),
    "fetch": ("use web_fetch", [FETCH], ["server_tool_use", "web_fetch_tool_result", "text"]),
    "code": ("use code_execution", [CODE], ["server_tool_use", "bash_code_execution_tool_result", "text"]),
    "both": (
        "use web_fetch and get_weather",
        [WEATHER, FETCH],
        ["server_tool_use", "web_fetch_tool_result", "text", "tool_use"],
    ),
}
BETA = {
    "servers": ("ask wiki", SERVERS, ["mcp_tool_use", "mcp_tool_result", "text"]),
    "compaction": (LONG, {"context_management": COMPACT}, ["compaction", "text"]),
}


def send(*messages: Any, **fields: Any) -> Any:
    response = client().post("/v1/messages", json=body(*messages, **fields), headers=BETAS)
    assert response.status_code == 200, response.text
    return events_of(response.text) if fields.get("stream") else response.json()


def kinds(reply: Any) -> list[str]:
    return [block["type"] for block in reply["content"]]


def whole(events: list[Any]) -> Any:
    """The reply that a stream amounts to."""
    reply = collected(events)
    for event in events:
        delta = event.get("delta", {})
        if delta.get("type") == "citations_delta":
            reply["content"][event["index"]].setdefault("citations", []).append(delta["citation"])
        if delta.get("type") == "compaction_delta":
            reply["content"][event["index"]] |= {**delta, "type": "compaction"}
    for block in reply["content"]:
        if isinstance(block.get("input"), str):
            block["input"] = json.loads(block["input"])
    return reply


@pytest.mark.parametrize(("text", "tools", "expected"), PLAIN.values(), ids=PLAIN)
def test_a_tool_that_the_user_names_runs(text: str, tools: Any, expected: list[str]) -> None:
    reply = ask(text, tools=tools)
    assert kinds(reply) == expected
    assert whole(stream(text, tools=tools)) == reply
    thinking = ask(text, tools=tools, **ADAPTIVE)
    assert kinds(thinking) == ["thinking", *expected[:2], "thinking", *expected[2:]]
    assert whole(stream(text, tools=tools, **ADAPTIVE)) == thinking
    quiet = ask("Hello", tools=tools, tool_choice={"type": "none"})
    assert kinds(quiet) == kinds(ask(text, tools=tools, tool_choice={"type": "none"})) == ["text"]


@pytest.mark.parametrize(("text", "fields", "expected"), BETA.values(), ids=BETA)
def test_servers_are_called_and_long_conversations_summarized(text: str, fields: Any, expected: list[str]) -> None:
    reply = send(text, **fields)
    assert kinds(reply) == expected
    BetaMessage.model_validate(reply)
    events = send(text, **fields, stream=True)
    for event in events:
        TypeAdapter(BetaRawMessageStreamEvent).validate_python(event) if event["type"] != "ping" else None
    assert whole(events) == reply
    again = send(text, {"role": "assistant", "content": reply["content"]}, "Thanks", **fields)
    assert kinds(again) == ["text"]


def test_the_container_of_commands_can_be_used_again() -> None:
    fields: Any = {"tools": [CODE]}
    first = ask("use code_execution", **fields)["container"]
    assert ask("use code_execution", container=first["id"], **fields)["container"] == first
    assert ask("use code_execution", container={"id": first["id"]}, **fields)["container"] == first
    assert "container" not in ask("Hello", container=first["id"], **fields)


def test_a_call_that_the_limit_cuts_is_left_out() -> None:
    assert kinds(ask("use web_search", tools=[SEARCH], max_tokens=2)) == []


@pytest.mark.parametrize("change", ["page", "citation", "summary"])
def test_contents_of_the_service_that_were_changed_are_refused(change: str) -> None:
    content = ask("use web_search", tools=[SEARCH])["content"]
    if change == "page":
        content[1]["content"][0]["url"] = "https://other"
    elif change == "citation":
        content[2]["citations"][0]["encrypted_index"] = "x"
    else:
        content.insert(0, {"type": "compaction", "content": "other", "encrypted_content": None})
    request = body("use web_search", {"role": "assistant", "content": content}, "Thanks", tools=[SEARCH])
    refused(post(request), 400, "invalid_request_error", "Invalid `encrypted_")


def test_other_citations_are_not_signed() -> None:
    location = {"type": "char_location", "cited_text": "x", "document_index": 0, "document_title": None}
    cited = {"type": "text", "text": "a", "citations": [location | {"start_char_index": 0, "end_char_index": 1}]}
    ask("Hi", {"role": "assistant", "content": [cited]}, "Thanks")


@pytest.mark.parametrize("gone", [0, 1])
def test_a_call_of_a_server_without_its_result_is_refused(gone: int) -> None:
    content = send("ask wiki", **SERVERS)["content"]
    del content[gone]
    request = body("ask wiki", {"role": "assistant", "content": content}, "Thanks", **SERVERS)
    response = client().post("/v1/messages", json=request, headers=BETAS)
    refused(response, 400, "invalid_request_error", "`mcp_tool_use`")


@pytest.mark.parametrize("lost", [(0,), (1, 2), (4,)])
def test_thinking_is_bound_to_the_blocks_of_server_tools(lost: tuple[int, ...]) -> None:
    fields: Any = {"tools": [SEARCH, WEATHER], **ADAPTIVE}
    asked = user("use web_search and get_weather")
    content = ask(asked, **fields)["content"]
    call = content[-1]
    done = user({"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"})
    ask(asked, {"role": "assistant", "content": content}, done, **fields)
    assert [kind for kind in kinds({"content": content}) if kind == "thinking"] == ["thinking", "thinking"]
    broken = [block for index, block in enumerate(content) if index not in lost]
    request = body(asked, {"role": "assistant", "content": broken}, done, **fields)
    if lost == (4,):  # the text behind the last thought
        assert post(request).status_code == 200
        return
    refused(post(request), 400, "invalid_request_error", "does not match the conversation before it")


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [(None, False), ({"type": "input_tokens", "value": 50_100}, False), ({"value": 9}, None), (5, None)],
)
def test_a_summary_is_made_above_the_trigger(trigger: Any, runs: bool | None) -> None:
    edits = [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112", "trigger": trigger}]
    betas = {"anthropic-beta": "compact-2026-01-12,context-management-2025-06-27"}
    request = body(LONG, context_management={"edits": edits})
    response = client().post("/v1/messages", json=request, headers=betas)
    if runs is None:
        refused(response, 400, "invalid_request_error", "trigger.value must be at least 50000")
    else:
        assert (kinds(response.json()) == ["compaction", "text"]) == runs
