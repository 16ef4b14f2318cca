"""Example values that fit a JSON schema."""

from typing import Any

import pytest

from chatcompat.simulator.errors import Failure
from chatcompat.simulator.schema import example

LINK = {"type": "object", "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}}
DEFS = {"$defs": {"a/b": {"type": "integer"}, "pair": {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}}}

VALUES: list[tuple[dict[str, Any], Any]] = [
    # types
    ({"type": "string"}, "example"),
    ({"type": "integer"}, 1),
    ({"type": "number"}, 1),
    ({"type": "boolean"}, True),
    ({"type": "null"}, None),
    ({"type": ["null", "integer"]}, 1),
    ({"type": ["null"]}, None),
    ({}, "example"),
    # fixed values
    ({"const": None}, None),
    ({"enum": ["b", "a"], "type": "string"}, "b"),
    ({"enum": []}, {}),
    ({"default": 3}, 3),
    # a type by its keywords
    ({"properties": {"a": {"const": 1}}}, {"a": 1}),
    ({"items": {"const": 1}}, [1]),
    ({"minimum": 5}, 5),
    # texts
    ({"type": "string", "minLength": 9}, "examplexx"),
    ({"type": "string", "maxLength": 3}, "exa"),
    ({"type": "string", "format": "date-time"}, "2026-01-31T12:00:00Z"),
    ({"type": "string", "format": "email"}, "someone@example.com"),
    ({"type": "string", "format": "no such"}, "example"),
    # numbers
    ({"type": "integer", "minimum": 5, "maximum": 9}, 5),
    ({"type": "integer", "maximum": -5}, -5),
    ({"type": "integer", "maximum": 0.5}, 0),
    ({"type": "integer", "exclusiveMinimum": 5}, 6),
    ({"type": "integer", "exclusiveMaximum": 1}, 0),
    ({"type": "integer", "minimum": 1.5}, 2),
    ({"type": "integer", "minimum": 7, "exclusiveMinimum": 5}, 7),
    ({"type": "integer", "maximum": -7, "exclusiveMaximum": -5}, -7),
    ({"type": "integer", "multipleOf": 5}, 5),
    ({"type": "integer", "multipleOf": 1.5}, 3),
    ({"type": "integer", "multipleOf": 5, "maximum": 4}, 0),
    ({"type": "integer", "multipleOf": 5, "exclusiveMinimum": 5}, 10),
    ({"type": "number", "multipleOf": 0.1, "minimum": 1.25}, 1.3),
    ({"type": "number", "minimum": 0.5, "maximum": 0.75}, 0.75),
    ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, 0.5),
    ({"type": "number", "exclusiveMinimum": 2, "exclusiveMaximum": 3}, 2.5),
    ({"type": "number", "exclusiveMaximum": 0}, -1),
    # arrays
    ({"type": "array"}, ["example"]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
    ({"type": "array", "maxItems": 0}, []),
    ({"type": "array", "items": False}, []),
    ({"type": "array", "items": False, "minItems": 1}, {}),
    ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}, "minItems": 3}, [1, 2, 3]),
    # objects
    ({"type": "object"}, {"example": "example"}),
    ({"type": "object", "properties": {}}, {}),
    ({"type": "object", "properties": None, "required": None}, {}),
    ({"type": "object", "additionalProperties": False}, {}),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"example": 1}),
    ({"type": "object", "required": ["a"]}, {"a": "example"}),
    ({"type": "object", "required": ["a"], "additionalProperties": {"type": "integer"}}, {"a": 1}),
    ({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": True}}}}, {"a": {"b": "example"}}),
    ({"type": "object", "properties": {"a": False, "b": {"const": 1}}}, {"b": 1}),
    # choices
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
    ({"oneOf": [False, {"type": "string"}]}, "example"),
    ({"anyOf": [False]}, {}),
    ({"type": "integer", "anyOf": [{"minimum": 3}]}, 3),
    ({"allOf": [{"type": "integer"}, {"minimum": 3}, True]}, 3),
    ({"allOf": [{"type": "integer"}, False]}, {}),
    ({"allOf": [{"allOf": [{"minimum": 2}]}, {"type": "integer"}]}, 2),
    (
        {
            "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
            "anyOf": [{"properties": {"a": {"const": "x"}}}],
        },
        {"a": "x", "b": 1},
    ),
    (
        {"type": "object", "required": ["a"], "allOf": [{"required": ["b"]}, {"properties": {"c": {"const": 1}}}]},
        {"c": 1, "a": "example", "b": "example"},
    ),
    # references
    ({"type": "object", "properties": {"a": {"$ref": "#/$defs/a~1b"}}, **DEFS}, {"a": 1}),
    ({"$ref": "#/definitions/a", "definitions": {"a": {"type": "boolean"}}}, True),
    ({"$ref": "#/$defs/a~1b", "minimum": 5, **DEFS}, 5),
    ({"$ref": "#/$defs/pair/prefixItems/1", **DEFS}, 2),
    ({"$ref": "#/$defs/pair/prefixItems/2", **DEFS}, "example"),
    ({"$ref": "#/$defs/pair/prefixItems/x", **DEFS}, "example"),
    ({"$ref": "#/$defs/missing", **DEFS}, "example"),
    ({"$ref": "#/properties/a", "properties": {"a": {"const": 5}}}, 5),
    ({"$ref": "https://example.com/schema", "type": "integer"}, 1),
    # recursion
    (LINK, {"next": {"name": "example"}, "name": "example"}),
    ({**LINK, "required": ["next"]}, {}),
    (
        {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
        {"next": {"next": None}},
    ),
    ({"properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}, {"children": [{"children": []}]}),
]


@pytest.mark.parametrize(("schema", "value"), VALUES)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    found = example(schema)
    assert found == value
    assert type(found) is type(value)


def test_optional_properties_end_at_a_depth() -> None:
    inner: dict[str, Any] = {"type": "array"}
    for _ in range(9):
        inner = {"type": "object", "properties": {"a": inner}}
    assert example(inner) == {"a": {"a": {"a": {"a": {}}}}}


def test_required_properties_are_there_at_any_depth() -> None:
    inner: dict[str, Any] = {"type": "array"}
    for _ in range(6):
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    assert example(inner) == {"a": {"a": {"a": {"a": {"a": {"a": []}}}}}}


@pytest.mark.parametrize(
    "schema", [{"type": "string", "minLength": 10_001}, {"type": "array", "minItems": 10_001}], ids=["text", "array"]
)
def test_what_would_be_huge_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Failure, match=r"Schema is too complex\."):
        example(schema)
