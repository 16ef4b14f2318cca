"""JSON for a schema that stands in the prompt, for clients that validate what they asked for in words."""

import json
import time
from typing import Any

import pytest

from chatcompat.simulator.prompt_schema import MAX_CHARACTERS, MAX_TRIES
from tests.simulator.driver import ask, said

OPEN: Any = {"name": "respond_with_json", "input_schema": {"type": "object"}}
FORCED: Any = {"tools": [OPEN], "tool_choice": {"type": "tool", "name": "respond_with_json"}}
WANTED: Any = {
    "$defs": {"Kind": {"enum": ["short", "long"]}},
    "type": "object",
    "properties": {"kind": {"$ref": "#/$defs/Kind"}, "n": {"type": "integer", "minimum": 7}},
    "required": ["kind", "n"],
}
EXAMPLE = {"kind": "short", "n": 7}
OTHER: Any = {"type": "object", "properties": {"other": {"type": "boolean"}}, "required": ["other"]}


def asks(schema: Any, indent: int | None = None) -> str:
    return f"Answer with {{JSON}} of this schema:\n\n{json.dumps(schema, indent=indent)}\n\nNo text, {{please}}."


def given(*turns: Any, **fields: Any) -> Any:
    """The input of the call that the reply makes."""
    return ask(*(turns or ("Hi",)), **(FORCED | fields))["content"][0]["input"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("blocks", [False, True])
def test_an_open_tool_gets_what_the_system_prompt_describes(indent: int | None, blocks: bool) -> None:
    text = asks(WANTED, indent)
    assert given(system=[{"type": "text", "text": text}, {"type": "text", "text": "Be kind."}] if blocks else text) == (
        EXAMPLE
    )


def test_the_users_text_is_read_where_the_system_prompt_has_none() -> None:
    assert given(asks(WANTED)) == EXAMPLE
    assert given(asks(WANTED), system="Answer with JSON.") == EXAMPLE
    assert given(asks(OTHER), system=asks(WANTED)) == EXAMPLE


def test_the_last_schema_wins() -> None:
    assert given(f"{asks(OTHER)} {asks(WANTED)}") == EXAMPLE


def test_a_schema_by_reference_is_one() -> None:
    assert (
        given(asks({"$defs": {"A": WANTED | {"$defs": {}}, "Kind": {"const": "short"}}, "$ref": "#/$defs/A"}))
        == EXAMPLE
    )


def test_a_tool_with_a_schema_of_its_own_gets_that() -> None:
    assert given(asks(WANTED), tools=[OPEN | {"input_schema": OTHER}]) == {"other": True}


def test_a_format_has_a_schema_of_its_own() -> None:
    form = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
    assert json.loads(said(ask(asks(WANTED), output_config={"format": form}))) == {}


def test_a_code_block_has_the_json_where_the_user_wants_one() -> None:
    assert (
        said(ask("Answer in a ```json codeblock.", system=asks(WANTED)))
        == f"```json\n{json.dumps(EXAMPLE, separators=(',', ':'))}\n```"
    )
    assert "I have read your message" in said(ask("Answer in a ```json codeblock."))
    assert "I have read your message" in said(ask("Answer.", system=asks(WANTED)))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"properties": 1}',
        '{"properties": {"a": }}',
        '{"properties": {"a": NaN}}',
        '{"properties": {"a": {"minimum": 1e999}}}',
        '{"properties": {"a": {"type": 7}}}',
        '{"properties": {"a": {"minLength": 99999}}, "required": ["a"]}',
        '{"$ref": "#"}',
        '"properties"' + "[" * 5000 + "{" * 5000,
        '{"properties":' * 5000,
        "{}" * MAX_TRIES + json.dumps(WANTED),
        " " * MAX_CHARACTERS + json.dumps(WANTED),
    ],
)
def test_what_is_no_schema_is_left_alone(text: str) -> None:
    assert given(text) == {"example": "example"}


def test_a_hostile_prompt_is_read_in_bounded_time() -> None:
    began = time.process_time()
    given('"properties"' + '{"a":[' * 200_000)
    assert time.process_time() - began < 5
