"""The events of a stream, and that the same request gets the same reply."""

import json
from typing import Any

import pytest

from tests.simulator.driver import OLD, WEATHER, ask, body, collected, post, stream, tool

THINKING = {"type": "adaptive"}
CLOSED = {"type": "object", "additionalProperties": False}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": body(),
    "cut": body(max_tokens=3),
    "stopped": body(stop_sequences=["wrote"]),
    "calls": body("get_weather and get_time", tools=[WEATHER, tool("get_time")]),
    "thinking": body(thinking=THINKING),
    "hidden thinking": body(thinking={**THINKING, "display": "omitted"}),
    "thinking and a call": body(thinking=THINKING, tools=[WEATHER]),
    "cached": body(cache_control={"type": "ephemeral", "ttl": "1h"}),
    "json": body(output_config={"format": {"type": "json_schema", "schema": CLOSED}, "effort": "low"}),
}


@pytest.mark.parametrize("request_body", REQUESTS.values(), ids=REQUESTS)
def test_a_stream_says_the_same_as_the_whole_reply(request_body: dict[str, Any]) -> None:
    whole = ask(*request_body["messages"], **{k: v for k, v in request_body.items() if k != "messages"})
    events = stream(*request_body["messages"], **{k: v for k, v in request_body.items() if k != "messages"})
    streamed = collected(events)
    for block in streamed["content"]:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["input"])
    assert streamed == whole


def test_the_order_of_a_streams_events() -> None:
    events = stream("Hi", tools=[WEATHER], thinking=THINKING)
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [event["index"] for event in starts] == [0, 1, 2]
    assert [event["content_block"] for event in starts[:2]] == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
    ]
    assert starts[2]["content_block"]["input"] == {}
    by_block = [
        [e["delta"] for e in events if e["type"] == "content_block_delta" and e["index"] == i] for i in range(3)
    ]
    assert [delta["type"] for delta in by_block[0]][-2:] == ["thinking_delta", "signature_delta"]
    assert len(by_block[1]) > 1
    assert by_block[2][0] == {"type": "input_json_delta", "partial_json": ""}
    assert len(by_block[2]) > 2


def test_a_stream_begins_with_one_output_token_and_ends_with_the_usage() -> None:
    events = stream()
    first, last = events[0]["message"], events[-2]
    assert (first["content"], first["stop_reason"]) == ([], None)
    assert first["usage"]["output_tokens"] == 1
    assert last["usage"]["output_tokens"] > 1
    assert last["usage"]["credits_consumed"] > first["usage"]["credits_consumed"] > 0


def test_hidden_thinking_streams_its_signature_only() -> None:
    events = stream(thinking={"type": "adaptive", "display": "omitted"})
    deltas = [
        event["delta"]["type"] for event in events if event["type"] == "content_block_delta" and not event["index"]
    ]
    assert deltas == ["signature_delta"]


# ---------------------------------------------------------------- determinism


@pytest.mark.parametrize("streamed", [True, False])
def test_the_same_request_gets_the_same_bytes(streamed: bool) -> None:
    request = body("get_weather", tools=[WEATHER], thinking=THINKING, stream=streamed)
    first, second = post(request), post(request)
    assert first.content == second.content
    assert first.headers == second.headers
    other = post({**request, "max_tokens": 511})
    assert other.headers["request-id"] != first.headers["request-id"]


def test_ids_depend_on_the_request_and_not_on_streaming() -> None:
    assert ask("a")["id"] == stream("a")[0]["message"]["id"] != ask("b")["id"]


def test_sampling_is_taken_in_the_old_version() -> None:
    assert ask(version=OLD, temperature=0, top_p=0.5, top_k=3)["stop_reason"] == "end_turn"
    assert ask(version=OLD, temperature=1, top_p=0.95, thinking=THINKING)["stop_reason"] == "end_turn"
