"""The header `x-simulate`."""

import json
import time

import pytest

from chatcompat.simulator.errors import ERRORS
from tests.simulator.driver import ask, body, events_of, post, refused, stream, text, tool


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_has_its_status_and_comes_instead_of_a_reply(kind: str, streamed: bool) -> None:
    response = post(body(stream=streamed), x_simulate=f"error={kind}")
    refused(response, ERRORS[kind][0], kind, ERRORS[kind][1])
    assert ("retry-after" in response.headers) == (response.status_code in (429, 529))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_error_after_some_events_is_an_event(count: int) -> None:
    plain = stream()
    events = stream(simulate=f"error=overloaded_error; after={count}")
    assert events[:-1] == plain[:count]
    assert events[-1]["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert events[-1]["request_id"].startswith("req_")


def test_an_error_after_more_events_than_there_are_is_last() -> None:
    events = stream(simulate="error=api_error;after=1000")
    assert [event["type"] for event in events[-2:]] == ["message_stop", "error"]


def test_a_whole_reply_has_no_events_to_fail_behind() -> None:
    refused(post(body(), x_simulate="error=api_error; after=3"), 500, "api_error", "Internal server error")


def test_a_cut_stream_ends_after_some_events() -> None:
    assert stream(simulate="cut=5") == stream()[:5]
    assert stream(simulate="cut=0") == []
    assert stream(simulate="cut=1000") == stream()


@pytest.mark.parametrize("item", ["cut=5.5", "cut-inside=5", " cut-inside = 5 ;;"])
def test_a_stream_can_be_cut_inside_a_frame(item: str) -> None:
    whole = post(body(stream=True)).text
    cut = post(body(stream=True), x_simulate=item).text
    assert whole.startswith(cut)
    assert not cut.endswith("\n\n")
    assert len(events_of(cut[: cut.rindex("\n\n") + 2])) == 5


def test_delays_are_before_the_first_byte_and_between_events() -> None:
    started = time.monotonic()
    ask(simulate="delay=0.05")
    assert time.monotonic() - started >= 0.05
    started = time.monotonic()
    assert len(stream(simulate="delay=0.01; cut=6")) == 6
    assert time.monotonic() - started >= 0.06


def test_a_refusal_has_a_part_of_the_content_and_says_why() -> None:
    plain = ask("Hi", tools=[], thinking={"type": "adaptive"})
    reply = ask("Hi", tools=[], thinking={"type": "adaptive"}, simulate="refuse")
    assert reply["stop_reason"] == "refusal"
    assert reply["stop_details"]["type"] == "refusal"
    assert reply["stop_details"]["category"] == "general_harms"
    assert reply["stop_details"]["explanation"]
    assert reply["content"][0] == plain["content"][0]
    assert plain["content"][1]["text"].startswith(reply["content"][1]["text"])
    assert 0 < len(reply["content"][1]["text"]) < len(plain["content"][1]["text"])


def test_a_refusal_calls_no_tools() -> None:
    for choice in ({"type": "auto"}, {"type": "any"}):
        reply = ask("a", tools=[tool("a")], tool_choice=choice, simulate="refuse")
        assert [block["type"] for block in reply["content"]] == ["text"]


def test_a_streamed_refusal_says_why_in_its_last_delta() -> None:
    assert stream(simulate="refuse")[-2]["delta"]["stop_details"]["category"] == "general_harms"


@pytest.mark.parametrize("reason", ["pause_turn", "model_context_window_exceeded", "end_turn"])
def test_any_stop_reason_can_be_forced(reason: str) -> None:
    assert ask(simulate=f"stop={reason}")["stop_reason"] == reason


def test_a_stop_reason_of_the_future_can_be_forced() -> None:
    assert post(body(), x_simulate="stop=a_new_one").json()["stop_reason"] == "a_new_one"


def test_an_overflow_is_a_prompt_that_is_too_long() -> None:
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    refused(post(body(), x_simulate="overflow"), 400, "invalid_request_error", message)


def test_the_header_works_for_token_counts() -> None:
    request = {"model": "sim-1", "messages": [{"role": "user", "content": [text("a")]}]}
    response = post(request, "/v1/messages/count_tokens", x_simulate="error=overloaded_error")
    refused(response, 529, "overloaded_error", "Overloaded")


def test_a_bad_request_is_refused_whatever_is_simulated() -> None:
    request = json.dumps(body(n=1)).encode()
    refused(post(request, x_simulate="error=api_error"), 400, "invalid_request_error", "n: Extra inputs")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("slow", "unknown item 'slow'; known items are after, cut, cut-inside, delay, error, overflow, refuse, stop"),
        ("error", "error needs one of invalid_request_error, "),
        ("error=none", "error needs one of invalid_request_error, "),
        ("after=1", "after needs error"),
        ("error=api_error; after=-1", "after needs a number of events"),
        ("cut=a", "cut needs a number of events"),
        ("cut=1.25", "cut needs a number of events"),
        ("cut-inside=1.5", "cut-inside needs a number of events"),
        ("delay=nan", "delay needs seconds"),
        ("delay=61", "delay is at most 60 seconds"),
        ("stop=End Turn", "stop needs a stop reason"),
        ("refuse=yes", "refuse needs no value"),
    ],
)
def test_an_item_that_is_not_understood_is_refused(header: str, message: str) -> None:
    refused(post(body(), x_simulate=header), 400, "invalid_request_error", message)
