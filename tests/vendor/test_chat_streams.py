"""The checks of chat streams, each shown to find what it is for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.vendor import (
    Json,
    chat_chunk,
    chat_sse,
    lint_chat_chunks,
    messages_request,
)
from tests.vendor.support import ABSENT, CHAT_ERROR, CHOICE, OLD, REQUEST, caught, edit

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
