"""The subset of JSON Schema that the service compiles for strict tools and output formats, and its limits.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations, and the
errors that users report.
"""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from msgspec import UNSET, Struct

from chatcompat.simulator.errors import invalid
from chatcompat.simulator.wire import CustomTool, Prompt, Tool

MAX_TOOLS: Final = 20
MAX_OPTIONAL: Final = 24
MAX_UNIONS: Final = 16

_DEFINITIONS: Final = ("$defs", "definitions")  # only at the top
_ANY: Final = frozenset({"$ref", "allOf", "anyOf", "const", "default", "description", "enum", "title", "type"})
_OF_TYPE: Final = {
    "array": frozenset({"items", "minItems"}),
    "object": frozenset({"additionalProperties", "properties", "required"}),
    "string": frozenset({"format", "pattern"}),
    **dict.fromkeys(("boolean", "integer", "null", "number"), frozenset[str]()),
}
_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
_NO_GRAMMAR: Final = re.compile(r"\(\?|\\[0-9bB]")  # look-around and other groups, references, word boundaries
_REFERENCE: Final = re.compile(r"#/(?:\$defs|definitions)/([^/]+)")

Node = dict[str, Any]


class _Size(Struct):
    """The totals of all compiled schemas of a request."""

    optional: int = 0
    unions: int = 0


def check_compiled(prompt: Prompt, tools: list[Tool]) -> None:
    """Check the schemas of a request that the service compiles."""
    size, strict = _Size(), 0
    for index, tool in enumerate(tools):
        if isinstance(tool, CustomTool) and tool.strict:
            strict += 1
            _Compiler(f"tools.{index}.custom", size).compile(tool.input_schema)
    if prompt.output_config is not UNSET and prompt.output_config.format is not None:
        _Compiler("output_config.format.schema", size).compile(prompt.output_config.format.schema)
    if strict > MAX_TOOLS:
        raise invalid(
            f"Too many strict tools ({strict}). The maximum number of strict tools supported is {MAX_TOOLS}. Try "
            "reducing the number of tools marked as strict."
        )
    if size.optional > MAX_OPTIONAL:
        raise invalid(
            f"Schemas contains too many optional parameters ({size.optional}), which would make grammar compilation "
            f"inefficient. Reduce the number of optional parameters in your tool schemas (limit: {MAX_OPTIONAL})."
        )
    if size.unions > MAX_UNIONS:
        raise invalid(
            f"Schemas contains too many parameters with union types ({size.unions} parameters with type arrays or "
            "anyOf) which causes exponential compilation cost. Reduce the number of nullable or union-typed "
            f"parameters (limit: {MAX_UNIONS} parameters with unions)."
        )


class _Compiler:
    """Checks one schema. `at` is its path in errors."""

    def __init__(self, at: str, size: _Size) -> None:
        self._at = at
        self._size = size

    def compile(self, root: Node) -> None:
        """Check a schema with its definitions. No definition may contain itself."""
        definitions = {name: node for key in _DEFINITIONS for name, node in (root.get(key) or {}).items()}
        graph = {name: {*self._node(node)} for name, node in definitions.items()}
        top = {key: value for key, value in root.items() if key not in _DEFINITIONS}
        for target in [*self._node(top), *(name for names in graph.values() for name in names)]:
            if target not in definitions:
                raise invalid(f"{self._at}: Unresolved reference to {target!r}")
        try:
            TopologicalSorter(graph).prepare()
        except CycleError:
            raise invalid(f"{self._at}: Recursive schemas are not supported") from None

    def _node(self, node: object) -> Iterator[str]:
        """Check a schema, and yield the names of the definitions that it refers to."""
        if not isinstance(node, dict):
            raise invalid(f"{self._at}: Schemas must be objects")
        kinds = _kinds(node)
        if kinds is None or not (kinds or node.keys() & {"$ref", "allOf", "anyOf", "const", "enum"}):
            raise invalid(
                f"{self._at}: Schema must have a supported 'type', or 'anyOf', 'allOf', 'enum', 'const', '$ref'"
            )
        self._check_keywords(node, kinds)
        self._size.unions += "anyOf" in node or isinstance(node.get("type"), list)
        if "object" in kinds:
            if node.get("additionalProperties") is not False:
                raise invalid(f"{self._at}: For 'object' type, 'additionalProperties' must be explicitly set to false")
            self._size.optional += len((node.get("properties") or {}).keys() - set(node.get("required") or ()))
        if "$ref" in node:
            yield self._target(node)
        for branch in [*node.get("anyOf", ()), *node.get("allOf", ())]:
            if "allOf" in node and isinstance(branch, dict) and "$ref" in branch:
                raise invalid(f"{self._at}: 'allOf' with '$ref' is not supported")
            yield from self._node(branch)
        for inner in (node.get("properties") or {}).values():
            yield from self._node(inner)
        if "items" in node:
            yield from self._node(node["items"])

    def _check_keywords(self, node: Node, kinds: list[str]) -> None:
        allowed = _ANY.union(*(_OF_TYPE[kind] for kind in kinds))
        surplus = sorted(name for name, value in node.items() if name not in allowed or not _is_supported(name, value))
        if surplus:
            where = f"For '{kinds[0]}' type, " if kinds else ""
            what = f"property '{surplus[0]}' is" if len(surplus) == 1 else f"properties {', '.join(surplus)} are"
            raise invalid(f"{self._at}: {where}{what} not supported")

    def _target(self, node: Node) -> str:
        found = _REFERENCE.fullmatch(node["$ref"])
        if found is None:
            raise invalid(f"{self._at}: Only references to definitions of the same schema are supported")
        if len(node) > 1:
            raise invalid(f"{self._at}: '$ref' cannot stand beside other properties")
        return found[1].replace("~1", "/").replace("~0", "~")


def _kinds(node: Node) -> list[str] | None:
    """The types of a node, or None if one is unknown."""
    kind = node.get("type", [])
    kinds = kind if isinstance(kind, list) else [kind]
    return kinds if all(each in _OF_TYPE for each in kinds) else None


def _is_supported(name: str, value: Any) -> bool:
    match name:
        case "format":
            return value in _FORMATS
        case "minItems":
            return value in (0, 1)
        case "pattern":
            return isinstance(value, str) and _NO_GRAMMAR.search(value) is None
        case "enum":
            return all(not isinstance(each, dict | list) for each in value)
        case "const":
            return not isinstance(value, dict | list)
        case "anyOf" | "allOf":
            return bool(value)
        case _:
            return True
