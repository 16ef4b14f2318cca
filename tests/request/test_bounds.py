"""Limits on a request: each is an option, and a request above it is a 400 that names the field."""

import base64
import json
from typing import Any

import msgspec
import pytest

from chatcompat import InvalidRequest, RequestBounds, translate
from chatcompat.dialect import NATIVE_2026
from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.reasoning import to_entry_id

HI = {"role": "user", "content": "hi"}
ANSWER = {"role": "function", "name": "f", "content": "r"}
LARGE = {"enum": ["x" * 40] * 2000}


def ask(messages: list[Any] | None = None, **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages or [HI], **fields}).encode()


def with_schema(schema: Any) -> bytes:
    return ask(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])


def with_format(schema: Any) -> bytes:
    return ask(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})


def with_calls(count: int) -> bytes:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    results = [{"role": "tool", "tool_call_id": "c", "content": "r"}] * count
    return ask([HI, {"role": "assistant", "tool_calls": [call] * count}, *results])


def with_native_call(value: Any) -> bytes:
    """A native call, behind all that may have free JSON and has none."""
    uses = [{"type": "tool_use", "id": "a", "name": "f"}, {"type": "tool_use", "id": "b", "name": "f", "input": value}]
    calls = [
        {"id": "c", "type": "custom", "custom": {"name": "c", "input": "[[[["}},
        {"id": "d", "type": "function", "function": {"name": "f"}},
    ]
    turn = {"role": "assistant", "content": [{"type": "text", "text": "t"}, *uses], "tool_calls": calls}
    results = [{"role": "tool", "tool_call_id": name, "content": "r"} for name in "abcd"]
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]
    wanted = {"type": "json_schema", "json_schema": {"name": "n"}}
    legacy = [{"role": "function", "name": "f", "content": "r"}]
    messages = [HI, {**turn, "function_call": {"name": "f"}}, *results, *legacy]
    return ask(messages, tools=tools, response_format=wanted)


def with_parts(count: int) -> list[dict[str, str]]:
    return [{"type": "text", "text": "a"}] * count


def with_files(*last: dict[str, Any]) -> bytes:
    """Six images, files and documents, of each kind and in each place that takes one, before the last."""
    data = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    image, link = {"type": "image", "source": data}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    result = {"role": "tool", "tool_call_id": "c", "content": [link, {"type": "text", "text": "a"}]}
    document = {"type": "document", "source": {"type": "content", "content": [image]}}
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    asked = [{"role": "user", "content": [image, link]}, {"role": "assistant", "tool_calls": calls}, result]
    return ask([*asked, {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}, document, *last]}])


def with_places(*messages: list[str]) -> bytes:
    """Assistant messages, each with an entry for each of its places."""
    start = to_entry_id(ReasoningDetail("reasoning.encrypted", data="d"), [])[:-1]
    turns = [
        [{"type": "reasoning.encrypted", "data": "d", "id": f"{start}{each}_"} for each in turn] for turn in messages
    ]
    return ask([HI, *({"role": "assistant", "content": "abc", "reasoning_details": turn} for turn in turns), HI])


def thought(count: int) -> dict[str, Any]:
    return {"role": "assistant", "content": "abc", "reasoning_details": [{"type": "content", "length": 1}] * count}


def text_file(text: bytes) -> bytes:
    file = {"filename": "a.txt", "file_data": base64.b64encode(text).decode()}
    return ask([{"role": "user", "content": [{"type": "file", "file": file}]}])


def referring(count: int) -> dict[str, Any]:
    return {"anyOf": [{"$ref": "#/$defs/a"}] * count, "$defs": {"a": {"properties": {"p": {}}}}}


SCHEMA = "tools[0].function.parameters"
FORMAT = "response_format.json_schema.schema"

