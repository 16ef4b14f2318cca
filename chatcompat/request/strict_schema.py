"""The JSON schemas that the native API compiles into a grammar: those of strict tools and of the native output format.

It accepts a subset of JSON Schema. Anything else is a 400, such as "properties maximum, minimum are not supported".
This module alone knows the subset, and how to rewrite a schema to fit into it:

- Equivalent forms are always rewritten: `oneOf` to `anyOf`, `definitions` to `$defs`, keywords beside a `$ref`.
- With `describe`, limits without a native form move to the `description`, as in the vendor's own packages, and objects
  are closed with `additionalProperties: false`.
- Schemas that allow what the grammar would forbid (a map, an object with any content, recursion) cannot be rewritten.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

import re
from collections.abc import Container
from typing import Any, Final

import msgspec
from msgspec import Struct

from chatcompat.dialect import Dialect
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.json_objects import CONTAINERS
from chatcompat.request.tool_schema import EMPTY_SCHEMA, Schema

_KEYS: Final = frozenset(
    {"$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "format", "items"}
    | {"minItems", "pattern", "properties", "required", "title", "type"}
)
_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)

# Keywords that only restrict what is valid. They can move to the description. Other unknown keywords are annotations,
# which lose nothing in a description.
_LIMITS: Final = frozenset(
    {"const", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else", "enum", "exclusiveMaximum"}
    | {"exclusiveMinimum", "format", "if", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum"}
    | {"minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "pattern"}
    | {"prefixItems", "propertyNames", "then", "uniqueItems"}
)
# Keywords that allow what the grammar would forbid, or that references depend on. They cannot move to the description.
_FIXED: Final = frozenset(
    {"$anchor", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "definitions"}
    | {"patternProperties", "unevaluatedItems", "unevaluatedProperties"}
)
_MAX_DEFINITIONS: Final = 1_000  # no service compiles more, and checking one takes ten times as long as decoding it
_ABOUT_THE_ROOT: Final = frozenset({"$id", "$schema"})
_NO_MEANING: Final = frozenset({"$comment", "discriminator"})  # the branches of a union tell what a discriminator tells
# The integers that every JSON parser keeps exact (RFC 8259, section 6): zod gives each of its integers these limits.
_SAFE_INTEGERS: Final = {"minimum": -(2**53) + 1, "maximum": 2**53 - 1}
_INTEGERS: Final = ("integer", ["integer"], ["integer", "null"], ["null", "integer"])

# The documented subset of regular expressions: groups, classes and simple quantifiers. No look-around, back-references,
# word boundaries or large ranges.
_PATTERN: Final = re.compile(
    r"(?:[^\\(*+?{}]|\\[dDwWsSnrtfv\W]|\((?!\?)|[*+?](?![+?])|\{[0-9]{1,2}(?:,[0-9]{0,2})?\}(?![+?]))*+"
)

CLOSED_SCHEMA: Final[Schema] = {**EMPTY_SCHEMA, "additionalProperties": False}

_encode = msgspec.json.Encoder().encode


class StrictSchema(Struct):
    """A schema that the native API can compile, and what it counts towards the limits of a request."""

    schema: Schema
    optional: int = 0  # parameters that are not required
    unions: int = 0  # parameters with `anyOf` or a list of types
    described: bool = False  # whether a limit became a description, which is not enforced


class StrictSchemas:
    """Compiles the schemas of one request. They share the limits of the dialect, first come, first served."""

    def __init__(self, dialect: Dialect, bounds: RequestBounds) -> None:
        self._choice = dialect.strict_schemas
        self._growth = bounds.growth
        self._tools_left = dialect.strict_tools
        self._optional_left = dialect.strict_optional
        self._unions_left = dialect.strict_unions

    def for_tool(self, schema: Schema) -> StrictSchema | None:
        """Return the input schema of a strict tool, or None if the tool cannot be strict."""
        if schema is EMPTY_SCHEMA:
            schema = CLOSED_SCHEMA  # a function without parameters
        return self._for_tool(schema, describe=self._choice == "describe")

    def for_json_tool(self, schema: Schema) -> StrictSchema | None:
        """Return the input schema of a strict tool for structured output. Its meaning is never changed."""
        return self._for_tool(schema, describe=False)

    def for_format(self, schema: Schema) -> StrictSchema | None:
        """Return the schema of the native output format, or None if it has none. Its meaning is never changed."""
        return self._take(to_strict_schema(schema, self._growth, describe=False))

    def _for_tool(self, schema: Schema, *, describe: bool) -> StrictSchema | None:
        if self._choice == "keep":
            return StrictSchema(schema)
        if self._tools_left == 0:
            return None
        strict = self._take(to_strict_schema(schema, self._growth, describe=describe))
        if strict is not None:
            self._tools_left -= 1
        return strict

    def _take(self, strict: StrictSchema | None) -> StrictSchema | None:
        if strict is None or strict.optional > self._optional_left or strict.unions > self._unions_left:
            return None
        self._optional_left -= strict.optional
        self._unions_left -= strict.unions
        return strict


class _OutsideSubset(Exception):
    """The schema has no native form."""


def to_strict_schema(schema: Schema, growth: int, *, describe: bool) -> StrictSchema | None:
    """Rewrite a schema of an object so that the native API can compile it, or return None.

    `schema` is not changed. A schema that fits already keeps its bytes. `growth` is how many bytes rewriting may add.
    """
    rewriter = _Rewriter(describe=describe)
    try:
        strict = rewriter.rewrite(schema)
    except _OutsideSubset:
        return None
    if rewriter.has_grown and len(_encode(strict.schema)) > len(_encode(schema)) + growth:
        return None
    return strict


class _Rewriter:
    """Rewrites one schema, node by node and without recursion. Each node is a copy before it is changed."""

    def __init__(self, *, describe: bool) -> None:
        self.has_grown = False
        self._describe = describe
        self._closed = False  # whether an object was closed
        self._intersects = False  # whether a value must match several schemas. Closed ones would exclude each other
        self._found: list[str] = []  # names of definitions that the current definition refers to
        self._strict = StrictSchema({})

    def rewrite(self, schema: Schema) -> StrictSchema:
        """Return the rewritten schema. Raises `_OutsideSubset`."""
        if schema.get("type") != "object" or "$ref" in schema or {"$defs", "definitions"} <= schema.keys():
            raise _OutsideSubset
        definitions: dict[str, Any] = {}
        root: Schema = {}
        for key, value in schema.items():
            if key in ("$defs", "definitions"):
                if not isinstance(value, dict) or len(value) > _MAX_DEFINITIONS:
                    raise _OutsideSubset
                definitions = root["$defs"] = {name: _copy(node) for name, node in value.items()}
            elif key not in _ABOUT_THE_ROOT:
                root[key] = value
        references: dict[str | None, list[str]] = {name: self._walk(node) for name, node in definitions.items()}
        top = {key: value for key, value in root.items() if key != "$defs"}
        references[None] = self._walk(top)
        if (self._closed and self._intersects) or not _is_acyclic(references, definitions):
            raise _OutsideSubset
        whole = {"$defs": definitions, **top}
        self._strict.schema = {key: whole[key] for key in root if key in whole} | top  # the order of keys is kept
        return self._strict

    def _walk(self, top: Schema) -> list[str]:
        """Rewrite a schema with its subschemas, and return the names of the definitions that they refer to."""
        self._found = []
        nodes = [top]
        for node in nodes:  # grows during the loop
            kind = node.get("type")
            if len(node) == 1 and isinstance(kind, str) and kind in _TYPES and kind not in ("array", "object"):
                continue  # the most common case
            if "$ref" in node and len(node) == 1:
                self._found.append(_name_of(node))
                continue
            self._rewrite_node(node)
            for word in ("anyOf", "allOf"):
                if word in node:
                    node[word] = [_copy(branch) for branch in node[word]]
                    nodes += node[word]
            if "properties" in node:
                node["properties"] = {name: _copy(form) for name, form in node["properties"].items()}
                nodes += node["properties"].values()
            if "items" in node:
                node["items"] = _copy(node["items"])
                nodes.append(node["items"])
        return self._found

    def _rewrite_node(self, node: Schema) -> None:
        for key in _NO_MEANING & node.keys():
            del node[key]
        if node.get("type") in _INTEGERS:
            for key, limit in _SAFE_INTEGERS.items():
                if node.get(key) == limit:
                    del node[key]
        self._rewrite_choice(node)
        surplus = [key for key, value in node.items() if not _is_native(key, value)]
        if surplus:
            self._move(node, surplus)
        kinds = _kinds(node)
        if isinstance(node.get("type"), list) or "anyOf" in node:
            self._strict.unions += 1
        if "object" in kinds:
            self._rewrite_object(node)
        elif not node.keys().isdisjoint(("additionalProperties", "properties", "required")):
            raise _OutsideSubset

    def _rewrite_choice(self, node: Schema) -> None:
        """Rewrite references and branches with the native keywords."""
        if "$ref" in node:
            _rename(node, "$ref", "anyOf", [{"$ref": node["$ref"]}])
            self.has_grown = True
        if "oneOf" in node:
            _rename(node, "oneOf", "anyOf", node["oneOf"])
        branches = node.get("allOf")
        if isinstance(branches, list) and any(isinstance(branch, dict) and "$ref" in branch for branch in branches):
            if len(branches) > 1:
                raise _OutsideSubset
            _rename(node, "allOf", "anyOf", branches)
        for word in ("anyOf", "allOf"):
            if word in node and not (isinstance(node[word], list) and node[word]):
                raise _OutsideSubset
        self._intersects |= len(node.get("allOf", ())) + ("anyOf" in node) + ("properties" in node) > 1

    def _move(self, node: Schema, keys: list[str]) -> None:
        """Move keywords to the description."""
        description = node.get("description", "")
        if not isinstance(description, str) or not _FIXED.isdisjoint(keys):
            raise _OutsideSubset
        if not _LIMITS.isdisjoint(keys):
            if not self._describe:
                raise _OutsideSubset
            self._strict.described = True
        moved = ", ".join(f"{key}: {_encode(node.pop(key)).decode()}" for key in keys)
        node["description"] = f"{description}\n\n{{{moved}}}" if description else f"{{{moved}}}"
        self.has_grown = True

    def _rewrite_object(self, node: Schema) -> None:
        properties, required = node.get("properties", {}), node.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise _OutsideSubset
        if not all(isinstance(name, str) for name in required):
            raise _OutsideSubset
        if "additionalProperties" not in node:
            # Without properties of its own, or with branches, a closed object would forbid what the client wants.
            if not self._describe or "properties" not in node or not node.keys().isdisjoint(("allOf", "anyOf")):
                raise _OutsideSubset
            node["additionalProperties"] = False
            self._closed = self.has_grown = True
        elif node["additionalProperties"] is not False:
            raise _OutsideSubset
        self._strict.optional += len(properties.keys() - set(required))


def _copy(node: Any) -> Schema:
    if not isinstance(node, dict):
        raise _OutsideSubset
    return {**node}


def _kinds(node: Schema) -> list[str]:
    """The types of a node. Without a type, another keyword must restrict its values."""
    kind = node.get("type", [])
    kinds = [kind] if isinstance(kind, str) else kind
    if not isinstance(kinds, list) or not all(isinstance(each, str) and each in _TYPES for each in kinds):
        raise _OutsideSubset
    if len(set(kinds)) < len(kinds) or ("type" in node and not kinds):
        raise _OutsideSubset
    if not kinds and node.keys().isdisjoint(("allOf", "anyOf", "const", "enum")):
        raise _OutsideSubset
    return kinds


def _rename(node: Schema, old: str, new: str, value: Any) -> None:
    """Rename a key, and keep its position."""
    if new in node:
        raise _OutsideSubset
    renamed = {new if key == old else key: value if key == old else other for key, other in node.items()}
    node.clear()
    node.update(renamed)


def _name_of(node: Schema) -> str:
    """The definition that a reference names. Rewrites the reference in its native form."""
    reference = node["$ref"]
    match reference.split("/") if isinstance(reference, str) else ():
        case ["#", "$defs" | "definitions", name]:
            node["$ref"] = f"#/$defs/{name}"
            return name.replace("~1", "/").replace("~0", "~")
        case _:
            raise _OutsideSubset


def _is_native(key: str, value: Any) -> bool:
    """Whether the native API accepts a keyword with this value. Values that are schemas are not checked here."""
    match key:
        case "format":
            return isinstance(value, str) and value in _FORMATS
        case "pattern":
            return isinstance(value, str) and _PATTERN.fullmatch(value) is not None
        case "minItems":
            return type(value) is int and value in (0, 1)
        case "const":
            return type(value) not in CONTAINERS
        case "enum":
            return isinstance(value, list) and bool(value) and CONTAINERS.isdisjoint(map(type, value))
        case _:
            return key in _KEYS


def _is_acyclic(references: dict[str | None, list[str]], known: Container[str]) -> bool:
    """Whether each reference has a target and there is no cycle, by depth-first search."""
    opened: set[str | None] = set()
    done: set[str | None] = set()
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
