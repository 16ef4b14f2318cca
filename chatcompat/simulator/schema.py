"""Example values for a JSON schema, used for the arguments of calls and for structured output.

Supports types, enum, const, default, objects, arrays, choices, local references, and the limits of numbers, strings
and arrays. Ignores `pattern`, `not`, `uniqueItems`, `if` and `patternProperties`.
Source: https://json-schema.org/draft/2020-12
"""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Final, Literal, Union

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chatcompat.simulator.errors import invalid

MAX_DEPTH: Final = 4  # of objects and arrays; below that, only required properties
MAX_NODES: Final = 10_000  # in one example
MAX_TEXT: Final = 10_000  # characters, the largest `minLength`

TypeName = Literal["object", "array", "string", "integer", "number", "boolean", "null"]
Node = Union["Schema", bool]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class Schema(Struct, frozen=True, kw_only=True, rename="camel"):
    """The supported keywords. Others are ignored."""

    type: TypeName | list[TypeName] | UnsetType = UNSET
    const: object = UNSET
    enum: list[object] | UnsetType = UNSET
    default: object = UNSET
    ref: str | UnsetType = msgspec.field(default=UNSET, name="$ref")
    defs: dict[str, Node] | UnsetType = msgspec.field(default=UNSET, name="$defs")
    definitions: dict[str, Node] | UnsetType = UNSET
    all_of: list[Node] | UnsetType = UNSET
    any_of: list[Node] | UnsetType = UNSET
    one_of: list[Node] | UnsetType = UNSET
    properties: dict[str, Node] | UnsetType | None = UNSET
    required: list[str] | UnsetType | None = UNSET
    additional_properties: Node | UnsetType = UNSET
    prefix_items: list[Node] | UnsetType = UNSET
    items: Node | UnsetType = UNSET
    min_items: Count | UnsetType = UNSET
    max_items: Count | UnsetType = UNSET
    min_length: Count | UnsetType = UNSET
    max_length: Count | UnsetType = UNSET
    format: str | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    exclusive_minimum: float | UnsetType = UNSET
    exclusive_maximum: float | UnsetType = UNSET
    multiple_of: Positive | UnsetType = UNSET


_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Infers the type of a schema without `type` from its other keywords.
_TYPE_OF_KEYWORD: Final[dict[str, TypeName]] = {
    "properties": "object",
    "required": "object",
    "additional_properties": "object",
    "prefix_items": "array",
    "items": "array",
    "min_items": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusive_minimum": "number",
    "exclusive_maximum": "number",
    "multiple_of": "number",
}


def example(schema: dict[str, object]) -> object:
    """Return the example for `schema`; {} if no finite value fits."""
    root = msgspec.convert(schema, Schema)
    value = _Examples(root).value(root, frozenset(), 0)
    return {} if value is UNSET else value


