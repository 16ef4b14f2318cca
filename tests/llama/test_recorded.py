"""Exchanges that were recorded from a real `llama-server` (`record.py`): what it was sent, what it did, who got what.

Its streams and replies are not the vendor's in every field; what clients get of them is.
"""

import json
from typing import Any

import pytest

from chatcompat.dialect import LLAMA_CPP
from chatcompat.errors import InvalidRequest
from chatcompat.translation import translate
from tests.llama.record import FOLDER, NAMES, to_client, translation_of
from tests.reply.support import ALLOWED, cuts
from tests.vendor import chat_error, chat_sse

EXTENSIONS = (*ALLOWED, "native_finish_reason", "stop_sequence")


def recorded(name: str) -> tuple[dict[str, Any], bytes]:
    exchange = json.loads((FOLDER / f"{name}.exchange.json").read_bytes())
    return exchange, (FOLDER / f"{name}.client").read_bytes()


def completion(name: str) -> Any:
    return json.loads(recorded(name)[1])


def message(name: str) -> Any:
    return completion(name)["choices"][0]["message"]


def chunks(name: str) -> list[Any]:
    return [json.loads(line[6:]) for line in recorded(name)[1].decode().split("\n\n") if line.startswith("data: {")]


def content(name: str) -> str:
    choices = [chunk["choices"][0] for chunk in chunks(name) if chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("name", NAMES)
def test_the_server_is_sent_and_the_client_gets_what_is_recorded(name: str) -> None:
    exchange, client = recorded(name)
    translation = translation_of(name)
    assert json.loads(translation.body) == exchange["sent"]
    assert to_client(name, exchange["status"], exchange["reply"].encode()) == client
    if exchange["status"] != 200:
        assert chat_error(json.loads(client)) == []
    elif translation.streaming:
        assert chat_sse(client, include_usage=True, allow=EXTENSIONS) == []
        for pieces in cuts(exchange["reply"].encode()):
            stream = translation.stream()
            assert b"".join([*map(stream.feed, pieces), stream.close()]) == client


@pytest.mark.parametrize("name", ["text", "stop", "prefill"])
def test_a_stream_says_what_the_whole_reply_says(name: str) -> None:
    assert content(f"{name}-streamed") == message(name)["content"]


def test_the_usage_is_split_by_the_servers_cache_and_sent_at_the_start() -> None:
    usage = chunks("text-streamed")[-1]["usage"]
    assert usage["prompt_tokens"] == completion("text")["usage"]["prompt_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_stop_sequence_that_is_told_as_the_end_of_the_turn_is_named() -> None:
    choice = completion("stop")["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["stop_sequence"] == "here"
    assert "here" not in choice["message"]["content"]


def test_calls_whose_blocks_begin_without_input_are_whole() -> None:
    assert '"name":"get_weather"}' in recorded("call-streamed")[0]["reply"]
    for name in ("call-streamed", "required-streamed"):
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks(name) if chunk["choices"]]
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        assert calls[0]["function"]["name"] == "get_weather"
        assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Paris"}
    assert message("call")["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}


def test_a_named_tool_is_the_only_one_sent() -> None:
    sent = recorded("named")[0]["sent"]
    assert [tool["name"] for tool in sent["tools"]] == ["get_time"]
    assert sent["tool_choice"] == {"type": "any"}
    assert [call["function"]["name"] for call in message("named")["tool_calls"]] == ["get_time"]


def test_where_no_tool_may_be_called_none_is_sent() -> None:
    assert recorded("none")[0]["sent"].keys().isdisjoint({"tools", "tool_choice"})
    assert "tool_calls" not in message("none")
    assert translation_of("none").ignored == ()


def test_that_calls_come_one_at_a_time_is_reported_as_not_kept() -> None:
    assert translation_of("one-at-a-time").ignored == ("parallel_tool_calls",)
    assert recorded("one-at-a-time")[0]["sent"]["tool_choice"] == {"type": "auto"}
    body = (FOLDER / "one-at-a-time.chat.json").read_bytes()
    with pytest.raises(InvalidRequest, match="parallel_tool_calls"):
        translate(body, dialect=LLAMA_CPP, strict=True)


def test_a_native_tool_can_be_named_too() -> None:
    native = {"name": "lookup", "input_schema": {"type": "object"}}
    other = {"type": "function", "function": {"name": "other"}}
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [other, native],
        "tool_choice": {"type": "function", "function": {"name": "lookup"}},
    }
    sent = json.loads(translate(json.dumps(request).encode(), dialect=LLAMA_CPP).body)
    assert sent["tools"] == [native]


def test_a_prefill_is_not_repeated() -> None:
    assert recorded("prefill")[0]["reply"].count("One, two, three") == 1
    assert message("prefill")["content"].startswith(" three")
    assert content("prefill-streamed").startswith(" three")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["One, two, three"], " three"),
        (["One,", " two", ", three"], " three"),
        (["One, two", ": three"], "One, two: three"),
        (["Three"], "Three"),
        (["One", ", "], "One, "),
        ([], ""),
    ],
)
def test_only_the_whole_prefill_is_cut_from_the_beginning(texts: list[str], said: str) -> None:
    translation = translation_of("prefill-streamed")
    start = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": []}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts
    ]
    end = [{"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]
    events: list[Any] = [start, block, *deltas, *end, {"type": "message_stop"}]
    stream = translation.stream()
    frames = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    out = b"".join([*map(stream.feed, frames), stream.close()]).decode()
    found = [json.loads(line[6:]) for line in out.split("\n\n") if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in found if chunk["choices"]) == said
    whole = {"id": "m", "model": "m", "content": [{"type": "text", "text": text} for text in texts]}
    reply = json.loads(translation.reply(json.dumps(whole).encode()))
    assert (reply["choices"][0]["message"]["content"] or "") == said


def test_a_prefill_in_several_parts_is_sent_as_one() -> None:
    parts = [{"type": "text", "text": "One,"}, {"type": "text", "text": " two, "}]
    messages = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": parts}]
    translation = translate(json.dumps({"model": "m", "messages": messages}).encode(), dialect=LLAMA_CPP)
    assert json.loads(translation.body)["messages"][-1]["content"] == translation.context.prefill == "One, two,"


@pytest.mark.parametrize("name", ["json-schema", "json-schema-streamed"])
def test_json_comes_by_a_tool_since_output_config_is_ignored(name: str) -> None:
    sent = recorded(name)[0]["sent"]
    assert "output_config" not in sent
    assert [tool["name"] for tool in sent["tools"]] == ["respond_with_json"]
    said = content(name) if name.endswith("streamed") else message(name)["content"]
    assert json.loads(said) == {"city": "Paris"}


def test_errors_that_are_not_native_keep_status_and_message() -> None:
    assert recorded("image")[0]["status"] == 500
    assert completion("image")["error"]["type"] == "server_error"
    assert "image input is not supported" in completion("image")["error"]["message"]
    assert recorded("too-long")[0]["status"] == 400
    assert completion("too-long")["error"]["code"] == "context_length_exceeded"
