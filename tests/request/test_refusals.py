"""Refusals: a 400 names the field, says what is wrong, and repeats nothing of the conversation."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, translate
from tests.asgi.faults.server import json_suite, strict
from tests.vendor import chat_error

HI: list[Any] = [{"role": "user", "content": "SECRET"}]
ASKED: Any = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}
TOOL: Any = {"type": "function", "function": {"name": "f"}}


def refuse(body: bytes | dict[str, Any], **options: Any) -> InvalidRequest:
    raw = body if isinstance(body, bytes) else json.dumps({"model": "m", "messages": HI, **body}).encode()
    with pytest.raises(InvalidRequest) as raised:
        translate(raw, **options)
    error = raised.value
    assert chat_error(json.loads(error.body)) == []
    assert len(error.body) < 1024
    assert b"SECRET" not in error.body
    assert "SECRET" not in str(error) + repr(error)
    return error


def part(kind: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "SECRET"}, {"type": kind, **fields}]}]}


def image(url: Any) -> dict[str, Any]:
    return part("image_url", image_url={"url": url})


def call(arguments: Any) -> dict[str, Any]:
    calls = [{"id": "c1", "function": {"name": "f", "arguments": arguments}}]
    return {"messages": [*HI, {"role": "assistant", "tool_calls": calls}]}


def deep(levels: int, leaf: str = "1") -> str:
    return '{"a":' * levels + leaf + "}" * levels


def schema(parameters: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}


LOOP: Any = {"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"SECRET", "invalid_json"),
        (b'{"model":"m","messages":[{"role":"user","content":"SECRET"}]', "invalid_json"),
        (b'{"model":"m","messages":[{"role":"user","content":"SECRET"}]}{}', "invalid_json"),
        (b"{'model': 'm'}", "invalid_json"),
        (b'{"model":"m",}', "invalid_json"),
        (b'{"model":"m","messages":[{"role":"user","content":"\x01"}]}', "invalid_json"),
        (b'{"model":"m","temperature":NaN}', "invalid_json"),
        (b'{"model":"m","zz":Infinity}', "invalid_json"),
        (b'\xef\xbb\xbf{"model":"m"}', "invalid_json"),
        ('{"model":"m"}'.encode("utf-16"), "invalid_utf8"),
        (b'{"model":"m","messages":[{"role":"user","content":"SECRET\xff"}]}', "invalid_utf8"),
        (b'{"model":"m","messages":[{"role":"user","content":"SECRET"}],"zz":"\xff"}', "invalid_utf8"),
        (b'{"model":"m","messages":[{"role":"user","content":"\xed\xa0\x80"}]}', "invalid_utf8"),
        (b"[" * 100_000, "invalid_type"),
        (b'{"zz":' * 100_000, "nested_too_deeply"),
        (b'{"model":"m","messages":' + b"[" * 100_000, None),
        (b"[]", "invalid_type"),
        (b'"x"', "invalid_type"),
        (b"null", "invalid_type"),
    ],
)
def test_a_body_that_is_no_request(body: bytes, code: str | None) -> None:
    error = refuse(body)
    assert error.status == 400
    assert code is None or (error.code, error.param) == (code, None)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"max_tokens": "SECRET"}, "invalid_type"),
        ({"max_tokens": 0}, "invalid_value"),
        ({"temperature": 3}, "invalid_value"),
        ({"reasoning_effort": "huge"}, "unsupported_value"),
    ],
)
def test_the_code_tells_a_type_from_a_range(field: dict[str, object], code: str) -> None:
    error = refuse({"model": "m", "messages": HI, **field})
    assert (error.code, error.param) == (code, next(iter(field)))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"messages":[{"role":"user","content":"SECRET"}]}', "model"),
        (b'{"model":"m"}', "messages"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"messages": "SECRET"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"content": "SECRET"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "SECRET"}]}, "messages[0].role"),
        ({"messages": [{"role": "User", "content": "SECRET"}]}, "messages[0].role"),
        ({"messages": [{"role": "x" * 300_000, "content": "SECRET"}]}, "messages[0].role"),
        ({"messages": [*HI, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "messages[0].content"),
        ({"messages": [{"role": "system", "content": ""}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": ""}]}, "messages"),
        (part("text"), "messages[0].content[1].text"),
        (part("text", text=None), "messages[0].content[1].text"),
        (part("video", video={"url": "SECRET"}), "messages[0].content[1]"),
        (part("input_audio", input_audio={"data": "SECRET", "format": "wav"}), "messages[0].content[1]"),
        (part("image_url"), "messages[0].content[1].image_url"),
        (image(5), "messages[0].content[1].image_url.url"),
        (image("file:///etc/SECRET"), "messages[0].content[1]"),
        (image("ftp://x/SECRET"), "messages[0].content[1]"),
        (image("SECRET"), "messages[0].content[1]"),
        (image("https://"), "messages[0].content[1]"),
        (image("data:image/png,SECRET"), "messages[0].content[1]"),
        (image("data:image/png;base64,"), "messages[0].content[1]"),
        (image("data:base64,AAAA"), "messages[0].content[1]"),
        (image('data:image/png;name="a";base64,AAAA'), "messages[0].content[1]"),
        (image("data:image/png;" + "a" * 2000 + ";base64,AAAA"), "messages[0].content[1]"),
        (image("data:image/svg+xml;base64,AAAA"), "messages[0].content[1]"),
        ({"messages": [*HI, {"role": "tool", "tool_call_id": "c9", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [*HI, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [*HI, ASKED]}, "messages[1].tool_calls[0]"),
        ({"messages": [*HI, ASKED, *HI]}, "messages[1].tool_calls[0]"),
        (
            {"messages": [*HI, ASKED, *[{"role": "tool", "tool_call_id": "c1", "content": "SECRET"}] * 2]},
            "messages[3].tool_call_id",
        ),
        (call("SECRET"), "messages[1].tool_calls[0].function.arguments"),
        (call("[]"), "messages[1].tool_calls[0].function.arguments"),
        (call("5"), "messages[1].tool_calls[0].function.arguments"),
        (call("null"), "messages[1].tool_calls[0].function.arguments"),
        (call('{"a":1}x'), "messages[1].tool_calls[0].function.arguments"),
        (call("[1"), "messages[1].tool_calls[0].function.arguments"),
        (call('{"a":01}'), "messages[1].tool_calls[0].function.arguments"),
        (call(deep(129)), "messages[1].tool_calls[0].function.arguments"),
        (call(deep(20_000)), "messages[1].tool_calls[0].function.arguments"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"stop": {"a": 1}}, "stop"),
        ({"stop": [5]}, "stop[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [TOOL], "tool_choice": 5}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        (schema(5), "tools[0].function.parameters"),
        (schema("SECRET"), "tools[0].function.parameters"),
        (schema({"type": "array"}), "tools[0].function.parameters"),
        (schema({"anyOf": {}}), "tools[0].function.parameters"),
        (schema({"anyOf": [5]}), "tools[0].function.parameters"),
        (schema({"anyOf": [{"$ref": "#/$defs/none"}]}), "tools[0].function.parameters"),
        (schema({"anyOf": [{"$ref": 5}]}), "tools[0].function.parameters"),
        (
            schema({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}}),
            "tools[0].function.parameters",
        ),
        (schema({"anyOf": [{"required": 5}]}), "tools[0].function.parameters"),
        (schema(json.loads(deep(129))), "tools[0].function.parameters"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"moderation": {"model": "x"}}, "moderation"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"user": 5}, "user"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ],
)
def test_the_place_is_named(body: bytes | dict[str, Any], param: str) -> None:
    error = refuse(body)
    assert (error.status, error.param) == (400, param)
    assert str(error) == error.message
    assert error.message.startswith(f"{param}: ")


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (part("video", video={}), "'video'"),
        (part("input_audio", input_audio={}), "'input_audio'"),
        (image("data:image/svg+xml;base64,AAAA"), "'image/svg+xml'"),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            "messages[0].role: The value is not supported here. Send one of: system, ",
        ),
        ({"messages": [*HI, ASKED]}, "'c1'"),
        ({"messages": [*HI, {"role": "tool", "tool_call_id": "c9", "content": "x"}]}, "'c9'"),
        ({"messages": [*HI, {"role": "tool", "tool_call_id": "x" * 999, "content": "x"}]}, "with this id"),
        ({"max_tokens": "5"}, "Send an integer or null, not a string."),
        ({"temperature": 3}, "of at most 2"),
    ],
)
def test_the_sentence_says_what_is_wrong(body: dict[str, Any], fragment: str) -> None:
    assert fragment in refuse(body).message


def test_a_prefill_is_refused_where_the_inner_app_takes_none() -> None:
    messages = [*HI, {"role": "assistant", "content": "SECRET"}]
    assert refuse({"messages": messages}, dialect=Dialect(prefill=False)).param == "messages[1]"


def test_the_depth_of_free_json_is_bounded_at_the_bound() -> None:
    for arguments in (deep(128), deep(2, '"' + "[{" * 500 + '\\""')):
        answer = {"role": "tool", "tool_call_id": "c1", "content": "x"}
        messages = [*call(arguments)["messages"], answer]
        assert arguments.encode() in translate(json.dumps({"model": "m", "messages": messages}).encode()).body


def test_numbers_of_any_size_are_no_crash() -> None:
    for number in ("1e400", "9" * 400, "9" * 5000):
        body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"%b":%b}'
        assert translate(body % (b"zz", number.encode())).ignored == ("zz",)
        assert refuse(body % (b"max_tokens", number.encode() + b".0")).param in ("max_tokens", None)


@pytest.mark.skipif(not json_suite(), reason="JSON_TEST_SUITE names no copy of JSONTestSuite")
def test_the_json_suite() -> None:
    """No file is a request. Within one, invalid JSON is refused, and valid JSON is refused or sent as strict JSON."""
    for path in json_suite():
        check_json(path)


def check_json(path: Path) -> None:
    raw = path.read_bytes()
    refuse(raw)
    tool = b'{"type":"function","function":{"name":"f","parameters":{"type":"object","default":%b}}}' % raw
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[%b]}' % tool
    try:
        translated = translate(body).body
    except InvalidRequest:
        assert path.name[0] in "ni"
        return
    assert path.name[0] in "yi"
    strict(translated)
