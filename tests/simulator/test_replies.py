"""What is answered, whole and streamed."""

import json
from typing import Any

import pytest

from tests.simulator.driver import (
    OLD,
    PIXEL,
    ask,
    assistant,
    body,
    call,
    collected,
    image,
    post,
    result,
    stream,
    tool,
    user,
)

WEATHER = tool("get_weather", city={"type": "string"})
THINKING = {"type": "adaptive"}
DOCUMENTS: list[Any] = [
    ({"type": "base64", "media_type": "application/pdf", "data": PIXEL}, "application/pdf"),
    ({"type": "text", "media_type": "text/plain", "data": "words"}, "text/plain"),
    ({"type": "content", "content": "words"}, "content"),
    ({"type": "content", "content": [{"type": "text", "text": "words"}]}, "content"),
    ({"type": "url", "url": "https://example.com/a.pdf"}, "url"),
    ({"type": "file", "file_id": "file_1"}, "file"),
]
REQUESTS: dict[str, dict[str, Any]] = {
    "text": body(),
    "cut": body(max_tokens=3),
    "stopped": body(stop_sequences=["wrote"]),
    "calls": body("get_weather and get_time", tools=[WEATHER, tool("get_time")]),
    "thinking": body(thinking=THINKING),
    "hidden thinking": body(thinking={**THINKING, "display": "omitted"}),
    "thinking and a call": body(thinking=THINKING, tools=[WEATHER]),
    "cached": body(cache_control={"type": "ephemeral", "ttl": "1h"}),
    "json": body(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "low"}),
}


def said(reply: dict[str, Any]) -> str:
    return "".join(block["text"] for block in reply["content"] if block["type"] == "text")


# ---------------------------------------------------------------- text


def test_the_users_last_text_is_quoted_as_it_is() -> None:
    reply = ask("Before", assistant("Yes"), "Zo\u00eb \U0001f44b\u200d \u4f60\u597d")
    assert "Zo\u00eb \U0001f44b\u200d \u4f60\u597d" in said(reply)
    assert "Before" not in said(reply)
    assert reply["model"] == "sim-1"
    assert reply["stop_reason"] == "end_turn"


def test_a_long_text_is_quoted_in_part() -> None:
    assert f'"{"x" * 400}\u2026"' in said(ask("x" * 401))
    assert f'"{"x" * 400}"' in said(ask("x" * 400))


@pytest.mark.parametrize("model", ["caicaini/auto", "sim-1", "sim-2"])
def test_the_reply_names_the_model_that_was_asked_for(model: str) -> None:
    assert ask(model=model)["model"] == model


def test_a_prefilled_turn_is_answered_in_text() -> None:
    reply = ask("Hi", assistant("Well"), tools=[WEATHER])
    assert [block["type"] for block in reply["content"]] == ["text"]
    assert ask("Hi", {"role": "assistant", "content": []})["stop_reason"] == "end_turn"


def test_a_system_message_within_the_conversation_is_taken() -> None:
    reply = ask("Hi there", {"role": "system", "content": "Be kind."}, model="sim-2")
    assert "Hi there" in said(reply)


def test_images_are_named_by_media_type() -> None:
    elsewhere = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    reply = ask(user("Look", image(), elsewhere))
    assert "Look" in said(reply)
    assert "an image (image/png), an image (url)" in said(reply)
    assert said(ask(user(image()))) == "I have seen: an image (image/png)."


@pytest.mark.parametrize(("source", "name"), DOCUMENTS)
def test_documents_are_named_by_media_type(source: dict[str, Any], name: str) -> None:
    reply = ask(user({"type": "document", "source": source, "title": "a", "citations": {"enabled": True}}))
    assert said(reply) == f"I have seen: a document ({name})."
    assert reply["usage"]["input_tokens"] > 0


def test_search_results_are_named() -> None:
    found = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "words"}]}
    assert said(ask(user(found))) == "I have seen: a search result."


# ---------------------------------------------------------------- the end


def test_text_ends_before_the_first_stop_sequence() -> None:
    reply = ask("one two three", stop_sequences=["three", "two", "nothing"])
    assert said(reply).endswith("one ")
    assert (reply["stop_reason"], reply["stop_sequence"]) == ("stop_sequence", "two")


def test_a_reply_that_begins_with_a_stop_sequence_is_empty() -> None:
    reply = ask(stop_sequences=["I have"])
    assert (reply["content"], reply["stop_reason"]) == ([], "stop_sequence")


def test_a_stop_sequence_before_the_calls_drops_them() -> None:
    assert [block["type"] for block in ask(stop_sequences=["call"], tools=[WEATHER])["content"]] == ["text"]


