"""Null is the same as an absent field: many clients write each field that they have."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT, Raw, Struct

from chatcompat import Dialect, translate
from chatcompat.dialect import NATIVE_KEYS
from chatcompat.request.lenient import leaves, structs_of
from chatcompat.wire.chat_request import ChatCompletionRequest

HI = {"role": "user", "content": "hi"}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "r"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
BRANCHES = {"anyOf": [{"required": ["a"]}]}


def optional_fields() -> list[tuple[str, list[Any]]]:
    """Each field of a request that may be absent, with the types of its values."""
    found: list[tuple[str, list[Any]]] = []
    structs: list[type[Struct]] = [ChatCompletionRequest]
    for struct in structs:  # grows during the loop
        for field in msgspec.structs.fields(struct):
            kinds = list(leaves(field.type))
            structs += [kind for kind in structs_of(kinds) if kind not in structs]
            if field.default is not NODEFAULT or field.default_factory is not NODEFAULT:
                found.append((f"{struct.__name__}.{field.encode_name}", kinds))
    return found


def test_every_optional_field_may_be_null() -> None:
    fields = optional_fields()
    assert len(fields) > 150
    assert [name for name, kinds in fields if type(None) not in kinds and Raw not in kinds] == []


def file(**fields: Any) -> Any:
    return {"messages": [{"role": "user", "content": [{"type": "file", "file": fields}]}]}


def marked(**mark: Any) -> Any:
    return {"messages": [{**HI, "content": [{"type": "text", "text": "hi", "cache_control": mark}]}]}


def cited(citations: Any) -> Any:
    source = {"type": "text", "media_type": "text/plain", "data": "a"}
    return {"messages": [{**HI, "content": [{"type": "document", "source": source, "citations": citations}]}]}


def called(**fields: Any) -> Any:
    return {"messages": [HI, {"role": "assistant", "content": None, "tool_calls": [{**CALL, **fields}]}, RESULT]}


def tool(parameters: Any, /, **beside: Any) -> Any:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}, **beside}]}


def formatted(**fields: Any) -> Any:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", **fields}}}


@pytest.mark.parametrize(
    ("with_null", "without"),
    [
        (called(type=None), called()),
        (called(index=None, custom=None), called()),
        (file(file_id="f", file_data=None, filename=None, format=None), file(file_id="f")),
        (marked(type="ephemeral", ttl=None), marked(type="ephemeral")),
        (cited({"enabled": None}), cited({})),
        (
            {"response_format": {"type": "text", "json_schema": None, "schema": None}},
            {"response_format": {"type": "text"}},
        ),
        (formatted(schema=None, strict=None, description=None), formatted()),
        (tool(SCHEMA, name=None, description=None, parameters=None, strict=None), tool(SCHEMA)),
        (tool(None), tool({})),
        (tool({**SCHEMA, **BRANCHES, "required": None, "allOf": None}), tool({**SCHEMA, **BRANCHES})),
        (tool({**BRANCHES, "properties": None}), tool(BRANCHES)),
        (tool({**SCHEMA, "type": None}), tool(SCHEMA)),
        (tool({**SCHEMA, **BRANCHES, "type": None}), tool({**SCHEMA, **BRANCHES})),
    ],
)
def test_null_says_nothing(with_null: Any, without: Any) -> None:
    """The same body is sent, in any order of keys, and nothing is reported or refused."""
    dialect = Dialect(native_keys=NATIVE_KEYS)

    def sent(fields: Any) -> Any:
        body = json.dumps({"model": "m", "messages": [HI], **fields}).encode()
        translation = translate(body, dialect=dialect, strict=True)
        return json.loads(translation.body), translation.ignored

    assert sent(with_null) == sent(without)
