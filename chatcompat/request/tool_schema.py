"""The `parameters` of a function -> the `input_schema` of a tool.

The native side takes no `anyOf`, `oneOf` or `allOf` at the top of a schema and wants `"type": "object"` there.
Everything below the top, and every other key at it, goes on as it came.
"""

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds, grows_too_much
from chatcompat.request.json_objects import check_depth, read_schema

Schema = dict[str, Any]

EMPTY_SCHEMA: Final[Schema] = {"type": "object", "properties": {}}

_COMBINATORS: Final = ("allOf", "anyOf", "oneOf")
_NULL: Final = Raw(b"null")
_MAX_NESTING: Final = 100  # of branches and references in each other; each level takes three calls

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901, section 4

_encode = msgspec.json.Encoder().encode


def to_input_schema(parameters: Raw | UnsetType, path: str, bounds: RequestBounds) -> Schema:
    """A schema that the native side takes and that means the same; `path` is the path of `parameters`."""
    if parameters is UNSET or parameters == _NULL:
        return EMPTY_SCHEMA
    schema = read_schema(parameters, path, bounds.depth)
    if not schema:
        return EMPTY_SCHEMA
    kind = schema.get("type")
    combined = not schema.keys().isdisjoint(_COMBINATORS)
    if kind == "object" and not combined:
        return schema
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidRequest('The schema of a function must have "type": "object".', param=path, code="invalid_schema")
    if combined:
        schema = _Flattener(schema, memoryview(parameters).nbytes, path, bounds).flatten()
        check_depth(schema, path, bounds.depth)
    return {"type": "object", **schema} if kind is None else {**schema, "type": "object"}


class _Forms(Struct):
    """The different forms that a property has in several branches, by key; `word` says how they belong together."""

    word: str
    forms: dict[bytes, Any]


def _to_schema(form: Any) -> Any:
    return {form.word: [_to_schema(each) for each in form.forms.values()]} if isinstance(form, _Forms) else form


class _Merged(Struct):
    """What a schema and its branches say together: each property's form by its name, and the names required."""

    properties: dict[str, Any] = {}
    required: dict[str, None] = {}


class _Flattener:
    """Merges the branches at the top of one schema into it, so that every property survives.

    A property that several branches have becomes a choice of its forms (all of them under `allOf`). What one branch of
    a choice requires is required only if every branch does. All is bounded: a short reference can stand for a large
    definition, and a definition can be referred to again and again.
    """

    def __init__(self, root: Schema, size: int, path: str, bounds: RequestBounds) -> None:
        self._root = root
        self._size = size  # of the root, in bytes
        self._place = path
        self._bounds = bounds
        self._branches_left = bounds.schema_branches
        self._properties_left = bounds.schema_properties
        self._bytes_left = 4 * size + bounds.growth  # that may be encoded to compare forms
        self._keys: dict[int, bytes] = {}  # by the identity of a form; the root keeps it alive
        self._has_copies = False  # whether a reference was followed, so that its target stands in two places

    def flatten(self) -> Schema:
        """The root without branches at its top."""
        merged = self._read(self._root, 0)
        if self._has_copies:
            for form in merged.properties.values():
                self._key(form)  # gives up before anything larger than the bound is built
        flat = {key: value for key, value in self._root.items() if key not in _COMBINATORS}
        flat["properties"] = {name: _to_schema(form) for name, form in merged.properties.items()}
        if merged.required:
            flat["required"] = list(merged.required)
        if self._has_copies and len(_encode(flat)) > self._size + self._bounds.growth:
            raise grows_too_much(self._place, self._bounds)
        return flat

    def _read(self, schema: Schema, nesting: int) -> _Merged:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict):
            raise self._invalid('Expected an object in "properties".')
        if not (isinstance(required, list) and all(isinstance(name, str) for name in required)):
            raise self._invalid('Expected a list of names in "required".')
        merged = _Merged({**properties}, dict.fromkeys(required))
        for word in _COMBINATORS:
            branches = schema.get(word, [])
            if not isinstance(branches, list):
                raise self._invalid("Expected a list of JSON schemas.")
            needed = [self._merge(merged, word, branch, nesting) for branch in branches]
            if word == "allOf":
                for names in needed:
                    merged.required.update(names)
            elif needed:
                merged.required.update(
                    dict.fromkeys(name for name in needed[0] if all(name in names for names in needed))
                )
        return merged

    def _merge(self, merged: _Merged, word: str, branch: Any, nesting: int) -> dict[str, None]:
        """Merge the properties of one branch; gives the names that it requires. `true` and `false` have neither."""
        self._branches_left -= 1
        if self._branches_left < 0 or nesting == _MAX_NESTING:
            raise self._invalid("The schema has too many branches at its top, or refers to itself there.")
        if isinstance(branch, bool):
            return {}
        if not isinstance(branch, dict):
            raise self._invalid("Expected a JSON schema, an object.")
        if "$ref" in branch:
            self._has_copies = True
            required = self._merge(merged, word, self._resolve(branch["$ref"]), nesting + 1)
            beside = {key: value for key, value in branch.items() if key != "$ref"}
            return required | (self._merge(merged, word, beside, nesting + 1) if beside else {})
        read = self._read(branch, nesting + 1)
        self._properties_left -= len(read.properties) + len(read.required)
        if self._properties_left < 0:
            raise self._invalid("The branches at the top of the schema have too many properties.")
        for name, form in read.properties.items():
            self._add(merged.properties, name, form, "allOf" if word == "allOf" else "anyOf")
        return read.required

    def _add(self, properties: dict[str, Any], name: str, form: Any, word: str) -> None:
        """Add a form of a property to those that it has already, unless it is one of them."""
        if name not in properties:
            properties[name] = form
            return
        known = properties[name]
        if not (isinstance(known, _Forms) and known.word == word):
            known = _Forms(word, {self._key(known): known})
        known.forms |= form.forms if isinstance(form, _Forms) and form.word == word else {self._key(form): form}
        if len(known.forms) > 1:
            properties[name] = known

    def _key(self, form: Any) -> bytes:
        """The same 16 bytes for forms that are written alike."""
        if isinstance(form, _Forms):
            return blake2b(form.word.encode() + b"".join(map(self._key, form.forms.values())), digest_size=16).digest()
        key = self._keys.get(id(form))
        if key is None:
            encoded = _encode(form)
            self._bytes_left -= len(encoded)
            if self._bytes_left < 0:
                raise grows_too_much(self._place, self._bounds)
            key = self._keys[id(form)] = blake2b(encoded, digest_size=16).digest()
        return key

    def _resolve(self, reference: Any) -> Any:
        """What a local reference as `#/$defs/name` points at (JSON Pointer, RFC 6901)."""
        found: Any = self._root
        if not isinstance(reference, str) or reference[:1] != "#":
            raise self._invalid("The schema has a reference that is not found in it.")
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and _INDEX.fullmatch(name) and int(name) < len(found):
                found = found[int(name)]
            else:
                raise self._invalid("The schema has a reference that is not found in it.")
        return found

    def _invalid(self, message: str) -> InvalidRequest:
        return InvalidRequest(f"{message}", param=self._place, code="invalid_schema")
