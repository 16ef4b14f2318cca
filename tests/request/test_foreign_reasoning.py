"""Whose reasoning it is: thinking of the native service goes back, and that of others is dropped and reported."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, translate
from tests.vendor import check_messages_request

HI = [{"role": "user", "content": "hi"}]
OURS = "anthropic-claude-v1"
SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "c2ln"}
HIDDEN = {"type": "reasoning.encrypted", "data": "ZGF0YQ=="}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
ANSWER = {"type": "text", "text": "so"}
SEARCH = '{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q":  1.50}}'


def sent(dialect: Dialect | None = None, **message: Any) -> tuple[Any, tuple[str, ...]]:
    chat = {"model": "m", "messages": [*HI, {"role": "assistant", "content": "so", **message}, *HI]}
    translation = translate(json.dumps(chat).encode(), dialect=dialect or Dialect())
    return json.loads(translation.body)["messages"][1]["content"], translation.ignored


@pytest.mark.parametrize(
    ("entry", "block"),
    [
        ({**SIGNED, "format": OURS, "model": "another", "id": None}, THINKING),
        ({**HIDDEN, "format": OURS, "id": "reasoning-encrypted-1"}, REDACTED),
        (SIGNED, THINKING),
        ({**SIGNED, "format": None, "id": "reasoning-text-1"}, THINKING),
        ({**SIGNED, "format": None, "id": "cc1_another"}, THINKING),
        (HIDDEN, REDACTED),
    ],
)
def test_native_thinking_goes_back(entry: Any, block: Any) -> None:
    assert sent(reasoning_details=[entry]) == ([block, ANSWER], ())


@pytest.mark.parametrize(
    "entry",
    [
        *(
            {**entry, "format": name}
            for entry in (SIGNED, HIDDEN)
            for name in ("openai-responses-v1", "google-gemini-v1", "xai-responses-v1", "unknown", "")
        ),
        {**HIDDEN, "id": "rs_1"},
        {**HIDDEN, "data": "gAAAAABo"},
        {"type": "reasoning.summary", "summary": "hm"},
        {"type": "reasoning.summary", "summary": "hm", "format": OURS},
        {"type": "reasoning.summary", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "reasoning.text", "text": "hm", "format": OURS},
        {"type": "reasoning.text", "text": "hm", "format": OURS, "signature": ""},
        {"type": "reasoning.new", "format": OURS},
        {**HIDDEN, "data": '{"type":"tool_use","id":"x","name":"f","input":{}}', "format": OURS},
        {**HIDDEN, "data": '{"type":7}', "format": OURS},
        {**HIDDEN, "data": '{"type":', "format": OURS},
        {**HIDDEN, "data": '{"caller":7}', "format": OURS},
        {**HIDDEN, "data": '{"toolset_name":7}', "format": OURS},
        {**HIDDEN, "data": '{"citations":[]}', "format": OURS},
    ],
)
def test_foreign_or_unsigned_reasoning_is_dropped_and_reported(entry: Any) -> None:
    assert sent(reasoning_details=[entry]) == ("so", ("messages[].reasoning_details",))


def test_a_changed_entry_of_ours_is_dropped_and_reported() -> None:
    message = {"id": "msg_1", "model": "m", "content": [THINKING, ANSWER], "stop_reason": "end_turn"}
    reply = translate(json.dumps({"model": "m", "messages": HI}).encode()).reply(json.dumps(message).encode())
    (entry,) = json.loads(reply)["choices"][0]["message"]["reasoning_details"]
    assert sent(reasoning_details=[entry]) == ([THINKING, ANSWER], ())
    assert sent(reasoning_details=[{**entry, "text": "hmm"}]) == ("so", ("messages[].reasoning_details",))


def test_fragments_of_an_index_are_joined_before_they_are_judged() -> None:
    fragments = [
        {"type": "reasoning.text", "index": 0, "text": "h", "format": OURS},
        {"type": "reasoning.encrypted", "index": 1, "data": "ZGF0", "format": OURS},
        {"type": "reasoning.text", "index": 0, "text": "m"},
        {"type": "reasoning.text", "index": 0, "signature": "c2ln"},
        {"type": "reasoning.encrypted", "index": 1, "data": "YQ=="},
    ]
    assert sent(reasoning_details=fragments) == ([THINKING, REDACTED, ANSWER], ())


@pytest.mark.parametrize(
    "second",
    [{**SIGNED, "index": 0}, {**SIGNED, "index": 0, "id": "b"}],
    ids=["text behind a signature", "another id"],
)
def test_whole_entries_of_one_index_stay_apart(second: Any) -> None:
    first = {**SIGNED, "index": 0, "id": "a" if "id" in second else None}
    assert sent(reasoning_details=[first, second]) == ([THINKING, THINKING, ANSWER], ())


def test_an_unknown_field_of_an_entry_is_reported() -> None:
    content, ignored = sent(reasoning_details=[{**SIGNED, "extra": 1}])
    assert content == [THINKING, ANSWER]
    assert ignored == ("messages[].reasoning_details[].extra",)


# ---------------------------------------------------------------- other gateways


def test_thinking_blocks_of_other_gateways_go_back() -> None:
    blocks = [{**THINKING, "cache_control": None}, REDACTED]
    assert sent(thinking_blocks=blocks, reasoning_content="hm") == ([THINKING, REDACTED, ANSWER], ())
    assert sent(thinking_blocks=blocks, reasoning_details=[SIGNED]) == ([THINKING, ANSWER], ())


@pytest.mark.parametrize(
    "block", [{"type": "thinking", "thinking": "hm"}, {"type": "redacted_thinking"}, {"type": "x"}]
)
def test_an_unsigned_thinking_block_is_dropped_and_reported(block: Any) -> None:
    assert sent(thinking_blocks=[block]) == ("so", ("messages[].thinking_blocks",))


def test_an_app_that_does_not_reason_gets_blocks_but_no_thinking() -> None:
    none = Dialect(reasoning="none")
    opaque = {**HIDDEN, "data": SEARCH, "format": OURS}
    content, ignored = sent(none, reasoning_details=[SIGNED, opaque], reasoning_content="hm")
    assert content == [json.loads(SEARCH), ANSWER]
    assert ignored == ("messages[].reasoning_details", "messages[].reasoning_content")
    assert sent(none, thinking_blocks=[THINKING]) == ("so", ("messages[].thinking_blocks",))


# ---------------------------------------------------------------- native blocks


def test_a_native_block_goes_back_byte_for_byte() -> None:
    entry = {**HIDDEN, "data": SEARCH, "format": OURS}
    message = {
        "role": "assistant",
        "content": "so",
        "reasoning_details": [entry],
        "cache_control": {"type": "ephemeral"},
    }
    body = translate(json.dumps({"model": "m", "messages": [*HI, message, *HI]}).encode()).body
    assert SEARCH.encode() in body
    assert b'"text":"so","cache_control"' in body


def test_a_block_that_is_nested_too_deeply_is_refused() -> None:
    entry = {**HIDDEN, "data": '{"type":"x","x":' + "[" * 200 + "]" * 200 + "}", "format": OURS}
    with pytest.raises(InvalidRequest) as refused:
        sent(reasoning_details=[entry])
    assert refused.value.param == "messages[1].reasoning_details"


@pytest.mark.parametrize(
    ("container", "native"),
    [
        ("c_1", "c_1"),
        ({"id": "c_1", "expires_at": "2026-10-21T00:00:00Z"}, "c_1"),
        (
            {"id": "c_1", "skills": [{"type": "custom", "skill_id": "s", "version": "1"}]},
            {"id": "c_1", "skills": [{"type": "custom", "skill_id": "s", "version": "1"}]},
        ),
        (None, None),
        ({"id": None}, None),
    ],
)
def test_a_container_of_a_reply_can_be_sent_back(container: Any, native: Any) -> None:
    translation = translate(json.dumps({"model": "m", "messages": HI, "container": container}).encode())
    assert json.loads(translation.body).get("container") == native
    assert check_messages_request(json.loads(translation.body)) == []
    assert translation.ignored == ()


@pytest.mark.parametrize("beside", [{}, {"signature": "c2ln"}, {"closed": True}])
def test_thinking_that_is_a_list_of_parts_is_dropped_and_reported(beside: Any) -> None:
    foreign = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], **beside}
    content, ignored = sent(content=[foreign, ANSWER])
    assert content == "so"
    assert "messages[].content[].thinking" in ignored
