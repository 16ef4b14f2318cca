"""A schema whose branches are merged keeps what refers into one of them."""

import json
from typing import Any

import pytest

from chatcompat import translate

ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}}}


def flattened(schema: Any) -> Any:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}).encode()
    return json.loads(translate(body).body)["tools"][0]["input_schema"]


def target(schema: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        schema = schema[int(step) if isinstance(schema, list) else step]
    return schema


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
@pytest.mark.parametrize("definitions", [{}, {"$defs": {"branches": {"type": "null"}}}])
def test_a_reference_into_a_branch_has_its_target(word: str, definitions: Any) -> None:
    one = {"type": "object", "properties": {"home": ADDRESS}, "$defs": {"x": {"const": 1}}}
    other = {
        "properties": {
            "work": {"$ref": f"#/{word}/0/properties/home"},
            "x": {"items": [{"$ref": f"#/{word}/0/$defs/x"}]},
            "y": {"$ref": f"#/{word}/1/properties/work"},
        }
    }
    schema = flattened({"type": "object", word: [one, other], **definitions})
    properties = schema["properties"]
    assert word not in schema
    assert target(schema, properties["work"]["$ref"]) == ADDRESS
    assert target(schema, properties["x"]["items"][0]["$ref"]) == {"const": 1}
    assert target(schema, properties["y"]["$ref"]) == properties["work"]
    assert all(schema["$defs"][name] == form for name, form in definitions.get("$defs", {}).items())


def test_nothing_is_kept_without_a_reference_into_a_branch() -> None:
    schema = {"oneOf": [{"properties": {"a": {"$ref": "#/$defs/x"}}}], "$defs": {"x": {"const": "#/oneOf/0"}}}
    assert flattened(schema) == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"const": "#/oneOf/0"}},
    }


def test_definitions_of_another_type_stay_as_they_are() -> None:
    schema = {"oneOf": [{"properties": {"a": {"$ref": "#/oneOf/0"}}}], "$defs": 1}
    assert flattened(schema) == {"type": "object", "properties": {"a": {"$ref": "#/oneOf/0"}}, "$defs": 1}


def test_data_that_look_like_a_reference_stay_as_they_are() -> None:
    data = {"$ref": "#/oneOf/0"}
    one = {"properties": {"a": {"const": data, "enum": [data], "default": data, "$ref": "#/oneOf/0/$defs/x"}}}
    kept = flattened({"oneOf": [{**one, "$defs": {"x": {}}}]})["properties"]["a"]
    assert (kept["const"], kept["enum"], kept["default"]) == (data, [data], data)
    assert kept["$ref"] == "#/$defs/branches/oneOf/0/$defs/x"
