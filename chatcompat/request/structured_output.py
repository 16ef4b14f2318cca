"""`response_format` -> structured output: a native format, or a tool whose input is the client's JSON."""

from collections.abc import Container
from typing import Any, Final

from msgspec import UNSET, Raw, Struct

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds, grows_too_much
from chatcompat.request.json_objects import CONTAINERS, check_depth, count_brackets, read_schema
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import ResponseFormat
from chatcompat.wire.messages import JSONOutputFormat, OutputConfig, TextBlockParam, ToolParam

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

_NATIVE_KEYS: Final = frozenset(
    {"$ref", "additionalProperties", "allOf", "anyOf", "const", "description", "enum", "format", "items"}
    | {"minItems", "properties", "required", "title", "type"}
)
_NATIVE_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_NATIVE_SCALARS: Final = _NATIVE_TYPES - {"array", "object"}
_NATIVE_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
_MOVED: Final = f"/properties/{VALUE}"
_NAMED_SCHEMAS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_LISTS: Final = (list, tuple)  # a tuple only as a default: JSON has none
_DATA_KEYS: Final = frozenset({"const", "default", "enum", "examples"})


class Output(Struct):
    """How the model is asked for JSON, and how the reply is read."""

    config: OutputConfig | None = None  # the native format
    tool: ToolParam | None = None  # otherwise, the tool whose input is the JSON
    wrapped: bool = False  # whether the JSON is the property `value` of the input
    forced: bool = False
    instruction: TextBlockParam | None = None  # asks for the tool if calls cannot be forced


def to_output(
    response_format: ResponseFormat | None, names: ToolNames, dialect: Dialect, bounds: RequestBounds
) -> Output:
    """Choose between the native format and a tool. Raises `InvalidRequest`."""
    if response_format is None or response_format.type == "text":
        return Output()
    json_schema = response_format.json_schema
    if json_schema is None and response_format.type == "json_schema":
        raise InvalidRequest(
            "A required field is missing.", param="response_format.json_schema", code="missing_required_parameter"
        )
    tool = ToolParam(name=_free_name(names), description=_DESCRIPTION, input_schema=_ANY_OBJECT)
    output = Output(tool=tool, forced=dialect.forced_tools)
    if json_schema is not None:
        tool.description = f"{_DESCRIPTION} {json_schema.description}" if json_schema.description else _DESCRIPTION
        tool.strict = bool(json_schema.strict)
        if json_schema.schema is not UNSET:
            schema = read_schema(json_schema.schema, _PATH, bounds.depth)
            if dialect.json_schema and is_native_schema(schema):
                return Output(config=OutputConfig(format=JSONOutputFormat(schema)))
            output.wrapped = not _is_plain_object(schema)
            tool.input_schema = wrap(schema, json_schema.schema, bounds) if output.wrapped else schema
    if not output.forced:
        output.instruction = TextBlockParam(_INSTRUCTION.format(name=tool.name))
    return output


def _free_name(names: ToolNames) -> str:
    """A name that no tool of the client has."""
    name = JSON_TOOL
    while name in names.offered or name in names.restored:
        name += "_"
    return name


def _is_plain_object(schema: dict[str, Any]) -> bool:
    """Whether the schema can be a tool's input schema."""
    return schema.get("type") == "object" and schema.keys().isdisjoint({"allOf", "anyOf", "oneOf", "$ref"})


def wrap(schema: dict[str, Any], source: Raw, bounds: RequestBounds) -> dict[str, Any]:
    """Make `schema`, decoded from `source`, the schema of a single property, and adjust its references.

    Raises `InvalidRequest` if the result exceeds the limits on depth or growth.
    """
    if count_brackets(source) + 2 > bounds.depth:
        check_depth(schema, _PATH, bounds.depth - 2)
    text = bytes(source)
    has_references = b'"$ref"' in text or b"\\u" in text  # a key may contain escapes
    if has_references and _move_references(schema) * len(_MOVED) > bounds.growth:
        raise grows_too_much(_PATH, bounds)
    return {
        "type": "object",
        "properties": {VALUE: schema},
        "required": [VALUE],
        "additionalProperties": False,
    }