def test_max_tokens_are_counted_as_four_characters_each() -> None:
    reply = ask("Hi there, how are you?", max_tokens=3)
    assert len(said(reply)) == 12
    assert reply["usage"]["output_tokens"] == 3
    assert reply["stop_reason"] == "max_tokens"


def test_a_call_that_is_cut_has_partial_json_in_a_stream_and_no_input_in_a_whole_reply() -> None:
    options: dict[str, Any] = {"tools": [WEATHER], "max_tokens": 7}
    whole, streamed = ask(**options), collected(stream(**options))
    assert whole["stop_reason"] == streamed["stop_reason"] == "max_tokens"
    assert whole["content"][-1]["input"] == {}
    assert streamed["content"][-1]["input"] == '{"ci'


def test_a_call_that_no_token_is_left_for_is_dropped() -> None:
    assert [block["type"] for block in ask(tools=[WEATHER], max_tokens=6)["content"]] == ["text"]


# ---------------------------------------------------------------- tools


def called(reply: dict[str, Any]) -> list[str]:
    return [block["name"] for block in reply["content"] if block["type"] == "tool_use"]


def offer(*names: str) -> list[dict[str, Any]]:
    return [tool(name) for name in names]


def test_tools_that_are_named_are_called_in_the_order_of_offering() -> None:
    reply = ask("Use get_time, then get_weather.", tools=offer("get_weather", "other", "get_time"))
    assert called(reply) == ["get_weather", "get_time"]
    assert said(reply) == "I will call get_weather and get_time."
    assert reply["stop_reason"] == "tool_use"
    assert len({block["id"] for block in reply["content"] if block["type"] == "tool_use"}) == 2


def test_a_name_within_another_word_is_not_named() -> None:
    assert called(ask("Use get_time_zone.", tools=offer("get_time", "get_time_zone"))) == ["get_time_zone"]


def test_a_tool_that_a_gateway_renamed_is_named_by_its_old_name() -> None:
    tools = offer("other", "maps_route_0a1b", "maps_routes")
    assert called(ask("Use maps.route, please.", tools=tools)) == ["maps_route_0a1b"]
    assert called(ask("Use maps/routes.", tools=tools)) == ["maps_routes"]
    assert called(ask("\u2026 ! -", tools=offer("other", "__x"))) == ["other"]


def test_the_first_tool_is_called_if_none_is_named() -> None:
    assert called(ask("Hello", tools=offer("a", "b"))) == ["a"]


def test_results_are_quoted_and_no_tool_is_called_again() -> None:
    messages = ["Hi", assistant(call("t1"), call("t2"), call("t3"), call("t4"))]
    mixed = [{"type": "text", "text": "17 degrees"}, image()]
    none = {"type": "tool_result", "tool_use_id": "t4"}
    reply = ask(
        *messages, user(result("t1"), result("t2", "down", is_error=True), result("t3", mixed), none), tools=[WEATHER]
    )
    assert called(reply) == []
    assert 'get_weather says: "sunny"' in said(reply)
    assert 'get_weather failed: "down"' in said(reply)
    assert "17 degrees an image (image/png)" in said(reply)


def test_a_turn_with_results_that_names_a_tool_calls_it() -> None:
    turn = user(result("t1"), "Now get_time")
    assert called(ask("Hi", assistant(call("t1")), turn, tools=offer("get_weather", "get_time"))) == ["get_time"]


def test_results_of_several_user_messages_are_one_turn() -> None:
    reply = ask(
        "Hi", assistant(call("t1")), assistant(call("t2")), user(result("t2")), user(result("t1")), tools=[WEATHER]
    )
    assert said(reply).count("sunny") == 2


def test_parallel_calls_can_be_turned_off() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert called(ask("a and b", tools=offer("a", "b"), tool_choice=choice)) == ["a"]


def test_none_gives_text() -> None:
    assert called(ask("a", tools=offer("a"), tool_choice={"type": "none"})) == []


def test_tool_calls_that_tool_alone_and_says_nothing_before() -> None:
    reply = ask("a", tools=offer("a", "b"), tool_choice={"type": "tool", "name": "b"})
    assert (called(reply), said(reply)) == (["b"], "")


def test_any_calls_at_least_one_and_says_nothing_before() -> None:
    any_tool = {"type": "any"}
    assert called(ask("b and a", tools=offer("a", "b"), tool_choice=any_tool)) == ["a", "b"]
    reply = ask("Hi", tools=offer("a", "b"), tool_choice=any_tool)
    assert (called(reply), said(reply)) == (["a"], "")


