"""References in a schema, and the branches at its top level."""

import json
from typing import Any

import pytest

from chatcompat import InvalidRequest, translate
from tests.request.test_bounds import LARGE, with_schema


def test_a_definition_that_is_referred_to_often_is_copied_once() -> None:
    schema: dict[str, Any] = {"allOf": [{"$ref": f"#/$defs/{'ab'[i % 2]}"} for i in range(99)], "$defs": {}}
    schema["$defs"] = {name: {"properties": {"p": {"enum": [name * 300]}}} for name in "ab"}
    body = with_schema(schema)
    merged = json.loads(translate(body).body)["tools"][0]["input_schema"]
    assert merged["properties"] == {"p": {"allOf": [{"enum": ["a" * 300]}, {"enum": ["b" * 300]}]}}


def test_a_large_definition_behind_many_references_is_refused() -> None:
    schema: dict[str, Any] = {"allOf": [{"$ref": f"#/$defs/{'ab'[i % 2]}"} for i in range(99)], "$defs": {}}
    schema["$defs"] = {name: {"properties": {"p": {**LARGE, "title": name}}} for name in "ab"}
    with pytest.raises(InvalidRequest, match="65536 bytes"):
        translate(with_schema(schema))


def test_definitions_in_each_other_are_not_written_again_and_again() -> None:
    inner: Any = {"properties": {"z": LARGE}}
    for level in range(60):
        inner = {"properties": {f"p{level}": inner}}
    references = [{"$ref": "#/$defs/d" + "".join(f"/properties/p{59 - i}" for i in range(n))} for n in range(60)]
    with pytest.raises(InvalidRequest) as refused:
        translate(with_schema({"anyOf": references, "$defs": {"d": inner}}))
    assert refused.value.code == "grows_too_much"


@pytest.mark.parametrize("reference", ["#", "#/$defs/a", "#/$defs/b"])
def test_a_reference_that_leads_back_is_refused(reference: str) -> None:
    definitions = {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}
    with pytest.raises(InvalidRequest, match="too many branches"):
        translate(with_schema({"anyOf": [{"$ref": reference}], "$defs": definitions}))


@pytest.mark.parametrize(
    "reference", [5, "other.json", "#/$defs/x", "#/anyOf/2", "#/anyOf/x", "#/anyOf/01", "#/type/x"]
)
def test_a_reference_without_target_is_refused(reference: Any) -> None:
    with pytest.raises(InvalidRequest, match="target is not in the schema"):
        translate(with_schema({"type": "object", "anyOf": [{"$ref": reference}, {}], "$defs": {}}))


def test_a_reference_may_point_into_a_list() -> None:
    schema = {"anyOf": [{"$ref": "#/oneOf/0"}], "oneOf": [{"properties": {"p": {}}, "required": ["p"]}]}
    merged = json.loads(translate(with_schema(schema)).body)["tools"][0]["input_schema"]
    assert merged == {"type": "object", "properties": {"p": {}}, "required": ["p"]}


def test_what_stands_beside_a_reference_is_merged_with_its_target() -> None:
    branch = {"$ref": "#/$defs/a", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    schema = {"allOf": [branch], "$defs": {"a": {"properties": {"p": {"const": 1.0}}, "required": ["p"]}}}
    body = translate(with_schema(schema)).body
    assert b'"properties":{"p":{"const":1.0},"q":{"type":"string"}},"required":["p","q"]' in body


def test_forms_of_one_word_stand_in_one_list() -> None:
    def form(title: str) -> dict[str, Any]:
        return {"properties": {"p": {"title": title}}}

    schema = {
        "anyOf": [form("a"), form("b"), {"anyOf": [form("c"), form("a")]}],
        "allOf": [form("d"), {"allOf": [form("d")]}],
    }
    merged = json.loads(translate(with_schema(schema)).body)["tools"][0]["input_schema"]
    choice = {"anyOf": [{"title": "d"}, {"title": "a"}, {"title": "b"}, {"title": "c"}]}
    assert merged["properties"] == {"p": choice}
