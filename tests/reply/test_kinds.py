"""Calls of each kind, thinking, citations and wrapped JSON: whole and streamed, and back into the next request."""

import json
import re
from typing import Any

import pytest

from chatcompat import Translation, translate
from tests.asgi.driver import frame
from tests.extensions import EXTENSIONS
from tests.strategies.client import join
from tests.vendor import check_chat_reply, check_messages_request, messages_event, messages_reply

HI = [{"role": "user", "content": "hi"}]
FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "run it"}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "eHg="}


CITED = {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x", "document_index": 0}}


def text(content: str, **more: Any) -> Any:
    return {"type": "text", "text": content, **more}


def use(name: str, given: Any, call: str = "toolu_1") -> Any:
    return {"type": "tool_use", "id": call, "name": name, "input": given}


def ask(**fields: Any) -> Translation:
    return translate(json.dumps({"model": "m", "messages": HI, **fields}).encode(), created=1)


def reply(blocks: list[Any], stop: str = "end_turn", **usage: Any) -> Any:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2, **usage},
    }
    assert messages_reply(message) == []
    return message


def deltas_of(block: Any) -> list[Any]:
    match block["type"]:
        case "text":
            words = block["text"].partition(" ")
            return [{"type": "text_delta", "text": word} for word in words if word] + [
                {"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ()
            ]
        case "thinking":
            return [
                {"type": "thinking_delta", "thinking": block["thinking"][:1]},
                {"type": "thinking_delta", "thinking": block["thinking"][1:]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        case "tool_use":
            given = json.dumps(block["input"])
            return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", given[:5], given[5:])]
    return []


EMPTY: dict[str, Any] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}


def events(message: Any) -> bytes:
    made: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}]
    for index, block in enumerate(message["content"]):
        begun = {key: value for key, value in block.items() if key != "citations"} | EMPTY.get(block["type"], {})
        made.append({"type": "content_block_start", "index": index, "content_block": begun})
        made += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas_of(block)]
        made.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    made += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]
    assert [problem for event in made for problem in messages_event(event)] == []
    return b"".join(map(frame, made))


def streamed(translation: Translation, message: Any, raw: bytes | None = None) -> Any:
    stream = translation.stream()
    out = stream.feed(events(message) if raw is None else raw) + stream.close()
    joined: Any = {}
    finish = None
    for line in out.decode().split("\n\n"):
        if line.startswith("data: {"):
            choice = json.loads(line[6:])["choices"][0]
            join(joined, choice["delta"])
            finish = choice["finish_reason"] or finish
    for call in joined.get("tool_calls", ()):
        del call["index"]
    joined["content"] = joined["content"] or None
    return joined, finish


def both(translation: Translation, message: Any) -> tuple[Any, str]:
    """The message and finish reason, the same in four ways."""
    raw = json.dumps(message).encode()
    completion = json.loads(translation.reply(raw))
    assert check_chat_reply(completion, allow=EXTENSIONS) == []
    choice = completion["choices"][0]
    whole = {key: value for key, value in choice["message"].items() if key != "refusal"}
    assert streamed(translation, message) == (whole, choice["finish_reason"])
    stream = translation.stream()
    replayed = stream.replay(raw)
    assert stream.error is None
    collector = translation.collector()
    collector.feed(events(message))
    assert json.loads(collector.close())["choices"] == completion["choices"]
    assert replayed.endswith(b"data: [DONE]\n\n")
    return whole, choice["finish_reason"]


# ---------------------------------------------------------------- calls


def test_a_custom_call_comes_back_as_one_with_its_text() -> None:
    translation = ask(tools=[CUSTOM, FUNCTION])
    native = next(iter(translation.context.tool_names))
    message = reply([use(native, {"input": 'a "b"\n'}), use("f", {"x": 1}, "toolu_2")], "tool_use")
    whole, finish = both(translation, message)
    assert whole["tool_calls"] == [
        {"id": "call_toolu1", "custom": {"name": "run it", "input": 'a "b"\n'}, "type": "custom"},
        {"id": "call_toolu2", "function": {"name": "f", "arguments": '{"x": 1}'}, "type": "function"},
    ]
    assert finish == "tool_calls"


@pytest.mark.parametrize("given", [{}, {"other": 1}, {"input": 5}])
def test_a_custom_call_of_another_form_loses_nothing(given: Any) -> None:
    whole, _ = both(ask(tools=[{"type": "custom", "custom": {"name": "c"}}]), reply([use("c", given)], "tool_use"))
    assert json.loads(whole["tool_calls"][0]["custom"]["input"]) == given


