"""Schemas that are compiled: what is rewritten, what has no native form, and the limits that they share."""

import copy
from typing import Any

import msgspec
import pytest

from chatcompat.dialect import Dialect
from chatcompat.request.bounds import DEFAULT_BOUNDS
from chatcompat.request.strict_schema import CLOSED_SCHEMA, StrictSchema, StrictSchemas, to_strict_schema
from chatcompat.request.tool_schema import EMPTY_SCHEMA

GROWTH = 65_536
TEXT = {"type": "string"}
TO_A = {"$ref": "#/$defs/a"}
OPEN = {"type": "object", "properties": {"p": TEXT}}


def closed(node: Any, **more: Any) -> dict[str, Any]:
    fields = {"type": "object", "properties": {"p": node}, "required": ["p"], "additionalProperties": False}
    return {**fields, **more}


def rewritten(schema: dict[str, Any], *, describe: bool = False, growth: int = GROWTH) -> StrictSchema | None:
    before = copy.deepcopy(schema)
    strict = to_strict_schema(schema, growth, describe=describe)
    assert schema == before
    return strict


def of_property(node: Any, *, describe: bool = False) -> Any:
    strict = rewritten(closed(node), describe=describe)
    return None if strict is None else strict.schema["properties"]["p"]


def schemas(**options: Any) -> StrictSchemas:
    return StrictSchemas(Dialect(**options), DEFAULT_BOUNDS)


@pytest.mark.parametrize(
    "schema",
    [
        closed(TEXT),
        closed(TO_A, **{"$defs": {"a": TEXT}}),
        {"$defs": {"a": TEXT, "b": TO_A}, **closed({"$ref": "#/$defs/b"})},
        closed({"type": "array", "items": {"type": "array", "items": TEXT, "minItems": 1}}),
        closed({"type": "string", "format": "uuid", "pattern": r"^(a|b)+\d{1,2}$"}),
        closed({"enum": ["a", 1, None]}),
        closed({"const": "a"}),
        closed({"allOf": [closed(TEXT), closed(TEXT)]}),
        closed(TO_A, **{"$defs": {"a": {"allOf": [TEXT]}, "b~/": TEXT}}),
        closed({"$ref": "#/$defs/b~0~1"}, **{"$defs": {"b~/": TEXT}}),
    ],
)
def test_a_schema_that_fits_keeps_its_bytes(schema: dict[str, Any]) -> None:
    strict = rewritten(schema, growth=0)
    assert strict is not None
    assert msgspec.json.encode(strict.schema) == msgspec.json.encode(schema)
    assert not strict.described


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"type": "string", "$comment": "c", "discriminator": {}}, TEXT),
        ({"type": "string", "examples": ["e"]}, {"type": "string", "description": '{examples: ["e"]}'}),
        (
            {"type": "string", "description": "d", "x": 1, "y": 2},
            {"type": "string", "description": "d\n\n{x: 1, y: 2}"},
        ),
    ],
)
def test_what_means_the_same_is_rewritten(node: dict[str, Any], expected: dict[str, Any]) -> None:
    assert of_property(node) == expected


def test_references_get_their_native_form() -> None:
    node = {"$ref": "#/definitions/a", "description": "d"}
    whole = rewritten({"$schema": "s", "$id": "i", "definitions": {"a": TEXT}, **closed(node)})
    assert whole is not None
    expected = {"$defs": {"a": TEXT}, **closed({"anyOf": [TO_A], "description": "d"})}
    assert msgspec.json.encode(whole.schema) == msgspec.json.encode(expected)
    alone = rewritten(closed({"allOf": [TO_A]}, **{"$defs": {"a": TEXT}}))
    assert alone is not None
    assert alone.schema["properties"] == {"p": {"anyOf": [TO_A]}}


@pytest.mark.parametrize(
    ("limit", "moved"),
    [
        ({"minLength": 2}, "{minLength: 2}"),
        ({"format": "color"}, '{format: "color"}'),
        ({"pattern": "(?=a)"}, '{pattern: "(?=a)"}'),
        ({"minItems": 2}, "{minItems: 2}"),
        ({"minItems": True}, "{minItems: true}"),
        ({"const": ["a"]}, '{const: ["a"]}'),
        ({"enum": []}, "{enum: []}"),
        ({"enum": [{}]}, "{enum: [{}]}"),
    ],
)
def test_a_limit_moves_only_where_it_may(limit: dict[str, Any], moved: str) -> None:
    schema = closed({"type": "string", **limit})
    assert rewritten(schema) is None
    strict = rewritten(schema, describe=True)
    assert strict is not None
    assert strict.described
    assert strict.schema == closed({"type": "string", "description": moved})


def test_an_open_object_is_closed_only_where_it_may() -> None:
    assert rewritten(OPEN) is None
    strict = rewritten(OPEN, describe=True)
    assert strict == StrictSchema({**OPEN, "additionalProperties": False}, optional=1)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        closed(TEXT, **{"$ref": "#/$defs/a"}),
        closed(TEXT, **{"$defs": {}, "definitions": {}}),
        closed(TEXT, **{"$defs": []}),
        closed(TEXT, **{"$defs": {"a": True}}),
        closed(TO_A),
        closed(TO_A, **{"$defs": {"a": TO_A}}),
        closed(TO_A, **{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": TO_A}}),
        closed(TEXT, properties=[]),
        closed(TEXT, required="p"),
        closed(TEXT, required=[1]),
        closed(TEXT, additionalProperties=TEXT),
        closed(TEXT, patternProperties={}),
        {"type": "object"},
        {**OPEN, "anyOf": [TEXT]},
        closed({"allOf": [OPEN, OPEN]}),
    ],
)
def test_an_object_without_a_native_form_is_refused(schema: dict[str, Any]) -> None:
    assert rewritten(schema, describe=True) is None


