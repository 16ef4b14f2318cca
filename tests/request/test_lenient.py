"""Requests of real clients that differ in form from the reference: what they mean arrives, and nothing is reported."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from chatcompat.reply.turn_keys import to_key, to_turn
from chatcompat.request import decode_chat_request
from chatcompat.request.lenient import lone_surrogate

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT: Json = {"role": "tool", "tool_call_id": "c1", "content": "r"}
ASKED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def run(*messages: Json, **fields: Any) -> Translation:
    body = {"model": "m", "max_tokens": 9, "messages": list(messages) or [HI], **fields}
    options = {name: fields.pop(name) for name in ("dialect", "strict") if name in fields}
    return translate(json.dumps({name: body[name] for name in body if name not in options}).encode(), **options)


def sent(translation: Translation) -> Json:
    whole: Json = json.loads(translation.body)
    return whole


@pytest.mark.parametrize("written", ["4096.0", "4096.000", "4.096e3", "4096"])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_whole_number_written_as_a_float_is_an_integer(field: str, written: str) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"%b":%b}' % (field.encode(), written.encode())
    translation = translate(body, strict=True)
    assert b'"max_tokens":4096,' in translation.body


@pytest.mark.parametrize("value", ["4096.5", "1e999", "-1.0", '"4096.0"', "1e300", "9" * 40 + ".0", "[4096.0]"])
def test_number_that_is_no_whole_one_is_refused_at_its_place(value: str) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":%b}' % value.encode()
    with pytest.raises(InvalidRequest) as raised:
        translate(body)
    assert raised.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        ([HI], {"n": 1.0}),
        ([HI], {"top_logprobs": 0.0}),
        ([HI, {**ASKED, "tool_calls": [{**CALL, "index": 0.0}]}, RESULT], {}),
    ],
)
def test_each_integer_field_takes_a_whole_float(messages: list[Json], fields: Json) -> None:
    assert run(*messages, **fields, strict=True).ignored == ()


def test_number_of_a_message_that_is_no_whole_one_is_refused_at_its_place() -> None:
    entry = {"type": "reasoning.text", "text": "t", "signature": "s"}
    for numbered in ({"tool_calls": [{**CALL, "index": 0.5}]}, {"reasoning_details": [{**entry, "index": 0.5}]}):
        with pytest.raises(InvalidRequest, match="whole number") as raised:
            run(HI, {"role": "assistant", "content": "a", **numbered}, RESULT)
        assert raised.value.param == f"messages[1].{next(iter(numbered))}[0].index"


def test_seed_written_as_a_float_is_reported_like_any_seed() -> None:
    assert run(seed=4.0).ignored == ("seed",)


@pytest.mark.parametrize("url", ["https://example.com/a.png", "data:image/png;base64,AAAA"])
@pytest.mark.parametrize("place", ["user", "tool"])
def test_image_url_may_be_a_string(url: str, place: str) -> None:
    def with_image(value: Any) -> Json:
        parts = [{"type": "image_url", "image_url": value}]
        messages = (
            [{"role": "user", "content": parts}] if place == "user" else [HI, ASKED, {**RESULT, "content": parts}]
        )
        return sent(run(*messages, strict=True))

    assert with_image(url) == with_image({"url": url})


def test_arguments_may_be_an_object() -> None:
    function = {"name": "f", "arguments": {"a": 1.50, "b": {"c": [None, "é"]}}}
    asked = {"role": "assistant", "tool_calls": [{**CALL, "function": function}]}
    body = sent(run(HI, asked, RESULT, strict=True))
    assert body["messages"][1]["content"][0]["input"] == function["arguments"]
    legacy = {"role": "assistant", "content": None, "function_call": function}
    body = sent(run(HI, legacy, {"role": "function", "name": "f", "content": "r"}, strict=True))
    assert body["messages"][1]["content"][0]["input"] == function["arguments"]


@pytest.mark.parametrize("arguments", [b'{"a":1.10,"b":{"c":[1e400,-0.0]}}', b'{"a":12345678901234567890123}', b"{}"])
def test_arguments_that_are_an_object_keep_their_digits(arguments: bytes) -> None:
    def with_arguments(written: bytes) -> bytes:
        call = b'{"id":"c1","function":{"name":"f","arguments":%b}}' % written
        turn = b'{"role":"assistant","tool_calls":[%b]},{"role":"tool","tool_call_id":"c1","content":"r"}' % call
        return b'{"model":"m","messages":[{"role":"user","content":"hi"},%b]}' % turn

    bodies = with_arguments(arguments), with_arguments(json.dumps(arguments.decode()).encode())
    assert arguments in translate(bodies[0]).body
    assert translate(bodies[0], strict=True).body == translate(bodies[1], strict=True).body
    turns = [to_turn(decode_chat_request(body).chat.messages[1]) for body in bodies]  # type: ignore[arg-type]
    assert to_key(b"", b"", turns[0]) == to_key(b"", b"", turns[1])  # of the thinking that is kept for it


def test_the_first_tool_that_is_none_is_named_beside_others_without_a_type() -> None:
    with pytest.raises(InvalidRequest) as raised:
        run(tools=[{"function": {"name": "f"}}, {"parameters": {}}, {"function": {"name": "g"}}])
    assert raised.value.param == "tools[1].type"


@pytest.mark.parametrize("index", [0.0, 1, 1.0])
def test_floats_number_the_fragments_of_thinking_as_integers_do(index: float) -> None:
    fragments = [
        {"type": "reasoning.text", "index": index, "text": "a"},
        {"type": "reasoning.text", "index": float(index), "text": "b", "signature": "s"},
    ]
    turn = sent(run(HI, {"role": "assistant", "content": "c", "reasoning_details": fragments}, HI))["messages"][1]
    assert turn["content"][0] == {"type": "thinking", "thinking": "ab", "signature": "s"}


@pytest.mark.parametrize("arguments", [[1], 5, True])
def test_arguments_of_another_kind_are_refused(arguments: Any) -> None:
    with pytest.raises(InvalidRequest, match="str"):
        run(HI, {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": arguments}}]})


def test_every_form_may_stand_beside_unknown_fields_and_native_tools() -> None:
    asked = {"role": "assistant", "tool_calls": [{**CALL, "odd": 1, "function": {"name": "f", "arguments": {"a": 1}}}]}
    tool = {"name": "f", "input_schema": {"type": "object"}}
    translation = run(HI, asked, RESULT, tools=[tool], max_tokens=5.0, zz=1)
    assert translation.ignored == ("messages[].tool_calls[].odd", "zz")
    assert sent(translation)["max_tokens"] == 5
    assert sent(translation)["tools"] == [tool]


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}])
def test_system_message_without_content_is_no_loss(role: str, content: Json) -> None:
    for messages in ([{"role": role, **content}, HI], [HI, {"role": role, **content}]):
        translation = run(*messages, strict=True)
        assert sent(translation)["messages"] == [HI]
        assert "system" not in sent(translation)


def test_json_schema_needs_no_name() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    named = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    unnamed = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert run(response_format=unnamed, strict=True).body == run(response_format=named, strict=True).body


@pytest.mark.parametrize("value", [5, 1.5, True, None, ["a"], {"b": {"c": 1}}])
def test_metadata_may_hold_values_that_are_no_text(value: Any) -> None:
    assert run(metadata={"a": value}).ignored == ("metadata",)


@pytest.mark.parametrize("fields", [{"logprobs": True}, {"logprobs": True, "top_logprobs": 3}, {"top_logprobs": 3}])
def test_log_probabilities_are_reported_or_refused_as_the_dialect_says(fields: Json) -> None:
    assert run(**fields).ignored == tuple(fields)
    for options in ({"dialect": Dialect(logprobs="refuse")}, {"strict": True}):
        with pytest.raises(InvalidRequest) as raised:
            run(**fields, **options)
        assert raised.value.param == next(iter(fields))
    assert run(logprobs=False, top_logprobs=0, dialect=Dialect(logprobs="refuse")).ignored == ()


def test_options_of_the_dialect_are_checked() -> None:
    with pytest.raises(ValueError, match="logprobs"):
        Dialect(logprobs="maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_stop_sequences"):
        Dialect(max_stop_sequences=0)


def test_stop_takes_as_many_strings_as_the_dialect_says() -> None:
    five = ["a", "b", "c", "d", "e"]
    assert sent(run(stop=five, strict=True))["stop_sequences"] == five
    assert sent(run(stop=five, dialect=Dialect(max_stop_sequences=5)))["stop_sequences"] == five
    with pytest.raises(InvalidRequest, match="at most 4") as raised:
        run(stop=five, dialect=Dialect(max_stop_sequences=4))
    assert raised.value.param == "stop"
    blank = run(stop=[*five[:4], "\n", ""], dialect=Dialect(max_stop_sequences=4))
    assert sent(blank)["stop_sequences"] == five[:4]
    assert blank.ignored == ("stop",)


@pytest.mark.parametrize("field", ["user", "safety_identifier"])
def test_long_user_id_becomes_the_same_hash_each_time(field: str) -> None:
    def user_id(value: str) -> str:
        found: str = sent(run(**{field: value}, strict=True))["metadata"]["user_id"]
        return found

    assert user_id("u" * 256) == "u" * 256
    assert user_id("u" * 257) == user_id("u" * 257)
    assert len({user_id("u" * 257), user_id("u" * 258), user_id("é" * 300)}) == 3
    assert all(len(user_id("é" * size)) <= 256 for size in (300, 100_000))


@pytest.mark.parametrize("blank", ["", " \n", [], [{"type": "text", "text": " "}]])
def test_blank_user_message_is_skipped_but_for_the_last(blank: Any) -> None:
    empty = {"role": "user", "content": blank}
    answer = {"role": "assistant", "content": "a"}
    for messages in ([HI, answer, empty, answer, HI], [empty, HI], [HI, empty, answer, HI], [HI, ASKED, empty, RESULT]):
        translation = run(*messages)
        assert translation.ignored == ("messages[].content",)
        kept = [message for message in messages if message is not empty]
        assert translation.body == run(*kept).body
        with pytest.raises(InvalidRequest):
            run(*messages, strict=True)
    with pytest.raises(InvalidRequest) as raised:
        run(HI, answer, empty)
    assert raised.value.param == "messages[2].content"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (rb'{"model":"m","messages":[{"role":"user","content":"SECRET \ud800"}]}', "messages[0].content"),
        (rb'{"model":"m","messages":[{"role":"user","content":"a \uDC00 b"}]}', "messages[0].content"),
        (rb'{"messages":[{"content":"\ud83d\ude42"},{"content":[{"text":"\ud83d"}]}]}', "messages[1].content[0].text"),
        (rb'{"model":"m","zz":"\ud800"}', "zz"),
        (rb'{"a":{"\ud800":1}}', "a"),
        (rb'{"SECRET key":{"b":"\ud800"}}', "*"),
        (rb'{"model":"\ud800","user":"\ud801"}', "model"),
        (rb'{"\ud800":1}', None),
        (rb'"\ud800"', None),
    ],
)
def test_lone_surrogate_is_refused_where_it_stands(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest, match="lone surrogate") as raised:
        translate(body)
    assert (raised.value.code, raised.value.param) == ("invalid_json", param)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("body", [b"{", rb'"\\ud800', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b'["a",5,null]'])
def test_body_without_a_lone_surrogate_has_no_place(body: bytes) -> None:
    assert lone_surrogate(body) is None


def test_name_of_a_tool_message_is_no_loss_where_it_is_the_calls() -> None:
    assert run(HI, ASKED, {**RESULT, "name": "f"}, strict=True).ignored == ()
    assert run(HI, ASKED, {**RESULT, "name": "g"}).ignored == ("messages[].name",)
    assert run({**HI, "name": "Ann"}).ignored == ("messages[].name",)


@pytest.mark.parametrize("annotations", [None, [], [{"type": "url_citation", "url_citation": {"url": "https://a"}}]])
def test_annotations_that_come_back_are_no_loss(annotations: Any) -> None:
    back = {"role": "assistant", "content": "a", "annotations": annotations, "audio": None, "refusal": None}
    assert run(HI, back, HI, strict=True).ignored == ()


def test_unknown_field_that_is_null_is_no_loss() -> None:
    assert run({**HI, "odd": None}, zz=None, strict=True).ignored == ()


def test_calls_that_are_copied_into_a_part_are_no_loss() -> None:
    part = {"type": "text", "text": "a", "tool_calls": [CALL]}
    assert run(HI, {**ASKED, "content": [part]}, RESULT, strict=True).ignored == ()
    assert run(HI, {**ASKED, "calls": [CALL]}, RESULT, strict=True).ignored == ()
    other = {**part, "tool_calls": [{**CALL, "id": "c2"}]}
    assert run(HI, {**ASKED, "content": [other]}, RESULT).ignored == ("messages[].content[].tool_calls",)


def test_unknown_number_or_word_is_reported_even_if_another_is_equal() -> None:
    assert run({**HI, "odd": "hi"}, n=1, odd=1).ignored == ("messages[].odd", "odd")


def test_two_equal_unknown_fields_are_both_reported() -> None:
    assert run({**HI, "a": [1], "b": [1]}).ignored == ("messages[].a", "messages[].b")


@pytest.mark.parametrize("space", [" ", "\n", "\t\r\n "])
def test_space_before_a_request_changes_nothing(space: str) -> None:
    body = space + '{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9.0,"zz":1}'
    translation = translate(body.encode())
    assert translation.ignored == ("zz",)
    assert sent(translation)["max_tokens"] == 9


@pytest.mark.parametrize("place", ["messages[0].role", "tools[0]"])
def test_refused_word_is_found_beside_unknown_fields(place: str) -> None:
    fields: Json = {"zz": 1, "messages": [HI]}
    if place.startswith("tools"):
        fields["tools"] = [{"type": "w" * 2_000, "function": {"name": "f"}}]
    else:
        fields["messages"] = [{"yy": 1, "role": "w", "content": "hi"}, {**HI, "xx": 1}]
    with pytest.raises(InvalidRequest) as raised:
        translate(json.dumps({"model": "m", **fields}).encode())
    assert (raised.value.param, raised.value.code) == (place, "unsupported_value")