# The bounds; a request at them; one above them; the place and the code of its refusal.
CASES: dict[str, tuple[RequestBounds, bytes, bytes, str | None, str]] = {
    "messages": (RequestBounds(messages=2), ask([HI] * 2), ask([HI] * 3), "messages", "array_above_max_length"),
    "calls": (
        RequestBounds(calls=2),
        with_calls(2),
        with_calls(3),
        "messages[1].tool_calls",
        "array_above_max_length",
    ),
    "parts of a user": (
        RequestBounds(parts=2),
        ask([{"role": "user", "content": with_parts(2)}]),
        ask([{"role": "user", "content": with_parts(3)}]),
        "messages[0].content",
        "array_above_max_length",
    ),
    "parts of a leading system message": (
        RequestBounds(parts=2),
        ask([{"role": "system", "content": with_parts(2)}, HI]),
        ask([{"role": "system", "content": with_parts(3)}, HI]),
        "messages[0].content",
        "array_above_max_length",
    ),
    "reasoning details": (
        RequestBounds(parts=2),
        ask([HI, thought(2), HI]),
        ask([HI, thought(3), HI]),
        "messages[1].reasoning_details",
        "array_above_max_length",
    ),
    "files of all messages": (
        RequestBounds(files=6),
        with_files(),
        with_files({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}),
        "messages[3].content[2]",
        "array_above_max_length",
    ),
    "thinking blocks": (
        RequestBounds(parts=2),
        ask([HI, {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "x"}] * 2}, HI]),
        ask([HI, {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "x"}] * 3}, HI]),
        "messages[1].thinking_blocks",
        "array_above_max_length",
    ),
    "places of entries": (
        RequestBounds(places=2),
        with_places(["t1c1", "t1c1t2c2"], [""]),
        with_places(["t1c1", "t1c1t2c2"], ["", "t1t2t3"]),
        "messages[2].reasoning_details",
        "array_above_max_length",
    ),
    "unknown fields": (
        RequestBounds(unknown_fields=2),
        ask(a=1, b=1),
        ask(a=1, b=1, c=1),
        None,
        "too_many_unknown_fields",
    ),
    "unknown fields of messages": (
        RequestBounds(unknown_fields=2),
        ask([HI | {"a": 1}, HI | {"b": 1}, HI | {"a": 1}]),
        ask([HI | {"a": 1}, HI | {"b": 1}, HI | {"c": 1}]),
        "messages[]",
        "too_many_unknown_fields",
    ),
    "bytes of all schemas": (
        RequestBounds(json_bytes=12),
        ask(functions=[{"name": "f", "parameters": {"a": 1}}]),
        ask(functions=[{"name": "f", "parameters": {"a": 1}}, {"name": "g", "parameters": {"a": 1}}]),
        "functions[1].parameters",
        "json_too_large",
    ),
    "bytes of arguments": (
        RequestBounds(json_bytes=5),
        with_calls(2),
        with_calls(3),
        "messages[1].tool_calls[2].function.arguments",
        "json_too_large",
    ),
    "objects of a schema": (
        RequestBounds(objects=3),
        with_schema({"a": [{}]}),
        with_schema({"a": [{}, {}]}),
        SCHEMA,
        "too_many_objects",
    ),
    "objects of a format": (
        RequestBounds(objects=3),
        with_format({"enum": [[]]}),
        with_format({"enum": [[], []]}),
        FORMAT,
        "too_many_objects",
    ),
    "objects of a format of other services": (
        RequestBounds(objects=3),
        ask(response_format={"type": "json_object", "schema": {"enum": [[]]}}),
        ask(response_format={"type": "json_object", "value": {"enum": [[], []]}}),
        "response_format.value",
        "too_many_objects",
    ),
    "objects of functions": (
        RequestBounds(objects=3),
        ask(functions=[{"name": "f"}, {"name": "g", "parameters": {"a": [{}]}}]),
        ask(functions=[{"name": "f", "parameters": {"a": {}}}, {"name": "g", "parameters": {"a": {}}}]),
        "functions[1].parameters",
        "too_many_objects",
    ),
    "objects of a native call": (
        RequestBounds(objects=3),
        with_native_call({"a": [{}]}),
        with_native_call({"a": [{}, {}]}),
        "messages[1].content[2].input",
        "too_many_objects",
    ),
    "objects of a native tool": (
        RequestBounds(objects=3),
        ask(tools=[{"name": "f", "input_schema": {"a": {}}}]),
        ask(tools=[{"name": "f", "input_schema": {"a": [{}]}}]),
        "tools[0]",
        "too_many_objects",
    ),
    "objects of a function call": (
        RequestBounds(objects=2),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":[]}'}}, ANSWER]),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":[[]]}'}}, ANSWER]),
        "messages[1].function_call.arguments",
        "too_many_objects",
    ),
    "objects of all arguments": (
        RequestBounds(objects=2),
        with_calls(2),
        with_calls(3),
        "messages[1].tool_calls[2].function.arguments",
        "too_many_objects",
    ),
    "bytes of arguments that are an object": (
        RequestBounds(json_bytes=9),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": {"a": [1]}}}, ANSWER]),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": {"a": [12]}}}, ANSWER]),
        "messages[1].function_call.arguments",
        "json_too_large",
    ),
    "depth of arguments that are an object": (
        RequestBounds(depth=2),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": {"a": [1]}}}, ANSWER]),
        ask([HI, {"role": "assistant", "function_call": {"name": "f", "arguments": {"a": [[1]]}}}, ANSWER]),
        "messages[1].function_call.arguments",
        "nested_too_deeply",
    ),
    "tools without a type": (
        RequestBounds(tools=1),
        ask(tools=[{"function": {"name": "f"}}]),
        ask(tools=[{"function": {"name": "f"}}, {"function": {"name": "f"}}]),
        "tools",
        "array_above_max_length",
    ),
    "branches": (
        RequestBounds(schema_branches=4),
        with_schema(referring(2)),
        with_schema(referring(3)),
        SCHEMA,
        "invalid_schema",
    ),
    "properties of branches": (
        RequestBounds(schema_properties=2),
        with_schema({"anyOf": [{"properties": {"a": {}, "b": {}}}], "properties": {"c": {}}}),
        with_schema({"anyOf": [{"properties": {"a": {}, "b": {}, "c": {}}}]}),
        SCHEMA,
        "invalid_schema",
    ),
    "properties of branches in branches": (
        RequestBounds(schema_properties=6),
        with_schema({"anyOf": [{"allOf": [{"properties": {"a": {}, "b": {}, "c": {}}}]}]}),
        with_schema({"anyOf": [{"allOf": [{"properties": {"a": {}, "b": {}, "c": {}, "d": {}}}]}]}),
        SCHEMA,
        "invalid_schema",
    ),
    "required names of branches": (
        RequestBounds(schema_properties=2),
        with_schema({"anyOf": [{"required": ["a", "b"]}]}),
        with_schema({"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]}),
        SCHEMA,
        "invalid_schema",
    ),
    "definitions that are copied": (
        RequestBounds(growth=200),
        with_schema({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"properties": {"p": {"enum": ["x" * 100]}}}}}),
        with_schema({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"properties": {"p": {"enum": ["x" * 400]}}}}}),
        SCHEMA,
        "grows_too_much",
    ),
    "references that move": (
        RequestBounds(growth=300),
        with_format({"prefixItems": [{"$ref": "#"}] * 5}),
        with_format({"prefixItems": [{"$ref": "#"}] * 50}),
        FORMAT,
        "grows_too_much",
    ),
    "text that JSON escapes": (
        RequestBounds(growth=100),
        text_file(b"\x01" * 10 + b"a" * 100),
        text_file(b"\x01" * 100),
        "messages[0].content[0]",
        "grows_too_much",
    ),
}


