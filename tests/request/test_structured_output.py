"""`response_format` in requests: the native format, a forced tool, or an instruction."""

import json
from typing import Any

import msgspec
import pytest

from chatcompat import Dialect, InvalidRequest, Translation, translate
from tests.vendor import check_messages_request

HI = [{"role": "user", "content": "hi"}]
NATIVE = Dialect(json_schema=True)
UNFORCED = Dialect(forced_tools=False)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
STRICT = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "when": {"type": "string", "format": "date-time"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1},
        "either": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/item"}]},
    },
    "required": ["kind", "when", "items", "either"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {}, "additionalProperties": False}},
}


def ask(schema: Any = None, *, dialect: Dialect = NATIVE, **fields: Any) -> Translation:
    wanted: Any = {"type": "json_object"}
    if schema is not None:
        wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    body = {"model": "m", "max_tokens": 9, "messages": HI, "response_format": wanted, **fields}
    translation = translate(json.dumps(body).encode(), dialect=dialect, created=1)
    assert check_messages_request(json.loads(translation.body)) == []
    return translation


def test_a_schema_goes_natively_where_the_dialect_has_it() -> None:
    translation = ask(STRICT)
    body = json.loads(translation.body)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": STRICT}}
    assert "tools" not in body
    assert translation.context.json_tool is None
    assert msgspec.json.encode(STRICT) in translation.body


def test_without_it_the_schema_is_the_input_of_a_tool() -> None:
    body = json.loads(ask(STRICT, dialect=Dialect()).body)
    assert "output_config" not in body
    assert body["tools"][0]["input_schema"] == STRICT
    assert body["tools"][0]["strict"] is True
    assert body["tool_choice"]["type"] == "tool"


@pytest.mark.parametrize("dialect", [NATIVE, Dialect()])
def test_json_without_a_schema_is_an_object(dialect: Dialect) -> None:
    body = json.loads(ask(dialect=dialect).body)
    assert body["tools"][0]["input_schema"] == {"type": "object"}


MAP = {"type": "object", "additionalProperties": {"type": "integer"}}
TREE = {
    "type": "object",
    "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "additionalProperties": False,
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "additionalProperties": False,
        }
    },
}


@pytest.mark.parametrize("schema", [MAP, TREE])
def test_a_schema_beyond_the_native_format_is_sent_unchanged_as_a_tool(schema: Any) -> None:
    translation = ask(schema)
    body = json.loads(translation.body)
    assert "output_config" not in body
    assert body["tools"][0]["input_schema"] == schema
    assert translation.context.json_wrapped is False


@pytest.mark.parametrize(
    ("schema", "moved"),
    [
        ({"type": "array", "items": {"type": "integer"}}, {"type": "array", "items": {"type": "integer"}}),
        ({"anyOf": [PERSON, {"type": "null"}]}, {"anyOf": [PERSON, {"type": "null"}]}),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "const": {"$ref": "#x"}}}},
            {
                "$ref": "#/properties/value/$defs/a",
                "$defs": {"a": {"type": "string", "const": {"$ref": "#x"}}},
            },
        ),
        ({"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#/properties/value"}}),
        (
            {"type": "array", "items": {"properties": {"$ref": {"type": "string"}}, "x": [1, {"$ref": 5}]}},
            {"type": "array", "items": {"properties": {"$ref": {"type": "string"}}, "x": [1, {"$ref": 5}]}},
        ),
    ],
)
def test_a_schema_of_another_kind_is_wrapped_in_one_property(schema: Any, moved: Any) -> None:
    translation = ask(schema)
    assert json.loads(translation.body)["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"value": moved},
        "required": ["value"],
        "additionalProperties": False,
    }
    assert translation.context.json_wrapped is True


def test_where_no_tool_can_be_forced_the_weaker_promise_is_reported() -> None:
    translation = ask(dialect=UNFORCED, messages=[{"role": "system", "content": "s"}, *HI])
    body = json.loads(translation.body)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert [tool["name"] for tool in body["tools"]] == ["respond_with_json"]
    assert body["system"][0] == {"type": "text", "text": "s"}
    assert "respond_with_json" in body["system"][1]["text"]
    assert translation.ignored == ("response_format",)


def test_natively_there_is_nothing_to_report() -> None:
    translation = ask(
        PERSON | {"properties": {}, "required": []}, dialect=Dialect(json_schema=True, forced_tools=False)
    )
    assert translation.ignored == ()


FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("fields", "choice", "names"),
    [
        ({}, {"type": "any"}, ["f", "respond_with_json"]),
        (
            {"parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
            ["f", "respond_with_json"],
        ),
        (
            {"tool_choice": "none"},
            {"type": "tool", "name": "respond_with_json", "disable_parallel_tool_use": True},
            ["f", "respond_with_json"],
        ),
        ({"tool_choice": "required"}, {"type": "any"}, ["f"]),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"type": "tool", "name": "f"},
            ["f", "respond_with_json"],
        ),
    ],
)
def test_json_beside_tools_is_json_or_a_call(fields: Any, choice: Any, names: list[str]) -> None:
    body = json.loads(ask(dialect=Dialect(), tools=[FUNCTION], **fields).body)
    assert body["tool_choice"] == choice
    assert [tool["name"] for tool in body["tools"]] == names


def test_json_beside_tools_that_cannot_be_forced() -> None:
    body = json.loads(ask(dialect=UNFORCED, tools=[FUNCTION]).body)
    assert body["tool_choice"] == {"type": "auto"}


def test_the_json_tool_takes_no_name_of_the_clients() -> None:
    taken = {"type": "function", "function": {"name": "respond_with_json"}}
    translation = ask(dialect=Dialect(), tools=[taken])
    assert translation.context.json_tool == "respond_with_json_"


def test_the_clients_description_is_told() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "description": "A person."}}
    body = json.loads(ask(dialect=Dialect(), response_format=wanted).body)
    assert body["tools"][0]["description"].endswith("A person.")


def deep() -> Any:
    schema: Any = {}
    for _ in range(200):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": []}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": deep()}}, "response_format.json_schema.schema"),
        ({"type": "xml"}, "response_format"),
    ],
)
def test_a_format_that_cannot_be_met_is_refused(wanted: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(response_format=wanted)
    assert raised.value.param == param
