"""Schemas of plain tools, which the native API accepts as they are: the bytes that the inner app gets."""

import pytest

from chatcompat import InvalidRequest, RequestBounds, translate

DEEP = '{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}'


def sent(schema: str, bounds: RequestBounds | None = None) -> bytes:
    tool = f'{{"type": "function", "function": {{"name": "t", "parameters": {schema}}}}}'
    body = b'{"model": "m", "messages": [{"role": "user", "content": "q"}], "tools": [%s]}' % tool.encode()
    return translate(body, created=0, bounds=bounds or RequestBounds()).body


@pytest.mark.parametrize(
    ("schema", "normalised"),
    [
        ('{ "type": "object",\n "a": 1, "\\u00e9": 1.10, "a": 2 }', '{"type":"object","a":2,"é":1.10}'),
        ('{"type": "object", "b": 1e400}', '{"type":"object","b":1e400}'),
        ('{"type": "object", "c": 12345678901234567890}', '{"type":"object","c":12345678901234567890}'),
        ("{}", '{"type":"object","properties":{}}'),
        ("null", '{"type":"object","properties":{}}'),
    ],
)
def test_a_schema_is_normalised(schema: str, normalised: str) -> None:
    assert f'"input_schema":{normalised}'.encode() in sent(schema)


def test_the_bound_on_depth_holds_for_plain_schemas() -> None:
    assert DEEP.replace(" ", "").encode() in sent(DEEP)
    with pytest.raises(InvalidRequest) as caught:
        sent(DEEP, RequestBounds(depth=2))
    assert caught.value.code == "nested_too_deeply"


@pytest.mark.parametrize("schema", ["[]", '"text"', "1", '{"type": "string"}', '{"type": "object", "a": "\\ud800"}'])
def test_what_is_no_schema_of_an_object_is_refused(schema: str) -> None:
    with pytest.raises(InvalidRequest):
        sent(schema)
