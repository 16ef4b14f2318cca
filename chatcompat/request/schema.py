"""The `parameters` of a function -> the `input_schema` of a tool.

The native side takes no `anyOf`, `oneOf` or `allOf` at the top of a schema and wants `"type": "object"` there.
Everything below the top, and every other key at it, goes on as the bytes that came.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.free_json import decode_array, decode_object, prove, read_proven_object

EMPTY_SCHEMA: Final = Raw(b'{"type":"object","properties":{}}')

_OBJECT: Final = Raw(b'"object"')
_COMBINATORS: Final = ("allOf", "anyOf", "oneOf")
_NOTHING: Final = Raw(b"{}")

MAX_BRANCHES: Final = 200
"""How many branches the top of a schema may have; each costs a scan of its bytes."""

_encode = msgspec.json.Encoder().encode

Schema = dict[str, Raw]


def to_input_schema(parameters: Raw | UnsetType, place: str, max_depth: int) -> Raw:
    """A schema that the native side takes and that means the same; `place` is the path of `parameters`."""
    if parameters is UNSET:
        return EMPTY_SCHEMA
    given = bytes(parameters)
    if given == b"null":
        return EMPTY_SCHEMA
    read = read_proven_object(given, max_depth)
    if read and read.get("type") == "object" and read.keys().isdisjoint(_COMBINATORS):
        return parameters
    schema = _to_schema(parameters, place)
    if not schema:
        return EMPTY_SCHEMA
    proven = prove(parameters, place, max_depth)
    if proven is not parameters:
        schema = _to_schema(proven, place)
    kind = schema.get("type")
    combined = any(word in schema for word in _COMBINATORS)
    if kind == _OBJECT and not combined:
        return proven
    if kind is not None and b'"object"' not in bytes(kind):
        raise InvalidRequest('The schema of a function must have "type": "object".', param=place, code="invalid_schema")
    if combined:
        schema = _Flattener(schema, place).flatten(schema)
    if kind is None:
        schema = {"type": _OBJECT, **schema}
    schema["type"] = _OBJECT
    return Raw(_encode(schema))


def _to_schema(raw: Raw, place: str) -> Schema:
    try:
        return decode_object(raw)
    except DECODE_ERRORS:
        raise InvalidRequest("Expected a JSON schema, an object.", param=place, code="invalid_type") from None


class _Flattener:
    """Merges the branches at the top of one schema into it, so that every property survives.

    A property that several branches have becomes a choice of its forms (all of them under `allOf`). What one
    branch of a choice requires is required only if every branch does. The number of branches is bounded, those
    behind references included.
    """

    def __init__(self, root: Schema, place: str) -> None:
        self._root = Raw(_encode(root))
        self._place = place
        self._left = MAX_BRANCHES

    def flatten(self, schema: Schema) -> Schema:
        place = self._place
        properties = _to_schema(schema.get("properties", _NOTHING), place)
        required = _names(schema.get("required"), place)
        for word in _COMBINATORS:
            if word not in schema:
                continue
            branches = [self._branch(raw) for raw in _branches(schema[word], place)]
            for branch in branches:
                _merge(properties, _to_schema(branch.get("properties", _NOTHING), place), word)
            needed = [_names(branch.get("required"), place) for branch in branches]
            if word == "allOf":
                required += [name for names in needed for name in names]
            elif needed:
                required += [name for name in needed[0] if all(name in names for names in needed)]
        merged = {key: value for key, value in schema.items() if key not in _COMBINATORS}
        merged["properties"] = Raw(_encode(properties))
        if required:
            merged["required"] = Raw(_encode(list(dict.fromkeys(required))))
        return merged

    def _branch(self, raw: Raw) -> Schema:
        """One branch with its local `$ref` and its own branches resolved; `true` and `false` have no properties."""
        self._left -= 1
        if self._left < 0:
            raise InvalidRequest(
                "The schema has too many branches at its top, or refers to itself there.",
                param=self._place,
                code="invalid_schema",
            )
        if bytes(raw) in (b"true", b"false"):
            return {}
        branch = _to_schema(raw, self._place)
        if "$ref" in branch:
            target = self._resolve(branch.pop("$ref"))
            branch = {**self._branch(target), **branch}
        return self.flatten(branch) if any(word in branch for word in _COMBINATORS) else branch

    def _resolve(self, reference: Raw) -> Raw:
        """The schema behind a local reference as `#/$defs/name` (JSON Pointer, RFC 6901)."""
        found = self._root
        try:
            pointer = msgspec.json.decode(reference, type=str)
            for step in pointer.removeprefix("#/").split("/"):
                found = decode_object(found)[step.replace("~1", "/").replace("~0", "~")]
        except (*DECODE_ERRORS, KeyError):
            raise InvalidRequest(
                "The schema has a reference that is not found in it.", param=self._place, code="invalid_schema"
            ) from None
        return found


def _branches(raw: Raw, place: str) -> list[Raw]:
    try:
        return decode_array(raw)
    except DECODE_ERRORS:
        raise InvalidRequest("Expected a list of JSON schemas.", param=place, code="invalid_schema") from None


def _names(raw: Raw | None, place: str) -> list[str]:
    if raw is None:
        return []
    try:
        return msgspec.json.decode(raw, type=list[str])
    except DECODE_ERRORS:
        raise InvalidRequest('Expected a list of names in "required".', param=place, code="invalid_schema") from None


def _merge(properties: Schema, added: Schema, word: str) -> None:
    for name, form in added.items():
        known = properties.get(name)
        if known is None:
            properties[name] = form
        elif known != form:
            properties[name] = Raw(_encode({"allOf" if word == "allOf" else "anyOf": [known, form]}))
