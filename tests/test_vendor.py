"""The checks of `tests.vendor` are held to examples: the good stay clean, each bad one is caught for its reason."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from tests.vendor import (
    Refusal,
    chat_chunk,
    chat_error,
    chat_reply,
    chat_request,
    chat_request_fields,
    chat_sse,
    check_chat_reply,
    check_messages_request,
    lint_chat_chunks,
    messages_error,
    messages_event,
    messages_reply,
    messages_request,
)

Json = dict[str, Any]
OLD = "2023-06-01"
ABSENT = object()


def edit(base: Json, edits: dict[str, Any]) -> Json:
    """Copy `base` with the values at "a/0/b" paths replaced, or taken out where they are ABSENT."""
    edited = copy.deepcopy(base)
    for path, value in edits.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        holder: Any = edited
        for step in steps:
            holder = holder[step]
        if value is ABSENT:
            del holder[last]
        else:
            holder[last] = value
    return edited


def caught(problems: list[str], reason: str) -> bool:
    return any(reason in problem for problem in problems)


# ------------------------------------------------------------------ native requests
REQUEST: Json = {
    "model": "m",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be kind."}],
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u1"},
    "service_tier": "auto",
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "tools": [
        {
            "name": "get_weather",
            "description": "x",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"c": {"type": "string"}},
                "required": ["c"],
                "additionalProperties": False,
            },
        },
        {"type": "web_search_20260318", "name": "web_search"},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
                    "title": "a.pdf",
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"c": "P"}},
                {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no"}],
                    "is_error": True,
                },
                {"type": "text", "text": "thanks"},
            ],
        },
    ],
}
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
NATIVE_ERROR: Json = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}, "request_id": "r"}


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


# ------------------------------------------------------------------ chat requests
CHAT_REQUEST: Json = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "y"}]},
        {"role": "user", "content": "z"},
    ],
    "tool_choice": "required",
    "stop": "x",
}


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        pytest.param({}, None, id="whole"),
        pytest.param({"stream": True, "stream_options": {"include_usage": True}}, None, id="streamed"),
        pytest.param({"messages/0/content/0": {"type": "video"}}, "unknown or missing 'type'", id="unknown part"),
        pytest.param({"messages/0/role": "model"}, "unknown or missing 'role'", id="unknown role"),
        pytest.param({"top_k": 1}, "top_k: Extra inputs", id="native field"),
        pytest.param({"stream": 1}, "stream: ", id="stream as a number"),
    ],
)
def test_chat_request(edits: dict[str, Any], reason: str | None) -> None:
    problems = chat_request(edit(CHAT_REQUEST, edits))
    assert caught(problems, reason) if reason else problems == []


@pytest.mark.parametrize("where", ["", "messages/1/", "messages/0/content/0/", "messages/1/content/0/"])
def test_allowed_key_is_tolerated_wherever_it_stands(where: str) -> None:
    request = edit(CHAT_REQUEST, {f"{where}cache_control": {"type": "ephemeral"}})
    assert caught(chat_request(request), "cache_control: Extra inputs")
    assert chat_request(request, allow={"cache_control"}) == []
    assert chat_request(request, allow={"ttl"}) != []


def test_allowing_a_key_does_not_excuse_it_where_it_is_typed() -> None:
    assert caught(chat_request(edit(CHAT_REQUEST, {"stop": 5}), allow={"stop", "model"}), "stop")


def test_chat_request_fields_are_those_of_the_vendor() -> None:
    fields = chat_request_fields()
    assert {"model", "messages", "stream", "tools", "max_completion_tokens", "web_search_options"} <= fields
    assert fields == set(completion_create_params.CompletionCreateParamsStreaming.__annotations__) | set(
        completion_create_params.CompletionCreateParamsBase.__annotations__
    )


# ------------------------------------------------------------------ chat replies
COMPLETION: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "logprobs": None,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "annotations": [],
                "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
CHOICE = "choices/0"
CALLS = f"{CHOICE}/message/tool_calls"
CUSTOM_CALL: Json = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}
LEGACY: Json = {
    CALLS: ABSENT,
    f"{CHOICE}/message/function_call": {"name": "f", "arguments": "{}"},
    f"{CHOICE}/finish_reason": "function_call",
}


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param({}, id="tool calls"),
        pytest.param({f"{CALLS}/0": CUSTOM_CALL}, id="custom call"),
        pytest.param(LEGACY, id="function call"),
        pytest.param({f"{CHOICE}/finish_reason": "length"}, id="cut by length"),
        pytest.param({CALLS: ABSENT, f"{CHOICE}/finish_reason": "stop"}, id="no calls"),
        pytest.param({"usage": ABSENT}, id="no usage"),
    ],
)
def test_good_chat_reply_is_clean(edits: dict[str, Any]) -> None:
    assert check_chat_reply(edit(COMPLETION, edits)) == []


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        pytest.param({f"{CHOICE}/finish_reason": "tool_use"}, "'stop'", id="native reason"),
        pytest.param({f"{CHOICE}/finish_reason": None}, "'stop'", id="reason null"),
        pytest.param({f"{CHOICE}/finish_reason": "stop"}, "want 'tool_calls'", id="calls, but stop"),
        pytest.param({CALLS: ABSENT}, "want 'stop'", id="no calls, but tool_calls"),
        pytest.param({**LEGACY, f"{CHOICE}/finish_reason": "stop"}, "want 'function_call'", id="call, but stop"),
        pytest.param({"created": 1.5}, "valid integer", id="created with a fraction"),
        pytest.param({"created": ABSENT}, "created: Field required", id="created missing"),
        pytest.param({"choices": []}, "choices: empty", id="no choices"),
        pytest.param({f"{CHOICE}/index": 1}, "want 0", id="index off by one"),
        pytest.param({f"{CALLS}/0/function/arguments": {}}, "valid string", id="arguments as object"),
        pytest.param({f"{CALLS}/0/function/arguments": ""}, "arguments not JSON", id="arguments empty"),
        pytest.param({f"{CALLS}/0/function/arguments": "[]"}, "arguments not an object", id="arguments a list"),
        pytest.param({f"{CALLS}/0/index": 0}, "Extra inputs", id="index on a call"),
        pytest.param({CALLS: []}, "empty list", id="empty list of calls"),
        pytest.param({CALLS: [CUSTOM_CALL, CUSTOM_CALL]}, "ids not unique", id="one id twice"),
        pytest.param({f"{CHOICE}/message/reasoning_content": "x"}, "Extra inputs", id="extension"),
        pytest.param({f"{CHOICE}/message/refusal": ABSENT}, "refusal: key absent", id="refusal missing"),
        pytest.param({f"{CHOICE}/message/content": ABSENT}, "content: key absent", id="content missing"),
        pytest.param({f"{CHOICE}/logprobs": ABSENT}, "logprobs: key absent", id="logprobs missing"),
        pytest.param(
            {"usage/prompt_tokens": 2, "usage/total_tokens": 4}, "exceed prompt_tokens", id="cache not in the total"
        ),
        pytest.param({"usage/total_tokens": 12}, "!= prompt", id="total wrong"),
        pytest.param(
            {"usage/completion_tokens_details/reasoning_tokens": 3}, "exceed completion", id="more thought than said"
        ),
        pytest.param({"service_tier": "standard"}, "'auto'", id="native service tier"),
    ],
)
def test_bad_chat_reply_is_caught(edits: dict[str, Any], reason: str) -> None:
    assert caught(check_chat_reply(edit(COMPLETION, edits)), reason)


def test_chat_reply_takes_allowed_extras() -> None:
    extended = edit(COMPLETION, {f"{CHOICE}/message/reasoning_content": "x", "usage/credits_consumed": 27})
    extras = {"reasoning_content", "credits_consumed"}
    assert len(chat_reply(extended)) == 2
    assert chat_reply(extended, allow=extras) == []
    assert check_chat_reply(extended, allow=iter(extras)) == []


CHAT_ERROR: Json = {"error": {"message": "m", "type": "server_error", "param": None, "code": None}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(CHAT_ERROR, None, id="error"),
        pytest.param(NATIVE_ERROR, "top-level keys", id="native error passed on"),
        pytest.param({"error": "m"}, "not an object", id="error as text"),
        pytest.param(edit(CHAT_ERROR, {"error/code": ABSENT}), "error.code: key absent", id="code missing"),
        pytest.param(edit(CHAT_ERROR, {"error/code": 400}), "error.code: Input", id="code as a number"),
    ],
)
def test_chat_error(body: Json, reason: str | None) -> None:
    problems = chat_error(body)
    assert caught(problems, reason) if reason else problems == []


# ------------------------------------------------------------------ chat streams
DONE = "[DONE]"


def chunk(delta: Json | None, finish_reason: str | None = None, **extra: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": [] if delta is None else [choice], **extra}


def call(index: int, **fields: Any) -> Json:
    return chunk({"tool_calls": [{"index": index, **fields}]})


def sse(*frames: Json | str) -> bytes:
    texts = [frame if isinstance(frame, str) else json.dumps(frame) for frame in frames]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def with_null_usage(*chunks: Json) -> list[Json]:
    return [{**sent, "usage": None} for sent in chunks]


ROLE = chunk({"role": "assistant", "content": ""})
TEXT = chunk({"content": "x"})
OPEN_CALL = call(0, id="t1", type="function", function={"name": "f", "arguments": ""})
ARGUMENTS = call(0, function={"arguments": "{}"})
CALLED = chunk({}, "tool_calls")
STOP = chunk({}, "stop")
GOOD = [ROLE, TEXT, OPEN_CALL, ARGUMENTS, CALLED]
USAGE = chunk(None, usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})
LEGACY_CALL = chunk({"function_call": {"name": "f", "arguments": "{}"}})


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sse(*GOOD, DONE), id="text and a call"),
        pytest.param(sse(ROLE, STOP, DONE), id="empty reply"),
        pytest.param(sse(ROLE, OPEN_CALL, chunk({}, "length"), DONE), id="call cut by length"),
        pytest.param(sse(ROLE, LEGACY_CALL, chunk({}, "function_call"), DONE), id="function call"),
        pytest.param(b": ping\n\n" + sse(ROLE) + b": ping\n\n" + sse(STOP, DONE), id="comments"),
        pytest.param(sse(ROLE, {**TEXT, "obfuscation": "x"}, STOP, DONE), id="obfuscation"),
        pytest.param(sse(ROLE, chunk({"content": "\u2028"}), STOP, DONE), id="separator escaped"),
        pytest.param(sse(ROLE, TEXT, CHAT_ERROR), id="ended by an error"),
        pytest.param(b": ping\n\n" + sse(CHAT_ERROR), id="nothing but an error"),
    ],
)
def test_good_stream_is_clean(raw: bytes) -> None:
    assert chat_sse(raw) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "no data", id="nothing"),
        pytest.param(b": ping\n\n", "no data", id="only comments"),
        pytest.param(b"data: \xff\n\n", "not UTF-8", id="broken UTF-8"),
        pytest.param(sse(*GOOD), "no [DONE]", id="not done"),
        pytest.param(sse(*GOOD, DONE, DONE), "sent 2 times", id="done twice"),
        pytest.param(sse(ROLE, DONE, STOP), "frames after [DONE]", id="chunk after done"),
        pytest.param(sse(*GOOD, DONE) + b": ping\n\n", "frames after [DONE]", id="comment after done"),
        pytest.param(sse(*GOOD, DONE)[:-1], "end with a blank line", id="last line feed missing"),
        pytest.param(sse(*GOOD, DONE).replace(b"\n", b"\r\n"), "carriage return", id="CRLF"),
        pytest.param(sse(ROLE) + b"\n" + sse(STOP, DONE), "extra blank line", id="three line feeds"),
        pytest.param(sse(ROLE) + b"\n\n" + sse(STOP, DONE), "extra blank line", id="four line feeds"),
        pytest.param(b"event: message_start\n" + sse(*GOOD, DONE), "unexpected line", id="event line"),
        pytest.param(b"\xef\xbb\xbf" + sse(*GOOD, DONE), "unexpected line", id="byte order mark"),
        pytest.param(sse(*GOOD, DONE).replace(b"data: ", b"data:"), "unexpected line", id="no space"),
        pytest.param(sse(ROLE)[:-1] + sse(STOP, DONE), "more than one data line", id="frames run together"),
        pytest.param(sse("{"), "not JSON", id="broken JSON"),
        pytest.param(sse("[]"), "not a JSON object", id="a list"),
        pytest.param(sse({"type": "ping"}, *GOOD, DONE), "Extra inputs", id="native event passed on"),
        pytest.param(sse(ROLE, {"error": {"message": "m"}}), "key absent", id="error without its fields"),
        pytest.param(sse(ROLE, CHAT_ERROR, DONE), "[DONE] together with", id="done after an error"),
        pytest.param(sse(ROLE, STOP, CHAT_ERROR), "finish_reason together with", id="finished, then an error"),
        pytest.param(sse(ROLE, CHAT_ERROR, TEXT), "error frame is not the last", id="chunk after an error"),
        pytest.param(sse(ROLE, CHAT_ERROR, CHAT_ERROR), "error frame is not the last", id="two errors"),
        pytest.param(sse(TEXT, CHAT_ERROR), "no role", id="rules hold before an error"),
    ],
)
def test_badly_framed_or_ended_stream_is_caught(raw: bytes, reason: str) -> None:
    assert caught(chat_sse(raw), reason)


@pytest.mark.parametrize("mark", ["\u0085", "\u2028", "\u2029"])
def test_raw_line_separator_is_caught(mark: str) -> None:
    raw = sse(ROLE, json.dumps(chunk({"content": mark}), ensure_ascii=False), STOP, DONE)
    assert chat_sse(raw) == [f"sse.1: raw U+{ord(mark):04X} in the data"]


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        pytest.param([], "no chunks", id="no chunks"),
        pytest.param([TEXT, STOP], "no role", id="no role"),
        pytest.param([ROLE, ROLE, STOP], "role sent again", id="role twice"),
        pytest.param([ROLE, TEXT], "never gets a finish_reason", id="not finished"),
        pytest.param([ROLE, STOP, TEXT], "goes on after", id="text after the finish"),
        pytest.param([ROLE, edit(TEXT, {f"{CHOICE}/finish_reason": ABSENT}), STOP], "key absent", id="no null reason"),
        pytest.param([ROLE, {**TEXT, "id": "d"}, STOP], "id changes", id="id changes"),
        pytest.param([ROLE, {**TEXT, "created": 2}, STOP], "created changes", id="created changes"),
        pytest.param([ROLE, CALLED], "want 'stop'", id="no calls, but tool_calls"),
        pytest.param([*GOOD[:4], STOP], "want 'tool_calls'", id="calls, but stop"),
        pytest.param([ROLE, LEGACY_CALL, STOP], "want 'function_call'", id="function call, but stop"),
        pytest.param([ROLE, OPEN_CALL, CALLED], "arguments not JSON", id="no arguments"),
        pytest.param([*GOOD[:4], ARGUMENTS, CALLED], "arguments not JSON", id="arguments twice"),
        pytest.param([ROLE, edit(OPEN_CALL, {f"{CHOICE}/delta/tool_calls/0/index": 1}), CALLED], "leaked", id="index"),
        pytest.param([ROLE, ARGUMENTS, CALLED], "needs id, type, name", id="call not opened"),
        pytest.param([*GOOD[:3], OPEN_CALL, *GOOD[3:]], "sent again", id="call opened twice"),
        pytest.param(
            [*GOOD[:4], edit(OPEN_CALL, {f"{CHOICE}/delta/tool_calls/0/index": 1}), CALLED],
            "has the id of",
            id="call id",
        ),
        pytest.param([ROLE, call(0, id="t", type="custom", function={"name": "f"}), CALLED], "'function'", id="type"),
        pytest.param([*GOOD, USAGE], "include_usage is off", id="usage not asked for"),
        pytest.param(with_null_usage(*GOOD), "include_usage is off", id="usage null not asked for"),
    ],
)
def test_chunks_against_a_rule_are_caught(chunks: list[Json], reason: str) -> None:
    assert caught(chat_sse(sse(*chunks, DONE)), reason)


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        pytest.param([*with_null_usage(*GOOD), USAGE], None, id="asked for and sent"),
        pytest.param([*GOOD, USAGE], "null expected", id="null missing"),
        pytest.param(with_null_usage(*GOOD), "exactly one choices=[]", id="no usage chunk"),
        pytest.param([USAGE], "no choice was sent", id="nothing but usage"),
        pytest.param([*with_null_usage(*GOOD), USAGE, USAGE], "exactly one choices=[]", id="usage chunk twice"),
        pytest.param([*with_null_usage(ROLE), USAGE, *with_null_usage(STOP)], "exactly one", id="usage chunk early"),
        pytest.param(
            [*with_null_usage(ROLE), {**STOP, "usage": USAGE["usage"]}, USAGE], "with choices", id="with choice"
        ),
        pytest.param([*with_null_usage(*GOOD), edit(USAGE, {"usage/total_tokens": 3})], "!= prompt", id="total wrong"),
    ],
)
def test_usage_of_a_stream(chunks: list[Json], reason: str | None) -> None:
    problems = chat_sse(sse(*chunks, DONE), include_usage=True)
    assert caught(problems, reason) if reason else problems == []


def test_stream_takes_allowed_extras() -> None:
    raw = sse(ROLE, chunk({"reasoning_content": "x"}), STOP, DONE)
    assert chat_sse(raw) == ["sse.1: choices.0.delta.reasoning_content: Extra inputs are not permitted"]
    assert chat_sse(raw, allow=("reasoning_content",)) == []


def test_chunk_of_another_object_is_caught() -> None:
    assert caught(chat_chunk({**ROLE, "object": "chat.completion"}), "chat.completion.chunk")


def test_chunks_can_be_linted_without_their_frames() -> None:
    custom = call(0, id="c", type="custom", custom={"name": "f", "input": "not JSON"})
    assert lint_chat_chunks(GOOD) == []
    assert lint_chat_chunks([ROLE, custom, CALLED]) == []
    assert lint_chat_chunks([]) == ["stream: no chunks"]


def test_checks_leave_their_input_alone() -> None:
    request = edit(REQUEST, {"extra": 1, "temperature": 1})
    before = copy.deepcopy(request)
    messages_request(request, version=OLD, allow={"extra"})
    assert request == before
