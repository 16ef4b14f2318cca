"""Rules for structured output."""

from typing import Any, Final

from msgspec import Struct

from chatcompat.check.endpoint import Endpoint, read
from chatcompat.check.rule import Rule
from chatcompat.check.streams import text_of

_ASK: Final = "Describe the city of Paris as JSON, with its name and its number of inhabitants."
_OBJECT: Final = {"type": "json_object"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["name", "inhabitants"],
    "additionalProperties": False,
}
_BY_SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": _SCHEMA}}


class _City(Struct, forbid_unknown_fields=True):
    name: str
    inhabitants: int


async def _object(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_ASK, response_format=_OBJECT)).first
    read(choice.text.encode(), dict[str, Any])


async def _object_stream(endpoint: Endpoint) -> None:
    read(text_of(await endpoint.chunks(_ASK, response_format=_OBJECT)).encode(), dict[str, Any])


async def _schema(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_ASK, response_format=_BY_SCHEMA)).first
    read(choice.text.encode(), _City)


async def _schema_stream(endpoint: Endpoint) -> None:
    read(text_of(await endpoint.chunks(_ASK, response_format=_BY_SCHEMA)).encode(), _City)


RULES: Final = (
    Rule("json-object", "json_object: the content is a JSON object", _object),
    Rule("json-object-stream", "json_object in a stream: the deltas join to a JSON object", _object_stream),
    Rule("json-schema", "json_schema: the content is JSON that fits the schema", _schema),
    Rule("json-schema-stream", "json_schema in a stream: the deltas join to JSON that fits the schema", _schema_stream),
)