@pytest.mark.parametrize(("bounds", "at", "above", "place", "code"), CASES.values(), ids=CASES)
def test_a_bound_refuses_what_is_above_it(
    bounds: RequestBounds, at: bytes, above: bytes, place: str, code: str
) -> None:
    translate(at, bounds=bounds)
    with pytest.raises(InvalidRequest) as refused:
        translate(above, bounds=bounds)
    assert (refused.value.param, refused.value.code, refused.value.status) == (place, code, 400)


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "levels"),
    [
        (lambda schema: with_schema({"type": "object", "x": schema}), 1),
        (lambda schema: with_schema({"anyOf": [{"properties": {"a": schema}}]}), 4),
        (lambda schema: with_schema({"allOf": [{"properties": {"a": {}}}, {"properties": {"a": schema}}]}), 4),
        (lambda schema: with_format({"type": "array", "x": schema}), 3),
        (lambda schema: ask(tools=[{"name": "n", "input_schema": schema}]), 1),
    ],
    ids=["a schema", "a merged schema", "a choice of forms", "a wrapped schema", "a native tool"],
)
def test_depth_is_bounded_in_what_is_sent(body: Any, levels: int) -> None:
    bound = 20
    translate(body(deep(bound - levels)), bounds=RequestBounds(depth=bound))
    with pytest.raises(InvalidRequest) as refused:
        translate(body(deep(bound - levels + 1)), bounds=RequestBounds(depth=bound))
    assert refused.value.code == "nested_too_deeply"


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": {}},
        {"anyOf": [5]},
        {"anyOf": [{}], "properties": []},
        {"anyOf": [{"required": [5]}]},
        {"anyOf": [{"required": "a"}]},
        {"anyOf": [{"properties": 5}]},
    ],
)
def test_a_branch_of_the_wrong_type_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        translate(with_schema(schema))
    assert (refused.value.param, refused.value.code) == (SCHEMA, "invalid_schema")


