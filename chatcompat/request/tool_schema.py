"""The `parameters` of a function -> the `input_schema` of a tool.

The native API requires `"type": "object"` at the top level of a schema, and accepts no `anyOf`, `oneOf` or `allOf`
there. All other keys and levels are sent unchanged.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.bounds import RequestBounds, grows_too_much
from chatcompat.request.json_objects import NULL, check_depth, decode_object, may_be_deeper, read_schema, schemas_in
from chatcompat.wire import digests

Schema = dict[str, Any]

EMPTY_SCHEMA: Final[Schema] = {"type": "object", "properties": {}}

_COMBINATORS: Final = ("allOf", "anyOf", "oneOf")
_NO_TARGET: Final = "The schema has a $ref whose target is not in the schema. Add the target, or remove the $ref."
_MAX_NESTING: Final = 100  # of branches and references; each level takes three calls
_SHORT: Final = 256  # bytes of JSON; longer ones are compared by a digest

_BRANCH_REFERENCE: Final = re.compile(rb"#/(?:allOf|anyOf|oneOf)/")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901, section 4

_encode = msgspec.json.Encoder().encode


def to_plain_schema(parameters: Raw | UnsetType, max_depth: int) -> Schema | None:
    """Decode a schema that the native API accepts as it is, as most are. None for others: see `to_input_schema`.

    It needs no path for an error.
    """
    if parameters is UNSET:
        return EMPTY_SCHEMA
    if may_be_deeper(parameters, max_depth):
        return None
    try:
        schema = decode_object(parameters)
    except DECODE_ERRORS:
        return None
    return schema if schema.get("type") == "object" and schema.keys().isdisjoint(_COMBINATORS) else None


def to_input_schema(parameters: Raw | UnsetType, path: str, bounds: RequestBounds) -> Schema:
    """Convert to an equivalent schema that the native API accepts. `path` is the path of `parameters`."""
    if parameters is UNSET or parameters == NULL:
        return EMPTY_SCHEMA
    schema = read_schema(parameters, path, bounds.depth)
    if not schema:
        return EMPTY_SCHEMA
    kind = schema.get("type")
    combined = not schema.keys().isdisjoint(_COMBINATORS)
    if kind == "object" and not combined:
        return schema
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidRequest(
            'The schema of a function must have "type": "object". Add it.',
            param=path,
            code="invalid_schema",
        )
    if combined:
        text = bytes(parameters)
        schema = _Flattener(schema, len(text), path, bounds).flatten(refers=_may_refer_to_branch(text))
    return {**schema, "type": "object"} if "type" in schema else {"type": "object", **schema}


class _Forms(Struct, gc=False):
    """The different schemas of a property in several branches, by key. `word` is the keyword that combines them."""

    word: str
    forms: dict[bytes, Any]


def _to_schema(form: _Forms) -> Schema:
    return {form.word: [_to_schema(each) if type(each) is _Forms else each for each in form.forms.values()]}


class _Merged(Struct):
    """A schema with its branches merged: the form of each property by name, and the required names."""

    properties: dict[str, Any] = {}
    required: dict[str, None] = {}


def _value_of(schema: Schema, key: str, default: Any) -> Any:
    """The value of a key. Some clients write null for a key that they do not use."""
    value = schema.get(key)
    return default if value is None else value


def _may_refer_to_branch(text: bytes) -> bool:
    """Whether a reference may point into a branch of the root. Few do, and an escape may hide it."""
    return _BRANCH_REFERENCE.search(text) is not None or (b"\\" in text and (b"\\/" in text or b"\\u" in text))


class _Flattener:
    """Merges the branches at the top level of a schema into it, so that every property is kept.

    A property of several branches becomes a choice of its forms (under `allOf`, all of them). For `anyOf` and `oneOf`,
    a name is required only if every branch requires it. All work is limited, since a short reference can stand for a
    large definition, any number of times.
    """

    def __init__(self, root: Schema, size: int, path: str, bounds: RequestBounds) -> None:
        self._root = root
        self._size = size  # of the root in bytes
        self._path = path
        self._bounds = bounds
        self._branches_left = bounds.schema_branches
        self._properties_left = bounds.schema_properties
        self._bytes_left = 4 * size + bounds.growth  # the bytes that may be encoded to compare forms
        self._keys: dict[int, bytes] = {}  # by `id` of a form, which the root keeps alive
        self._has_copies = False  # whether a reference was followed, so that its target is duplicated

    def flatten(self, *, refers: bool) -> Schema:
        """Return the root without branches at its top level. `refers` says whether something may refer into one."""
        merged = self._read(self._root, 0)
        if self._has_copies:
            for form in merged.properties.values():
                self._key(form)  # raises before anything larger than the limit is built
        flat = {key: value for key, value in self._root.items() if key not in _COMBINATORS}
        self._keys.clear()
        flat["properties"] = properties = merged.properties
        for name, form in properties.items():
            if type(form) is _Forms:
                properties[name] = _to_schema(form)  # in place, so that one by one is released
        if merged.required:
            flat["required"] = list(merged.required)
        if refers and _keep_targets(flat, self._root):
            self._has_copies = True
        if self._has_copies:  # without any, a branch is nested deeper than the choice that it becomes
            if len(_encode(flat)) > self._size + self._bounds.growth:
                raise grows_too_much(self._path, self._bounds)
            check_depth(flat, self._path, self._bounds.depth)
        return flat

    def _read(self, schema: Schema, nesting: int) -> _Merged:
        properties, required = _value_of(schema, "properties", {}), _value_of(schema, "required", [])
        if not isinstance(properties, dict):
            raise self._invalid('Send an object as "properties" of the schema.')
        if not (isinstance(required, list) and all(isinstance(name, str) for name in required)):
            raise self._invalid('Send an array of strings as "required" of the schema.')
        merged = _Merged({**properties}, dict.fromkeys(required))
        for word in _COMBINATORS:
            branches = _value_of(schema, word, [])
            if not isinstance(branches, list):
                raise self._invalid(f"Send an array of JSON schemas as {word}.")
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
        """Merge the properties of a branch, and return its required names. `true` and `false` have neither."""
        self._branches_left -= 1
        if self._branches_left < 0 or nesting == _MAX_NESTING:
            raise self._invalid(
                "The schema has too many branches at its top level, or refers to itself there. Simplify it."
            )
        if isinstance(branch, bool):
            return {}
        if not isinstance(branch, dict):
            raise self._invalid(f"Send each JSON schema in {word} as an object.")
        if "$ref" in branch:
            self._has_copies = True
            required = self._merge(merged, word, self._resolve(branch["$ref"]), nesting + 1)
            beside = {key: value for key, value in branch.items() if key != "$ref"}
            return required | (self._merge(merged, word, beside, nesting + 1) if beside else {})
        if _count_names(branch) > self._properties_left:  # before they are copied
            raise self._too_many_properties()
        read = self._read(branch, nesting + 1)
        self._properties_left -= len(read.properties) + len(read.required)
        if self._properties_left < 0:
            raise self._too_many_properties()
        self._add(merged.properties, read.properties, "allOf" if word == "allOf" else "anyOf")
        return read.required

    def _add(self, properties: dict[str, Any], added: dict[str, Any], word: str) -> None:
        """Add the properties of a branch. One that is known gets a further form, unless it has that form already."""
        both = [name for name in added if name in properties]
        known, forms = [properties[name] for name in both], [added[name] for name in both]
        properties.update({name: form for name, form in added.items() if name not in properties} if both else added)
        for name, one, its_key, other, key in zip(
            both, known, self._keys_of(known), forms, self._keys_of(forms), strict=True
        ):
            if key is None or its_key is None:
                properties[name] = self._joined(one, other, word)
            elif key != its_key:
                properties[name] = _Forms(word, {its_key: one, key: other})

    def _joined(self, known: Any, form: Any, word: str) -> Any:
        """Join two forms of a property, of which at least one is `_Forms`."""
        forms = known.forms if isinstance(known, _Forms) and known.word == word else {self._key(known): known}
        if isinstance(form, _Forms) and form.word == word:
            forms |= form.forms
        else:
            forms[self._key(form)] = form
        return _Forms(word, forms) if len(forms) > 1 else known

    def _keys_of(self, forms: list[Any]) -> list[bytes | None]:
        """The keys of forms; None for `_Forms`, which may get more forms."""
        keys = [*map(self._keys.get, map(id, forms))]
        if None not in keys:
            return keys
        for form in forms:
            if id(form) not in self._keys and type(form) is not _Forms:
                encoded = _encode(form)
                self._bytes_left -= len(encoded)
                if self._bytes_left < 0:
                    raise grows_too_much(self._path, self._bounds)
                self._keys[id(form)] = encoded if len(encoded) <= _SHORT else _digest(encoded)
        return [*map(self._keys.get, map(id, forms))]

    def _key(self, form: Any) -> bytes:
        """Bytes that are equal for forms with equal JSON: short JSON itself, else a digest, which never is JSON."""
        if isinstance(form, _Forms):
            keys = [self._key(each) for each in form.forms.values()]
            return _digest(form.word.encode() + b"".join([b"%d:%b" % (len(each), each) for each in keys]))
        (key,) = self._keys_of([form])
        assert key is not None  # noqa: S101 - only `_Forms` have none
        return key

    def _resolve(self, reference: Any) -> Any:
        """Follow a local reference such as `#/$defs/name` (JSON Pointer, RFC 6901)."""
        found: Any = self._root
        if not isinstance(reference, str) or reference[:1] != "#":
            raise self._invalid(_NO_TARGET)
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and _INDEX.fullmatch(name) and int(name) < len(found):
                found = found[int(name)]
            else:
                raise self._invalid(_NO_TARGET)
        return found

    def _too_many_properties(self) -> InvalidRequest:
        return self._invalid("The branches at the top level of the schema have too many properties. Simplify it.")

    def _invalid(self, message: str) -> InvalidRequest:
        return InvalidRequest(f"{message}", param=self._path, code="invalid_schema")


def _keep_targets(flat: Schema, root: Schema) -> bool:
    """Keep the branches that something refers into, in `$defs`, and change these references. Returns whether any does.

    The branches and what was merged of them share their parts, so a reference is changed once for both.
    """
    definitions = flat.get("$defs", {})
    if not isinstance(definitions, dict):
        return False
    name = "branches"
    while name in definitions:
        name += "_"
    kept: Schema = {}
    nodes: list[Any] = [flat]
    seen: set[int] = set()
    for node in nodes:  # grows during the loop
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference[:2] == "#/":
                word = reference[2:].partition("/")[0]
                if word in _COMBINATORS and word in root:
                    node["$ref"] = f"#/$defs/{name}{reference[1:]}"
                    if word not in kept:
                        kept[word] = root[word]
                        nodes.append(root[word])
        nodes += schemas_in(node)
    if kept:
        flat["$defs"] = {**definitions, name: kept}
    return bool(kept)


def _digest(text: bytes) -> bytes:
    return b"\0" + digests.blake2b(text, digest_size=16).digest()


def _count_names(branch: Schema) -> int:
    """The number of properties and required names of a branch, without its own branches."""
    return sum(len(value) for word in ("properties", "required") if isinstance(value := branch.get(word), dict | list))
