"""The checks of chat requests, replies and errors, each shown to find what it is for."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import completion_create_params

from tests.vendor import (
    Json,
    chat_error,
    chat_reply,
    chat_request,
    chat_request_fields,
    check_chat_reply,
)
from tests.vendor.support import ABSENT, CHAT_ERROR, CHOICE, NATIVE_ERROR, caught, edit

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