class _Examples:
    """Builds one example. UNSET means that no finite value fits."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MAX_NODES

    def value(self, node: Node, seen: frozenset[str], depth: int) -> object:
        """A value for `node`. `seen` are the references that led here."""
        self._left -= 1
        if self._left < 0:
            raise invalid("Schema is too complex.")
        if isinstance(node, bool):
            return "example" if node else UNSET
        if node.const is not UNSET:
            return node.const
        if node.enum is not UNSET:
            return node.enum[0] if node.enum else UNSET
        if node.default is not UNSET:
            return node.default
        if node.ref is not UNSET:
            return UNSET if node.ref in seen else self.value(self._resolved(node, node.ref), seen | {node.ref}, depth)
        if node.all_of:
            first, *rest = node.all_of
            return self.value(_merged(msgspec.structs.replace(node, all_of=rest), first), seen, depth)
        if node.any_of or node.one_of:
            return self._first_of(node, seen, depth)
        return self._typed(node, seen, depth)

    def _resolved(self, node: Schema, ref: str) -> Node:
        """Merge `node` with the target of `ref`. Keywords beside the reference still apply."""
        target: object = self._root
        for token in ref.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(name)
            elif isinstance(target, list):
                target = target[int(name)] if name.isdecimal() and int(name) < len(target) else None
            else:
                target = getattr(target, _FIELDS.get(name, ""), None)
        if not isinstance(target, Schema | bool) or not ref.startswith("#"):
            target = True  # not a local reference: accept anything
        return _merged(msgspec.structs.replace(node, ref=UNSET), target)

    def _first_of(self, node: Schema, seen: frozenset[str], depth: int) -> object:
        """A value for the first branch that has one."""
        branches = [*(node.any_of or ()), *(node.one_of or ())]
        rest = msgspec.structs.replace(node, any_of=UNSET, one_of=UNSET)
        values = (self.value(_merged(rest, branch), seen, depth) for branch in branches)
        return next((value for value in values if value is not UNSET), UNSET)

    def _typed(self, node: Schema, seen: frozenset[str], depth: int) -> object:
        match _type(node):
            case "object":
                return self._object(node, seen, depth)
            case "array":
                return self._array(node, seen, depth)
            case "string":
                return _text(node)
            case "integer":
                return _number(node, whole=True)
            case "number":
                return _number(node, whole=False)
            case "boolean":
                return True
            case _:
                return None

    def _object(self, node: Schema, seen: frozenset[str], depth: int) -> object:
        properties, required = node.properties or {}, node.required or []
        built: dict[str, object] = {}
        for name, inner in properties.items():
            if name not in required and depth >= MAX_DEPTH:
                continue
            value = self.value(inner, seen, depth + 1)
            if value is not UNSET:
                built[name] = value
        other: Node = True if node.additional_properties is UNSET else node.additional_properties
        for name in required:
            if name not in properties:
                built[name] = self.value(other, seen, depth + 1)
            if built.get(name, UNSET) is UNSET:
                return UNSET
        if node.properties is UNSET and not built and depth < MAX_DEPTH:  # an open object: avoid an empty example
            value = self.value(other, seen, depth + 1)
            return {} if value is UNSET else {"example": value}
        return built

    def _array(self, node: Schema, seen: frozenset[str], depth: int) -> object:
        firsts = node.prefix_items or []
        other: Node = True if node.items is UNSET else node.items
        least = node.min_items or 0
        wanted = max(least, len(firsts), 1) if depth < MAX_DEPTH else least
        count = wanted if node.max_items is UNSET else min(wanted, node.max_items)
        built: list[object] = []
        for index in range(count):
            value = self.value(firsts[index] if index < len(firsts) else other, seen, depth + 1)
            if value is UNSET:
                return UNSET if index < least else built
            built.append(value)
        return built


_FIELDS: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Schema)}


def _type(node: Schema) -> TypeName:
    if isinstance(node.type, str):
        return node.type
    if node.type:
        return next((name for name in node.type if name != "null"), "null")
    return next((name for field, name in _TYPE_OF_KEYWORD.items() if getattr(node, field) is not UNSET), "string")


def _merged(base: Schema, extra: Node) -> Node:
    """Merge two schemas. Keywords of `extra` win; `properties`, `required` and `allOf` are combined."""
    if isinstance(extra, bool):
        return base if extra else False
    changes = {name: value for name in _FIELDS.values() if (value := getattr(extra, name)) is not UNSET}
    if base.properties and extra.properties:
        changes["properties"] = {**base.properties, **extra.properties}
    if base.required and extra.required:
        changes["required"] = [*base.required, *extra.required]
    if base.all_of and extra.all_of:
        changes["all_of"] = [*base.all_of, *extra.all_of]
    return msgspec.structs.replace(base, **changes)


def _text(node: Schema) -> str:
    least = node.min_length or 0
    if least > MAX_TEXT:
        raise invalid("Schema is too complex.")
    text = _FORMATS.get(node.format or "", "example").ljust(least, "x")
    return text if node.max_length is UNSET else text[: node.max_length]


def _number(node: Schema, *, whole: bool) -> int | float:
    """The number nearest to 1 that is within the limits and, if set, a multiple of `multipleOf`."""
    step = _exact(node.multiple_of)
    if whole:
        step = Fraction(step.numerator if step else 1)
    low, high = _exact(node.minimum), _exact(node.maximum)
    above, below = _exact(node.exclusive_minimum), _exact(node.exclusive_maximum)
    gap = _half_gap(low, high, above, below)
    if above is not None and (low is None or low <= above):
        low = above + gap if step is None else (above // step + 1) * step
    if below is not None and (high is None or high >= below):
        high = below - gap if step is None else (-(-below // step) - 1) * step
    value = Fraction(1) if step is None else -(-1 // step) * step
    if high is not None and value > high:
        value = high if step is None else high // step * step
    if low is not None and value < low:
        value = low if step is None else -(-low // step) * step
    return int(value) if value.denominator == 1 else float(value)


def _half_gap(*limits: Fraction | None) -> Fraction:
    """Half the smallest distance between two limits: stepping off one limit then stays within the other."""
    known = sorted({limit for limit in limits if limit is not None})
    gaps = [(b - a) / 2 for a, b in pairwise(known)]
    return min([Fraction(1), *gaps])


def _exact(number: float | UnsetType) -> Fraction | None:
    """The number as written: 0.1 is one tenth, not the nearest binary fraction."""
    return None if number is UNSET else Fraction(Decimal(str(number)))