def test_any_goes_on_behind_results_with_a_tool_that_was_not_called_yet() -> None:
    options: dict[str, Any] = {"tools": offer("a", "b"), "tool_choice": {"type": "any"}}
    first = ["Hi", assistant(call("t1", "a")), user(result("t1"))]
    assert called(ask(*first, **options)) == ["b"]
    assert called(ask(*first, assistant(call("t2", "b")), user(result("t2")), **options)) == ["b"]


@pytest.mark.parametrize("version", ["web_search_20250305", "web_search_20260209", "web_search_20260318"])
def test_web_search_is_accepted_but_never_run(version: str) -> None:
    search = {
        "type": version,
        "name": "web_search",
        "max_uses": 1,
        "user_location": {"type": "approximate", "city": "Oslo"},
    }
    assert called(ask("web_search", tools=[search])) == []
    assert called(ask("Hi", tools=[search, *offer("a")])) == ["a"]


def test_arguments_fit_the_schema() -> None:
    schema = {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "unit": {"enum": ["c", "f"]}}
    assert ask(tools=[tool("a", **schema)])["content"][-1]["input"] == {"city": "example", "days": 2, "unit": "c"}


# ---------------------------------------------------------------- thinking and format


@pytest.mark.parametrize(
    "config", [{"type": "enabled", "budget_tokens": 1024}, THINKING, {"type": "adaptive", "display": "summarized"}]
)
def test_thinking_comes_first_and_is_counted(config: dict[str, Any]) -> None:
    reply = ask(thinking=config, max_tokens=2000)
    assert [block["type"] for block in reply["content"]] == ["thinking", "text"]
    assert reply["content"][0]["thinking"]
    assert 0 < reply["usage"]["output_tokens_details"]["thinking_tokens"] < reply["usage"]["output_tokens"]


def test_thinking_between_tools_comes_behind_results_only() -> None:
    config = {"type": "between_tools"}
    assert [block["type"] for block in ask(thinking=config)["content"]] == ["text"]
    reply = ask("Hi", assistant(call("t1")), user(result("t1")), tools=[WEATHER], thinking=config)
    assert [block["type"] for block in reply["content"]] == ["thinking", "text"]


def test_disabled_thinking_is_none() -> None:
    assert [block["type"] for block in ask(thinking={"type": "disabled"})["content"]] == ["text"]


@pytest.mark.parametrize("display", ["summarized", "omitted"])
def test_thinking_can_go_back_as_it_came(display: str) -> None:
    options: dict[str, Any] = {
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": display},
        "max_tokens": 2000,
        "tools": [WEATHER],
    }
    reply = ask("Hi", **options)
    assert bool(reply["content"][0]["thinking"]) == (display == "summarized")
    answered = user(result(reply["content"][-1]["id"]))
    assert (
        ask("Hi", {"role": "assistant", "content": reply["content"]}, answered, **options)["stop_reason"] == "end_turn"
    )


def test_a_json_format_gives_json_that_fits() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    reply = ask(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert said(reply) == '{"ok":true}'


# ---------------------------------------------------------------- usage


def test_usage_counts_the_request_and_the_reply() -> None:
    usage = ask("12345678", system="1234")["usage"]
    assert usage["input_tokens"] == 3
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0
    assert usage["service_tier"] == "standard"
    assert usage["credits_consumed"] == -(-(3 + usage["output_tokens"]) // 2)


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_what_is_before_a_breakpoint_is_written_to_the_cache(ttl: str) -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": ttl}}
    system = [{"type": "text", "text": "12345678", **mark}, {"type": "text", "text": "1234"}]
    usage = ask("1234", system=system)["usage"]
    assert (usage["cache_creation_input_tokens"], usage["input_tokens"]) == (2, 2)
    assert usage["cache_creation"][f"ephemeral_{ttl}_input_tokens"] == 2
    assert sum(usage["cache_creation"].values()) == 2


def test_a_breakpoint_at_the_top_is_one_behind_all() -> None:
    usage = ask("12345678", cache_control={"type": "ephemeral"})["usage"]
    assert (usage["cache_creation_input_tokens"], usage["input_tokens"]) == (2, 0)


def test_a_breakpoint_within_a_result_counts_at_the_result() -> None:
    marked = {"type": "text", "text": "12345678", "cache_control": {"type": "ephemeral"}}
    usage = ask("Hi", assistant(call("t1")), user(result("t1", [marked]), "1234"), tools=[WEATHER])["usage"]
    assert usage["input_tokens"] == 1


def test_tokens_can_be_counted_beforehand() -> None:
    request = body("12345678", cache_control={"type": "ephemeral"})
    del request["max_tokens"]
    assert post(request, "/v1/messages/count_tokens").json() == {"input_tokens": 2}


# ---------------------------------------------------------------- streams


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
