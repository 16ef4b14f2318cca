"""`response_format` -> structured output: a native format, or a tool whose input is the client's JSON."""

from typing import Any, Final

from msgspec import UNSET, Raw, Struct

from chatcompat.dialect import Dialect
from chatcompat.errors import missing_field
from chatcompat.request.bounds import RequestBounds, grows_too_much
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL, check_depth, measure_schema, schemas_in
from chatcompat.request.strict_schema import StrictSchema
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import JSONSchema, ResponseFormat
from chatcompat.wire.messages import JSONOutputFormat, OutputConfig, TextBlockParam, ToolParam
from chatcompat.wire.utf8 import require_utf8

JSON_TOOL: Final = "respond_with_json"
_DESCRIPTION: Final = "Give your whole answer to the user as the input of this tool."
_INSTRUCTION: Final = (
    "Answer with the tool {name} or, where you cannot call it, with the same JSON as your whole text. "
    "Write nothing before or behind it."
)
_PATH: Final = "response_format.json_schema.schema"
_ANY_OBJECT: Final = {"type": "object"}

# A schema that cannot be a tool's input schema becomes the schema of this single property.
VALUE: Final = "value"
_WRAPPING: Final = 2  # levels around that property

_MOVED: Final = f"/properties/{VALUE}"
_REFERENCES: Final = ("$ref", "$dynamicRef")


class Output(Struct):
    """How the model is asked for JSON, and how the reply is read."""

    config: OutputConfig | None = None  # the native format
    tool: ToolParam | None = None  # otherwise, the tool whose input is the JSON
    wrapped: bool = False  # whether the JSON is the property `value` of the input
    forced: bool = False
    instruction: TextBlockParam | None = None  # asks for the tool if calls cannot be forced


def to_output(
    response_format: ResponseFormat | None,
    names: ToolNames,
    context: RequestContext,
    dialect: Dialect,
    *,
    has_prefill: bool,
) -> Output:
    """Choose between the native format and a tool. Raises `InvalidRequest`.

    The native format cannot be combined with a prefill: "not supported together with an assistant message prefill".
    Nor with citations.
    """
    if response_format is None:
        return Output()
    if response_format.type == "text":
        _ignore_schemas(response_format, context)
        return Output()
    json_schema, path = _find_schema(response_format, context)
    tool, taken = ToolParam(name=_free_name(names), description=_DESCRIPTION, input_schema=_ANY_OBJECT), _ANY_OBJECT
    output = Output(tool=tool, forced=dialect.forced_tools)
    if json_schema is not None:
        tool.description = f"{_DESCRIPTION} {json_schema.description}" if json_schema.description else _DESCRIPTION
        takes_native = dialect.json_schema and not has_prefill and not context.cites
        if json_schema.schema not in (UNSET, NULL):
            most = context.bounds.depth
            schema, depth = measure_schema(json_schema.schema, path, most, most - _WRAPPING)
            if takes_native and (native := context.strict.for_format(schema)) is not None:
                return Output(
                    config=OutputConfig(format=JSONOutputFormat(_described(native.schema, json_schema, context)))
                )
            output.wrapped = not _is_plain_object(schema)
            if output.wrapped and depth >= most - _WRAPPING:
                check_depth(schema, path, most - _WRAPPING)
            taken = wrap(schema, json_schema.schema, context.bounds) if output.wrapped else schema
            tool.input_schema = taken
        if json_schema.strict:
            # A schema that cannot be a native format cannot be compiled for a tool either.
            _make_strict(tool, None if takes_native else context.strict.for_json_tool(taken), context)
    if not output.forced:
        output.instruction = TextBlockParam(_INSTRUCTION.format(name=tool.name))
    return output


def _described(schema: dict[str, Any], json_schema: JSONSchema, context: RequestContext) -> dict[str, Any]:
    """The schema of a native format, with the description that stands beside it unless it has its own."""
    description = json_schema.description
    if not description or schema.get("description") == description:
        return schema
    if "description" not in schema:
        return {**schema, "description": description}
    context.ignored.append("response_format.json_schema.description")
    return schema


def _ignore_schemas(response_format: ResponseFormat, context: RequestContext) -> None:
    """Report the schemas beside a format that has none."""
    nested = response_format.json_schema
    if nested is not None:
        context.ignored.append("response_format.json_schema")
        if nested.schema is not UNSET:
            require_utf8(nested.schema)
    context.ignored += [f"response_format.{name}" for name, _ in _schemas_beside(response_format)]


def _schemas_beside(response_format: ResponseFormat) -> list[tuple[str, Raw]]:
    """The schemas that stand directly in a format, where other services take them, by the two names of that."""
    found: list[tuple[str, Raw]] = []
    for name in ("schema", "value"):
        raw = getattr(response_format, name)
        if raw not in (UNSET, NULL):
            require_utf8(raw)
            found.append((name, raw))
    return found


def _find_schema(response_format: ResponseFormat, context: RequestContext) -> tuple[JSONSchema | None, str]:
    """The schema of a format, and its path. Other services take it beside `json_object`, under two names."""
    found, path = response_format.json_schema, _PATH
    for name, raw in _schemas_beside(response_format):
        if found is None and response_format.type == "json_object":
            found, path = JSONSchema(schema=raw), f"response_format.{name}"
        else:
            context.ignored.append(f"response_format.{name}")
    if found is None and response_format.type == "json_schema":
        raise missing_field("response_format.json_schema")
    return found, path


def _make_strict(tool: ToolParam, compiled: StrictSchema | None, context: RequestContext) -> None:
    if compiled is None:
        context.ignored.append("response_format.json_schema.strict")
    else:
        tool.strict, tool.input_schema = True, compiled.schema


def _free_name(names: ToolNames) -> str:
    """A name that none of the client's tools has."""
    name = JSON_TOOL
    while name in names.offered or name in names.restored:
        name += "_"
    return name


def _is_plain_object(schema: dict[str, Any]) -> bool:
    """Whether the schema can be a tool's input schema."""
    return schema.get("type") == "object" and schema.keys().isdisjoint({"allOf", "anyOf", "oneOf", "$ref"})


def wrap(schema: dict[str, Any], source: Raw, bounds: RequestBounds) -> dict[str, Any]:
    """Make `schema`, decoded from `source`, the schema of a single property, and adjust its references.

    Raises `InvalidRequest` if the result exceeds the limit on growth.
    """
    text = bytes(source)
    # A key may contain escapes.
    has_references = any(b'"%b"' % name.encode() in text for name in _REFERENCES) or b"\\u" in text
    if has_references and _move_references(schema) * len(_MOVED) > bounds.growth:
        raise grows_too_much(_PATH, bounds)
    return {
        "type": "object",
        "properties": {VALUE: schema},
        "required": [VALUE],
        "additionalProperties": False,
    }


def _move_references(schema: dict[str, Any]) -> int:
    """Change references to the root to its new location. Returns their number."""
    count = 0
    nodes: list[Any] = [schema]
    for node in nodes:  # grows during the loop
        if isinstance(node, dict) and node is not schema and isinstance(node.get("$id"), str):
            continue  # a schema of its own, to whose root its references are relative
        nodes += schemas_in(node)
        if isinstance(node, list):
            continue
        for keyword in _REFERENCES:
            reference = node.get(keyword)
            if isinstance(reference, str) and f"{reference[:2]}/"[:2] == "#/":  # not the name of an anchor
                node[keyword] = f"#{_MOVED}{reference[1:]}"
                count += 1
    return count
