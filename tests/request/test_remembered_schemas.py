"""Schemas of plain tools are remembered from request to request. Nothing but the time may tell."""

import json
from typing import Any

import pytest

from chatcompat import InvalidRequest, RequestBounds, translate
from chatcompat.request import tool_schema
from chatcompat.request.tool_schema import _MAX_REMEMBERED, _REMEMBERED, _to_plain

DEEP = '{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}'


@pytest.fixture(autouse=True)
def forgotten() -> None:
    _to_plain.cache_clear()


def body(schema: str) -> bytes:
    tool = f'{{"type": "function", "function": {{"name": "t", "parameters": {schema}}}}}'
    return b'{"model": "m", "messages": [{"role": "user", "content": "q"}], "tools": [%s]}' % tool.encode()


def sent(schema: str, **options: Any) -> bytes:
    return translate(body(schema), created=0, **options).body


@pytest.mark.parametrize(
    "schema",
    [
        DEEP,
        '{"type": "object", "a": 1, "\\u00e9": 1.10, "a": 2, "b": 1e400, "c": 12345678901234567890}',
        '{"type": "object", "anyOf": [{"required": ["a"]}], "properties": {"a": {}}}',
        '{"type": ["object", "null"]}',
        "{}",
        "null",
    ],
)
def test_the_second_request_with_a_schema_is_sent_like_the_first(schema: str) -> None:
    first = sent(schema)
    assert sent(schema) == first
    assert json.loads(first)["tools"][0]["input_schema"]["type"] == "object"


def test_a_schema_is_normalised() -> None:
    schema = '{ "type": "object",\n "a": 1, "\\u00e9": 1.10, "a": 2 }'
    assert '"input_schema":{"type":"object","a":2,"é":1.10}'.encode() in sent(schema)


def test_the_bound_on_depth_holds_for_a_schema_that_another_bound_allowed() -> None:
    sent(DEEP)
    with pytest.raises(InvalidRequest) as caught:
        sent(DEEP, bounds=RequestBounds(depth=2))
    assert caught.value.code == "nested_too_deeply"
    sent(DEEP)


@pytest.mark.parametrize("schema", ["[]", '"text"', "1", '{"type": "string"}', '{"type": "object", "a": "\\ud800"}'])
def test_a_refused_schema_is_refused_again(schema: str) -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(InvalidRequest) as caught:
            sent(schema)
        errors.append(caught.value.body)
    assert errors[0] == errors[1]


def test_what_is_remembered_is_bounded() -> None:
    for number in range(_REMEMBERED + 10):
        sent(f'{{"type": "object", "title": "{number}"}}')
    assert _to_plain.cache_info().currsize == _REMEMBERED
    _to_plain.cache_clear()
    large = '{"type": "object", "title": "%s"}' % ("x" * _MAX_REMEMBERED)
    assert sent(large) == sent(large)
    assert _to_plain.cache_info().currsize == 0
    assert tool_schema._REMEMBERED * 2 * _MAX_REMEMBERED <= 8 * 1024 * 1024


def test_a_mark_of_one_request_does_not_reach_the_next() -> None:
    """The schema is remembered, and not the tool that it stands in."""
    plain = sent(DEEP)
    marked = json.loads(body(DEEP))
    marked["tools"][0]["cache_control"] = {"type": "ephemeral"}
    assert b'"cache_control"' in translate(json.dumps(marked).encode(), created=0).body
    assert sent(DEEP) == plain
