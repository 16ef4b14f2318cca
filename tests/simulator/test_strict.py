"""Schemas that the service compiles: those of strict tools and of output formats."""

from random import Random
from typing import Any

import pytest

from chatcompat.request.strict_schema import to_strict_schema
from tests.simulator.driver import ask, body, post, refused
from tests.strategies.json_schemas import schema_of

TEXT = {"type": "string"}
UNION = {"type": ["string", "null"]}
LEAF = {"$ref": "#/$defs/a"}
CLOSED = "For 'object' type, 'additionalProperties' must be explicitly set to false"


def closed(node: Any, **more: Any) -> Any:
    fields = {"type": "object", "properties": {"p": node}, "required": ["p"], "additionalProperties": False}
    return {**fields, **more}


def tool(schema: Any, name: str = "a") -> Any:
    return {"name": name, "input_schema": schema, "strict": True}


@pytest.mark.parametrize(
    "node",
    [
        TEXT,
        UNION,
        {"type": "string", "format": "date", "pattern": "^a+$", "title": "t", "default": "a", "description": "d"},
        {"type": "array", "items": TEXT, "minItems": 1},
        {"enum": ["a", 1, None]},
        {"const": "a"},
        {"anyOf": [TEXT, {"type": "null"}, LEAF]},
        {"allOf": [TEXT]},
        LEAF,
        {"type": "object", "additionalProperties": False, "properties": None, "required": None},
    ],
)
def test_a_schema_within_the_subset_is_compiled(node: Any) -> None:
    for key in ("$defs", "definitions"):
        schema = closed(node, **{key: {"a": TEXT}})
        if key in str(node) or "$ref" not in str(node):
            ask("Hi", tools=[tool(schema)])
            ask("Hi", output_config={"format": {"type": "json_schema", "schema": schema}})


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ({"type": "integer", "minimum": 1}, "For 'integer' type, property 'minimum' is not supported"),
        (
            {"type": "integer", "minimum": 1, "maximum": 2},
            "For 'integer' type, properties maximum, minimum are not supported",
        ),
        ({"type": "string", "minLength": 1}, "For 'string' type, property 'minLength' is not supported"),
        ({"type": "string", "format": "color"}, "For 'string' type, property 'format' is not supported"),
        ({"type": "string", "pattern": "(?=a)"}, "For 'string' type, property 'pattern' is not supported"),
        ({"type": "string", "pattern": 5}, "For 'string' type, property 'pattern' is not supported"),
        ({"type": "array", "items": TEXT, "maxItems": 2}, "For 'array' type, property 'maxItems' is not supported"),
        ({"type": "array", "items": TEXT, "minItems": 2}, "For 'array' type, property 'minItems' is not supported"),
        ({"enum": [{}]}, "property 'enum' is not supported"),
        ({"const": []}, "property 'const' is not supported"),
        ({"type": "string", "oneOf": [TEXT]}, "For 'string' type, property 'oneOf' is not supported"),
        ({"anyOf": []}, "property 'anyOf' is not supported"),
        ({"type": "string", "$defs": {}}, "For 'string' type, property '$defs' is not supported"),
        ({"type": "object", "properties": {}}, CLOSED),
        ({"type": "object", "additionalProperties": {}}, CLOSED),
        ({}, "Schema must have a supported 'type', or 'anyOf', 'allOf', 'enum', 'const', '$ref'"),
        (True, "Schemas must be objects"),
        ({"type": "array", "items": True}, "Schemas must be objects"),
        ({"allOf": [LEAF]}, "'allOf' with '$ref' is not supported"),
        ({**LEAF, "description": "d"}, "'$ref' cannot stand beside other properties"),
        ({"$ref": "#"}, "Only references to definitions of the same schema are supported"),
        ({"$ref": "#/$defs/z"}, "Unresolved reference to 'z'"),
        ({"$ref": "#/$defs/b"}, "Recursive schemas are not supported"),
        ({"anyOf": [{"type": "integer", "maximum": 1}]}, "For 'integer' type, property 'maximum' is not supported"),
    ],
)
def test_a_schema_outside_the_subset_is_refused(node: Any, why: str) -> None:
    schema = closed(node, **{"$defs": {"a": TEXT, "b": {"anyOf": [{"$ref": "#/$defs/c"}]}, "c": {"$ref": "#/$defs/b"}}})
    if "Recursive" not in why:
        schema["$defs"] = {"a": TEXT}
    refused(post(body("Hi", tools=[tool(schema)])), 400, "invalid_request_error", f"tools.0.custom: {why}")
    wanted = body("Hi", output_config={"format": {"type": "json_schema", "schema": schema}})
    refused(post(wanted), 400, "invalid_request_error", f"output_config.format.schema: {why}")
    ask("Hi", tools=[{**tool(schema), "strict": False}])


@pytest.mark.parametrize(
    ("node", "number", "more", "why"),
    [
        (TEXT, 20, {}, "Too many strict tools (21)"),
        (TEXT, 12, {"required": []}, None),
        (closed(TEXT, required=[]), 12, {"required": []}, "too many optional parameters (26)"),
        (UNION, 16, {}, "too many parameters with union types (17 parameters"),
    ],
)
def test_the_schemas_of_a_request_share_their_limits(node: Any, number: int, more: Any, why: str | None) -> None:
    tools = [tool(closed(node, **more), f"t{index}") for index in range(number)]
    ask("Hi", tools=tools)
    if why is not None:
        refused(post(body("Hi", tools=[*tools, tool(closed(node, **more))])), 400, "invalid_request_error", why)


@pytest.mark.parametrize("describe", [True, False])
def test_the_translation_sends_only_what_the_service_compiles(describe: bool) -> None:
    sent = 0
    for seed in range(300):
        strict = to_strict_schema(schema_of(Random(seed)), 65_536, describe=describe)
        if strict is None or strict.optional > 24 or strict.unions > 16 or "anyOf" in strict.schema:
            continue
        if "allOf" not in strict.schema:  # at the top, no tool may have it
            ask("Hi", tools=[tool(strict.schema)])
            sent += 1
    assert sent > 20
