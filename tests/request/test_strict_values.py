"""What a strict schema allows, its rewritten form allows too."""

from random import Random
from typing import Any

import pytest

from chatcompat.request.strict_schema import to_strict_schema
from tests.strategies.json_schemas import is_valid, schema_of, value_of

SCHEMAS = 3_000
TEXT = {"type": "string"}
A, B = ({"type": "object", "properties": {name: TEXT}} for name in "ab")
CLOSED = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("describe", [True, False])
def test_a_valid_value_stays_valid_under_the_rewritten_schema(describe: bool) -> None:
    looked_at = 0
    for seed in range(SCHEMAS):
        random = Random(seed)
        root = schema_of(random)
        strict = to_strict_schema(root, 65_536, describe=describe)
        for value in [value_of(random, root) for _ in range(5)] if strict is not None else ():
            if is_valid(value, root):
                assert strict is not None
                assert is_valid(value, strict.schema), (seed, value)
                looked_at += 1
    assert looked_at > SCHEMAS / 10


@pytest.mark.parametrize(
    "node",
    [
        {**CLOSED, "anyOf": [B, A]},
        {**CLOSED, "anyOf": [B]},
        {**CLOSED, "allOf": [B]},
        {**CLOSED, "oneOf": [B]},
        {**CLOSED, "$ref": "#/$defs/b"},
        {"anyOf": [A], "allOf": [B]},
        {"allOf": [A, B]},
    ],
)
def test_no_object_is_closed_that_must_fit_beside_another(node: Any) -> None:
    root = {"type": "object", "properties": {"p": node}, "additionalProperties": False, "$defs": {"b": B}}
    value = {"p": {"a": "s"}}
    assert is_valid(value, root)
    assert to_strict_schema(root, 65_536, describe=True) is None


@pytest.mark.parametrize("node", [{"anyOf": [A, B]}, {"oneOf": [A, B]}, {"allOf": [A]}, A])
def test_an_object_that_stands_alone_is_closed(node: Any) -> None:
    root = {"type": "object", "properties": {"p": node}, "additionalProperties": False}
    strict = to_strict_schema(root, 65_536, describe=True)
    assert strict is not None
    assert is_valid({"p": {"a": "s"}}, strict.schema)
    assert not is_valid({"p": {"c": "s"}}, strict.schema)