@pytest.mark.parametrize(
    "key", ["format", "type", "minItems", "enum", "const", "required", "properties", "anyOf", "items"]
)
@pytest.mark.parametrize("value", [[], {}, [[]], 5, None, True, "x"])
def test_no_value_of_a_keyword_is_an_error_of_ours(key: str, value: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", key: value}}, "additionalProperties": False}
    translation = translate(with_format(schema), dialect=NATIVE_2026)
    assert msgspec.json.encode(schema) in translation.body or b'"respond_with_json"' in translation.body


@pytest.mark.parametrize(
    ("innermost", "levels"), [({}, 1), ([], 1), ({"a": 0}, 1), ([0], 1), ([{}, {}], 2), (["[{}]"], 1), ("[{}]", 0)]
)
@pytest.mark.parametrize("beside", [{}, {"b": [[], {}] * 30}])
def test_depth_counts_empty_objects_and_lists(innermost: Any, levels: int, beside: dict[str, Any]) -> None:
    schema = innermost
    for _ in range(9 - levels):
        schema = {"a": schema}
    bounds = RequestBounds(depth=10)
    translate(with_schema({"type": "object", "x": schema, **beside}), bounds=bounds)
    with pytest.raises(InvalidRequest) as refused:
        translate(with_schema({"type": "object", "x": {"a": schema}, **beside}), bounds=bounds)
    assert refused.value.code == "nested_too_deeply"


@pytest.mark.parametrize(("brace", "bracket"), [("{", "["), ("\\u007b", "\\u005b"), ("\\u007B", "[")])
def test_brackets_that_are_escaped_count_too(brace: str, bracket: str) -> None:
    """In a body whose bytes are looked at first: it is long for the limit, and its messages are short."""
    arguments = json.dumps('{"a":[[[[[[[[[[]]]]]]]]]]}').replace("{", brace).replace("[", bracket)
    call = f'{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}'
    turn = f'{{"role":"assistant","tool_calls":[{call}]}},{{"role":"tool","tool_call_id":"c","content":"r"}}'
    chat = f'{{"model":"m","messages":[{json.dumps(HI)},{",".join([turn] * 40)}]}}'.encode()
    assert translate(chat, bounds=RequestBounds(objects=440)).ignored == ()
    with pytest.raises(InvalidRequest) as refused:
        translate(chat, bounds=RequestBounds(objects=439))
    assert refused.value.code == "too_many_objects"