def test_a_legacy_call_comes_back_as_function_call() -> None:
    translation = ask(functions=[{"name": "f"}])
    whole, finish = both(translation, reply([text("so "), use("f", {"x": 1})], "tool_use"))
    assert whole == {
        "role": "assistant",
        "content": "so ",
        "function_call": {"name": "f", "arguments": '{"x": 1}'},
    }
    assert finish == "function_call"


def test_a_legacy_reply_has_room_for_one_call() -> None:
    message = reply([use("f", {}), use("f", {}, "toolu_2")], "tool_use")
    whole, _ = both(ask(functions=[{"name": "f"}]), message)
    assert whole["function_call"] == {"name": "f", "arguments": "{}"}


# ---------------------------------------------------------------- JSON in one property


ARRAY = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}


def test_wrapped_json_is_unwrapped_byte_for_byte() -> None:
    translation = ask(response_format=ARRAY)
    whole, finish = both(translation, reply([use("respond_with_json", {"value": [1, {"a": 1.5}]})], "tool_use"))
    assert whole == {"role": "assistant", "content": '[1, {"a": 1.5}]'}
    assert finish == "stop"


def test_wrapped_json_that_was_cut_off_is_what_came() -> None:
    translation = ask(response_format=ARRAY)
    start, block = frame({"type": "message_start", "message": reply([])}), use("respond_with_json", {})
    pieces = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"value": [1, 2'},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    joined, finish = streamed(translation, None, start + b"".join(map(frame, pieces)))
    assert (joined["content"], finish) == ("[1, 2", "length")


def test_text_that_is_the_json_is_taken_as_it_is() -> None:
    whole, finish = both(ask(response_format={"type": "json_object"}), reply([text("{} ")]))
    assert (whole["content"], finish) == ("{} ", "stop")


def test_a_second_document_does_not_spoil_the_first() -> None:
    blocks = [use("respond_with_json", {"a": 1}), use("respond_with_json", {"b": 1}, "toolu_2")]
    whole, _ = both(ask(response_format={"type": "json_object"}), reply(blocks, "tool_use"))
    assert whole["content"] == '{"a": 1}'


# ---------------------------------------------------------------- thinking


def test_thinking_is_told_as_text_and_as_a_signed_copy_with_its_places() -> None:
    blocks = [SIGNED, text("ab "), HIDDEN, use("f", {}), {**SIGNED, "thinking": "so"}, use("f", {}, "toolu_2")]
    whole, _ = both(ask(tools=[FUNCTION]), reply(blocks, "tool_use"))
    assert whole["reasoning_content"] == "hmso"
    ours = {"format": "anthropic-claude-v1", "model": whole["reasoning_details"][0]["model"]}
    assert [{**entry, "id": entry["id"].partition("_")[2][13:]} for entry in whole["reasoning_details"]] == [
        {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "c2ln", "id": "_", **ours},
        {"type": "reasoning.encrypted", "index": 1, "data": "eHg=", "id": "t3_", **ours},
        {"type": "reasoning.text", "index": 2, "text": "so", "signature": "c2ln", "id": "c1_c2", **ours},
    ]


HISTORIES = [
    [SIGNED, text("ab "), HIDDEN, use("f", {"n": 1.5}), {**SIGNED, "thinking": "so"}, use("f", {}, "toolu_2")],
    [text("a"), SIGNED, text("b"), text("c")],
    [HIDDEN, use("f", {}), text("\U0001f642 x"), SIGNED, text("y")],
    [{**SIGNED, "thinking": ""}, text("z")],
    [text("plain"), use("f", {"k": [1]})],
]


@pytest.mark.parametrize("blocks", HISTORIES)
def test_a_reply_goes_back_to_exactly_the_blocks_that_it_came_from(blocks: list[Any]) -> None:
    calls = any(block["type"] == "tool_use" for block in blocks)
    whole, _ = both(ask(tools=[FUNCTION]), reply(blocks, "tool_use" if calls else "end_turn"))
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "r"} for call in whole.get("tool_calls", ())]
    translation = ask(tools=[FUNCTION], messages=[*HI, whole, *(results or HI)], reasoning_effort="low")
    body = json.loads(translation.body)
    assert check_messages_request(body) == []
    assert body["messages"][1]["content"] == blocks
    assert [name for name in translation.ignored if "reasoning_details" in name] == []


def test_unsigned_thinking_is_told_as_text_only() -> None:
    message = reply([{**SIGNED, "signature": ""}, text("a")])
    whole, _ = both(ask(), message)
    assert whole == {"role": "assistant", "content": "a", "reasoning_content": "hm"}


