"""Random JSON schemas, the values that they describe, and a validator of the keywords that they use."""

from collections.abc import Iterator
from random import Random
from typing import Any

Schema = dict[str, Any]

NAMES = ("a", "b", "c")
_TYPES: dict[str, Any] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
_LEAVES: tuple[Schema, ...] = (
    {"type": "string"},
    {"type": "integer"},
    {"type": ["boolean", "null"]},
    {"enum": ["x", 1]},
    {"const": None},
    {"$ref": "#/$defs/leaf"},
    {"$ref": "#/$defs/shared"},
    {"$ref": "#/$defs/shared", "description": "beside the reference"},
)


def schema_of(random: Random) -> Schema:
    """The schema of an object. Its objects are open or closed, with and without branches beside their properties."""
    closed = random.random()  # how many objects are
    shared: Schema = {"type": "object", "properties": {random.choice(NAMES): {"type": "string"}}}
    if random.random() < closed:
        shared["additionalProperties"] = False
    return {**_object(random, 3, closed), "$defs": {"leaf": {"type": "string"}, "shared": shared}}


def _node(random: Random, depth: int, closed: float) -> Schema:
    kind = random.choice(("leaf", "object", "array", "anyOf", "oneOf", "allOf")) if depth else "leaf"
    if kind == "leaf":
        return random.choice(_LEAVES)
    if kind == "object":
        return _object(random, depth, closed)
    if kind == "array":
        return {"type": "array", "items": _node(random, depth - 1, closed)}
    return {kind: [_node(random, depth - 1, closed) for _ in range(random.randint(1, 2))]}


def _object(random: Random, depth: int, closed: float) -> Schema:
    node: Schema = {"type": "object"}
    if random.random() < 0.8:
        node["properties"] = {
            name: _node(random, depth - 1, closed) for name in random.sample(NAMES, random.randint(0, 2))
        }
        node["required"] = [name for name in node["properties"] if random.random() < 0.5]
    if random.random() < closed:
        node["additionalProperties"] = False
    if random.random() < 0.3:
        node[random.choice(("anyOf", "oneOf", "allOf"))] = [
            _object(random, depth - 1, closed) if depth > 1 else {"$ref": "#/$defs/shared"}
            for _ in range(random.randint(1, 2))
        ]
    return node


# ---------------------------------------------------------------- values


def value_of(random: Random, root: Schema) -> Any:
    """A value with names that the schema knows. Most are valid."""
    return _value(random, root, root)


def _value(random: Random, root: Schema, node: Schema) -> Any:
    parts = [*_parts(random, root, node)]
    for part in parts:
        if "const" in part:
            return part["const"]
        if "enum" in part:
            return random.choice(part["enum"])
    match random.choice([kind for part in parts if "type" in part for kind in _as_list(part["type"])]):
        case "object":
            known = {name: form for part in parts for name, form in part.get("properties", {}).items()}
            required = {name for part in parts for name in part.get("required", ())}
            names = [name for name in known if name in required or random.random() < 0.5]
            return {name: _value(random, root, known[name]) for name in names}
        case "array":
            items = next(part["items"] for part in parts if "items" in part)
            return [_value(random, root, items) for _ in range(random.randint(0, 2))]
        case kind:
            return {"string": "s", "integer": 1, "boolean": True, "null": None}[kind]


def _parts(random: Random, root: Schema, node: Schema) -> Iterator[Schema]:
    """A node, all that it refers to, and one branch of each choice."""
    yield node
    if "$ref" in node:
        yield from _parts(random, root, _target(root, node["$ref"]))
    for word in ("anyOf", "oneOf"):
        if word in node:
            yield from _parts(random, root, random.choice(node[word]))
    for branch in node.get("allOf", ()):
        yield from _parts(random, root, branch)


# ---------------------------------------------------------------- validation


def is_valid(value: Any, schema: Schema) -> bool:
    """Whether a value fits a schema."""
    return _fits(value, schema, schema)


def _fits(value: Any, node: Schema, root: Schema) -> bool:
    return all(_checks(value, node, root))


def _checks(value: Any, node: Schema, root: Schema) -> Iterator[bool]:
    if "type" in node:
        yield any(_is_of(value, kind) for kind in _as_list(node["type"]))
    if "const" in node:
        yield _same(value, node["const"])
    if "enum" in node:
        yield any(_same(value, each) for each in node["enum"])
    if "$ref" in node:
        yield _fits(value, _target(root, node["$ref"]), root)
    if "anyOf" in node:
        yield any(_fits(value, branch, root) for branch in node["anyOf"])
    if "allOf" in node:
        yield all(_fits(value, branch, root) for branch in node["allOf"])
    if "oneOf" in node:
        yield sum(_fits(value, branch, root) for branch in node["oneOf"]) == 1
    if isinstance(value, dict):
        properties = node.get("properties", {})
        yield set(node.get("required", ())) <= value.keys()
        yield node.get("additionalProperties") is not False or value.keys() <= properties.keys()
        yield all(_fits(inner, properties[name], root) for name, inner in value.items() if name in properties)
    if isinstance(value, list) and "items" in node:
        yield all(_fits(inner, node["items"], root) for inner in value)


def _target(root: Schema, reference: str) -> Schema:
    return root["$defs"][reference.rpartition("/")[2]]  # type: ignore[no-any-return]


def _as_list(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _is_of(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