@pytest.mark.parametrize(
    "node",
    [
        True,
        {},
        {"description": "any"},
        {"type": "text"},
        {"type": []},
        {"type": {}},
        {"type": [1]},
        {"type": ["null", "null"]},
        {"type": "string", "description": 1, "minLength": 1},
        {"type": "string", "properties": {}},
        {"type": "string", "required": []},
        {"type": "array", "items": True},
        {"type": "array", "items": [TEXT]},
        {"anyOf": []},
        {"anyOf": {}},
        {"anyOf": [True]},
        {"allOf": []},
        {"allOf": [TO_A, TEXT]},
        {"allOf": [TO_A], "anyOf": [TEXT]},
        {"oneOf": [TEXT], "anyOf": [TEXT]},
        {"$ref": 1},
        {"$ref": "#"},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/a/b"},
    ],
)
def test_a_property_without_a_native_form_is_refused(node: Any) -> None:
    schema = closed(node, **{"$defs": {"a": TEXT}})
    assert rewritten(schema, describe=True) is None


def test_rewriting_may_add_as_many_bytes_as_it_may() -> None:
    added = len(b',"additionalProperties":false')
    assert rewritten(OPEN, describe=True, growth=added - 1) is None
    assert rewritten(OPEN, describe=True, growth=added) is not None


def test_optional_parameters_and_unions_are_counted() -> None:
    union = {"type": ["string", "null"]}
    strict = rewritten(closed({"anyOf": [TEXT, closed(union, required=[])]}, required=[]))
    assert strict is not None
    assert (strict.optional, strict.unions, strict.described) == (2, 2, False)


def test_shared_definitions_are_not_taken_for_recursion() -> None:
    definitions = {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}, "b": TEXT}
    schema = closed({"anyOf": [TO_A, TO_A]}, **{"$defs": definitions})
    assert rewritten(schema) == StrictSchema(schema, unions=2)


def test_tools_share_their_number_first_come_first_served() -> None:
    shared = schemas(strict_tools=2)
    found = [shared.for_tool(OPEN), shared.for_tool({}), shared.for_json_tool(closed(TEXT)), shared.for_tool(OPEN)]
    assert [strict is not None for strict in found] == [True, False, True, False]
    assert shared.for_format(closed(TEXT)) == StrictSchema(closed(TEXT))


@pytest.mark.parametrize(
    ("option", "schema"),
    [("strict_optional", closed(TEXT, required=[])), ("strict_unions", closed({"type": ["string", "null"]}))],
)
def test_schemas_share_optional_parameters_and_unions(option: str, schema: dict[str, Any]) -> None:
    shared = schemas(**{option: 2})
    found = [shared.for_tool(schema), shared.for_format(schema), shared.for_json_tool(schema), shared.for_tool(schema)]
    assert [strict is not None for strict in found] == [True, True, False, False]
    assert shared.for_tool(closed(TEXT)) is not None
    assert schemas(**{option: 0}).for_format(schema) is None


def test_each_use_changes_as_much_as_the_dialect_says() -> None:
    limited = closed({"type": "integer", "minimum": 1})
    described = schemas().for_tool(limited)
    assert described is not None
    assert described.described
    assert schemas().for_json_tool(limited) is None
    assert schemas().for_format(limited) is None
    assert schemas(strict_schemas="drop").for_tool(limited) is None
    kept = schemas(strict_schemas="keep", strict_tools=0)
    assert kept.for_tool(limited) == kept.for_json_tool(limited) == StrictSchema(limited)


def test_a_function_without_parameters_is_closed() -> None:
    assert schemas(strict_schemas="drop").for_tool(EMPTY_SCHEMA) == StrictSchema(CLOSED_SCHEMA)
    assert EMPTY_SCHEMA == {"type": "object", "properties": {}}
    assert CLOSED_SCHEMA == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strict_schemas": "never"}, "strict_schemas must be one of describe, drop, keep, not 'never'"),
        ({"thinking_off": "x"}, "thinking_off must be one of disabled, between_tools, none, not 'x'"),
        ({"strict_tools": -1}, "strict_tools must be at least 0, not -1"),
        ({"strict_optional": -1}, "strict_optional must be at least 0, not -1"),
        ({"strict_unions": -2}, "strict_unions must be at least 0, not -2"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
        ({"max_stop_sequences": 0}, "max_stop_sequences must be at least 1, not 0"),
        ({"version": "1"}, "version must be a date like 2023-06-01, not '1'"),
        ({"max_temperature": 3}, "max_temperature must be above 0 and at most 2, not 3"),
        ({"betas": ("a b",)}, "a beta must have letters, digits, '-', '.' and '_' only, not 'a b'"),
    ],
)
def test_a_dialect_refuses_what_no_app_accepts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=" ") as refused:
        Dialect(**options)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["native_keys", "native_tool_fields"])
def test_a_dialect_refuses_native_names_it_does_not_know(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be among .*, not 'zz'$"):
        Dialect(**{name: frozenset({"zz"})})  # type: ignore[arg-type]


def test_a_schema_with_very_many_definitions_is_not_compiled() -> None:
    def chain(length: int) -> dict[str, Any]:
        definitions: dict[str, Any] = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(length - 1)}
        return closed({"$ref": "#/$defs/d0"}, **{"$defs": {**definitions, f"d{length - 1}": TEXT}})

    assert rewritten(chain(1_000)) is not None
    assert rewritten(chain(1_001)) is None