def _move_references(schema: dict[str, Any]) -> int:
    """Point references to the root at its new location, and count them."""
    count = 0
    nodes: list[Any] = [schema]
    for node in nodes:  # grows during the loop
        if isinstance(node, list):
            nodes += [item for item in node if type(item) in CONTAINERS]
            continue
        reference = node.get("$ref")
        if isinstance(reference, str) and reference[:1] == "#":
            node["$ref"] = f"#{_MOVED}{reference[1:]}"
            count += 1
        for key, value in node.items():
            if type(value) not in CONTAINERS or key in _DATA_KEYS:
                continue
            if key in _NAMED_SCHEMAS and isinstance(value, dict):  # its keys are names, not keywords
                nodes += [item for item in value.values() if type(item) in CONTAINERS]
            else:
                nodes.append(value)
    return count


def is_native_schema(schema: dict[str, Any]) -> bool:
    """Whether the native format supports the whole schema: it has no maps, recursion or numeric limits.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
    """
    definitions = schema.get("$defs", {})
    if schema.get("type") != "object" or not isinstance(definitions, dict):
        return False
    nodes = {**definitions, "": {key: value for key, value in schema.items() if key != "$defs"}}
    references: dict[str, list[str]] = {}
    for name, node in nodes.items():
        found: list[str] = []
        if not _is_native_node(node, found):
            return False
        if found:
            references[name] = found
    return _is_acyclic(references, nodes.keys())


def _is_acyclic(references: dict[str, list[str]], known: Container[str]) -> bool:
    """Whether each reference has a target and none is circular: a depth-first search; names on the stack are open."""
    opened: set[str] = set()
    done: set[str] = set()
    for start in references:
        names = [start]
        while names:
            name = names[-1]
            if name in done or name in opened:
                done.add(names.pop())
                opened.discard(name)
                continue
            opened.add(name)
            for target in references.get(name, ()):
                if target in opened or target not in known:
                    return False
                names.append(target)
    return True


def _is_native_node(top: Any, references: list[str]) -> bool:
    """Check a schema with its subschemas, and collect the names of the definitions that they refer to."""
    nodes: list[Any] = [top]
    for node in nodes:  # grows during the loop
        if not isinstance(node, dict):
            return False
        kind = node.get("type")
        if len(node) == 1 and isinstance(kind, str) and kind in _NATIVE_SCALARS:
            continue  # the most common case
        is_reference = "$ref" in node
        if not (is_reference and len(node) == 1) and not _NATIVE_KEYS.issuperset(node):
            return False
        if is_reference:
            prefix, _, name = str(node["$ref"]).rpartition("/")
            if prefix != "#/$defs":
                return False
            references.append(name)
            continue
        if not _has_native_values(node) or (kind == "object" and node.get("additionalProperties") is not False):
            return False
        nodes += [*node.get("properties", {}).values(), *node.get("anyOf", ()), *node.get("allOf", ())]
        if "items" in node:
            nodes.append(node["items"])
    return True


def _has_native_values(node: dict[str, Any]) -> bool:
    kind, values = node.get("type"), node.get("enum", ())
    return (
        (kind in _NATIVE_TYPES if isinstance(kind, str) else kind is None and _restricts_values(node))
        and isinstance(node.get("anyOf", ()), _LISTS)
        and isinstance(node.get("allOf", ()), _LISTS)
        and isinstance(node.get("required", ()), _LISTS)
        and isinstance(values, _LISTS)
        and isinstance(node.get("properties", {}), dict)
        and node.get("minItems", 0) in (0, 1)
        and ("format" not in node or _is_native_format(node["format"]))
        and type(node.get("const")) not in CONTAINERS
        and (not values or CONTAINERS.isdisjoint(map(type, values)))
    )


def _is_native_format(name: object) -> bool:
    return isinstance(name, str) and name in _NATIVE_FORMATS


def _restricts_values(node: dict[str, Any]) -> bool:
    return not node.keys().isdisjoint(("anyOf", "allOf", "enum", "const"))