@pytest.mark.parametrize(
    ("deltas", "told"),
    [
        ([{"type": "text_delta", "text": "x"}] * 2, {"content": "xxa"}),
        ([{"type": "thinking_delta", "thinking": "x"}] * 2, {"content": "a", "reasoning_content": "xx"}),
        ([{"type": "signature_delta", "signature": "x"}], {"content": "a"}),
        ([CITED], {"content": "a"}),
        (
            [{"type": "thinking_delta", "thinking": "x"}, {"type": "text_delta", "text": "y"}],
            {"content": "ya", "reasoning_content": "x"},
        ),
    ],
)
def test_text_and_thinking_of_a_block_that_was_not_opened_are_kept(deltas: list[Any], told: Any) -> None:
    late = b"".join(frame({"type": "content_block_delta", "index": 7, "delta": delta}) for delta in deltas)
    raw = events(reply([text("a")]))
    begun, rest = raw[: (cut := raw.index(b"event: content_block_start"))], raw[cut:]
    whole = {"role": "assistant", **told}
    assert streamed(ask(), None, begun + late + rest) == (whole, "stop")
    collector = ask().collector()
    collector.feed(begun + late + rest)
    assert json.loads(collector.close())["choices"][0]["message"] == {**whole, "refusal": None}


@pytest.mark.parametrize("closed", ["at once", "late", "never"])
def test_thinking_keeps_its_place_whenever_it_is_closed(closed: str) -> None:
    blocks = [SIGNED, text("a"), use("f", {}, "toolu_1")]
    frames = [frame(json.loads(line)) for line in re.findall(rb"^data: (.*)$", events(reply(blocks, "tool_use")), re.M)]
    stop = next(at for at, each in enumerate(frames) if b"content_block_stop" in each)
    end = frames.pop(stop)
    if closed != "never":
        frames.insert(stop if closed == "at once" else len(frames) - 2, end)
    said, _ = streamed(ask(tools=[FUNCTION]), None, b"".join(frames))
    translation = ask(
        tools=[FUNCTION], messages=[*HI, said, {"role": "tool", "tool_call_id": "call_toolu1", "content": "r"}]
    )
    blocks = json.loads(translation.body)["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]


def test_beside_json_thinking_keeps_no_places() -> None:
    blocks = [SIGNED, text("so"), use("respond_with_json", {})]
    whole, _ = both(ask(response_format={"type": "json_object"}), reply(blocks, "tool_use"))
    assert [detail["type"] for detail in whole["reasoning_details"]] == ["reasoning.text"]


# ---------------------------------------------------------------- citations and tiers


def cite(url: str, title: str | None = "T") -> Any:
    location = {"type": "web_search_result_location", "cited_text": "x", "encrypted_index": "e"}
    return {**location, "url": url, "title": title}


OTHER = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "start_char_index": 0,
    "end_char_index": 1,
}


def test_citations_of_the_web_become_annotations_with_offsets() -> None:
    blocks = [
        text("\U0001f642 a"),
        text("b c", citations=[cite("https://x/1"), OTHER]),
        text("d", citations=[OTHER]),
        text("e", citations=[cite("https://x/2", None)]),
    ]
    whole, _ = both(ask(), reply(blocks))
    assert whole["content"] == "\U0001f642 ab cde"
    assert [note["url_citation"] for note in whole["annotations"]] == [
        {"start_index": 3, "end_index": 6, "title": "T", "url": "https://x/1"},
        {"start_index": 7, "end_index": 8, "title": "", "url": "https://x/2"},
    ]


def test_text_that_is_held_back_for_json_has_no_annotations() -> None:
    blocks = [text("a", citations=[cite("https://x/1")]), use("respond_with_json", {})]
    whole, _ = both(ask(response_format={"type": "json_object"}), reply(blocks, "tool_use"))
    assert "annotations" not in whole


def test_text_that_is_the_json_keeps_its_annotations() -> None:
    whole, _ = both(ask(response_format={"type": "json_object"}), reply([text("{}", citations=[cite("https://x/1")])]))
    assert whole["content"] == "{}"
    assert whole["annotations"][0]["url_citation"]["end_index"] == 2


@pytest.mark.parametrize(
    ("tier", "named"), [("standard", "default"), ("priority", "priority"), ("batch", None), (None, None)]
)
def test_the_tier_is_told_where_the_request_named_one(tier: str | None, named: str | None) -> None:
    message = reply([text("a")], service_tier=tier)
    raw = json.dumps(message).encode()
    assert json.loads(ask(service_tier="auto").reply(raw))["service_tier"] == named
    assert "service_tier" not in json.loads(ask().reply(raw))
    stream = ask(service_tier="auto").stream()
    assert json.loads(stream.feed(events(message)).decode().split("\n\n")[0][6:])["service_tier"] == named


def test_a_tier_that_is_no_name_is_null() -> None:
    message = reply([text("a")])
    message["usage"]["service_tier"] = 5
    assert json.loads(ask(service_tier="auto").reply(json.dumps(message).encode()))["service_tier"] is None
