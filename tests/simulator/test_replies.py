"""The contents of replies: text, stop reasons, thinking, usage."""

from typing import Any

import pytest

from tests.simulator.driver import (
    WEATHER,
    ask,
    assistant,
    body,
    call,
    collected,
    image,
    post,
    result,
    said,
    stream,
    user,
)

THINKING = {"type": "adaptive"}
DOCUMENTS: list[Any] = [
    ({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="}, "application/pdf"),
    ({"type": "text", "media_type": "text/plain", "data": "words"}, "text/plain"),
    ({"type": "content", "content": "words"}, "content"),
    ({"type": "content", "content": [{"type": "text", "text": "words"}]}, "content"),
    ({"type": "url", "url": "https://example.com/a.pdf"}, "url"),
    ({"type": "file", "file_id": "file_1"}, "file"),
]
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


def test_a_cut_call_has_partial_json_in_a_stream_and_no_input_in_a_reply() -> None:
    options: dict[str, Any] = {"tools": [WEATHER], "max_tokens": 7}
    whole, streamed = ask(**options), collected(stream(**options))
    assert whole["stop_reason"] == streamed["stop_reason"] == "max_tokens"
    assert whole["content"][-1]["input"] == {}
    assert streamed["content"][-1]["input"] == '{"ci'


def test_a_call_that_no_token_is_left_for_is_dropped() -> None:
    assert [block["type"] for block in ask(tools=[WEATHER], max_tokens=6)["content"]] == ["text"]


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
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "additionalProperties": False}
    reply = ask(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert said(reply) == '{"ok":true}'


# ---------------------------------------------------------------- usage


def test_usage_counts_the_request_and_the_reply() -> None:
    usage = ask("12345678", system="1234")["usage"]
    assert usage["input_tokens"] == 3
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0
    assert usage["service_tier"] == "standard"
    assert usage["credits_consumed"] == -(-(3 + usage["output_tokens"]) // 2)


def test_tokens_can_be_counted_beforehand() -> None:
    request = body("12345678", cache_control={"type": "ephemeral"})
    del request["max_tokens"]
    assert post(request, "/v1/messages/count_tokens").json() == {"input_tokens": 2}
