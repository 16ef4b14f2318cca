"""Removal of fields that the request structs do not have.

The structs refuse unknown fields, so a request without any costs nothing extra. Only if the decoder finds one is the
body walked here: object by object along the struct types, on raw values, so that the other fields keep their bytes.
"""

from collections.abc import Callable
from functools import cache, cached_property
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.json_objects import decode_raw_list, decode_raw_object
from chatcompat.request.misplaced_fields import gather, gather_usage
from chatcompat.wire.chat_request import ChatCompletionRequest

MAX_NAME: Final = 200
"""The number of characters of an unknown field's name that are reported."""

_encode = msgspec.json.Encoder().encode
_OBJECT: Final = ord("{")
_CONTAINERS: Final = b"{["
_NULL: Final = b"null"

_decode_raw_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode

Structs = tuple[type[Struct], ...]

_PARSED_FROM: Final = {
    ("messages[]", "parsed"): "content",
    ("messages[].tool_calls[].function", "parsed_arguments"): "arguments",
}
"""What the vendor's own client adds to a message that it has parsed, and the field that it was parsed from."""


def without_unknown(body: bytes, bounds: RequestBounds) -> tuple[bytes, list[str]]:
    """Return `body` without its unknown fields, and their paths without indexes (`messages[].name`).

    `body` must be well-formed JSON. Values of the wrong type stay, so that the decoder reports them. Raises
    `InvalidRequest` if there are more distinct paths than the limit.
    """
    walk = _Walk(bounds.unknown_fields)
    return bytes(walk.value(Raw(body), (ChatCompletionRequest,), "")), list(walk.unknown)


class _Fields(Struct, frozen=True):
    """The fields of a struct: `plain` ones, which include its tag, and those with `nested` structs."""

    plain: frozenset[str]
    nested: dict[str, Structs]

    def __contains__(self, name: str) -> bool:
        return name in self.plain or name in self.nested


class _Known:
    """The values of the known fields of an object, as bytes once they are asked for."""

    def __init__(self, raw: list[Raw]) -> None:
        self._raw = raw

    @cached_property
    def values(self) -> frozenset[bytes]:
        """The lists and objects among them."""
        return frozenset(bytes(value) for value in self._raw if memoryview(value)[0] in _CONTAINERS)


class _Walk:
    """Removes unknown fields from an object and from the objects in it that have a struct type."""

    def __init__(self, bound: int) -> None:
        self.unknown: dict[str, None] = {}
        self._around: list[_Known] = []  # the object that is cleaned, and those around it
        self._bound = bound

    def value(self, raw: Raw, structs: Structs, path: str) -> Raw:
        """Clean an object, or a list of objects, of one of `structs`."""
        if memoryview(raw)[0] == _OBJECT:
            return self._object(raw, structs, path)
        path += "[]"
        try:
            objects, tags = _decode_raw_objects(raw), _tags_decoder(structs)(raw)
        except msgspec.ValidationError:  # the decoder reports the invalid object, once the others are clean
            return Raw(_encode([self._object(item, structs, path) for item in decode_raw_list(raw)]))
        for found, tag in zip(objects, tags, strict=True):
            self._clean(found, _FIELDS[type(tag)], path)
        return Raw(_encode(objects))

    def _object(self, raw: Raw, structs: Structs, path: str) -> Raw:
        """Clean one object. Anything else, or an unknown type, stays for the decoder to report."""
        try:
            (tag,) = _tags_decoder(structs)(b"[%b]" % raw)
            found = decode_raw_object(raw)
        except msgspec.ValidationError:
            return raw
        self._clean(found, _FIELDS[type(tag)], path)
        return Raw(_encode(found))

    def _clean(self, found: dict[str, Raw], fields: _Fields, path: str) -> None:
        if path == "messages[]":
            gather(found)
        elif not path:
            gather_usage(found)
        self._around.append(_Known([value for name, value in found.items() if name in fields]))
        for name in tuple(found):
            if name in fields.plain:
                continue
            structs = fields.nested.get(name)
            if structs is None:
                value = bytes(found.pop(name))
                if value != _NULL and not self._is_parsed(name, path, found) and not self._repeats(value):
                    self._report(name, path)
            elif memoryview(found[name])[0] in _CONTAINERS:
                found[name] = self.value(found[name], structs, f"{path}.{name}" if path else name)

        self._around.pop()

    def _is_parsed(self, name: str, path: str, found: dict[str, Raw]) -> bool:
        source = _PARSED_FROM.get((path, name))
        return source is not None and bytes(found.get(source, _NULL)) != _NULL

    def _repeats(self, value: bytes) -> bool:
        """Whether a list or an object also stands in a known field, here or further out: then nothing is lost.

        Some clients copy the calls of a message into its parts. A number or a word may be equal by chance.
        """
        return value[0] in _CONTAINERS and any(value in known.values for known in self._around)

    def _report(self, name: str, path: str) -> None:
        self.unknown[f"{path}.{name[:MAX_NAME]}" if path else name[:MAX_NAME]] = None
        if len(self.unknown) > self._bound:
            raise InvalidRequest(
                f"The request has more than {self._bound} distinct unknown fields. Send those of the API only.",
                param=path or None,
                code="too_many_unknown_fields",
            )


_FIELDS: Final[dict[type, _Fields]] = {}
"""For each tag type, the fields of its struct."""


@cache
def _tags_decoder(structs: Structs) -> Callable[[bytes | Raw], list[Any]]:
    """Decode only the tags in a list, exactly as the structs' decoder does, duplicate keys included."""
    tags = []
    for struct in structs:
        config = struct.__struct_config__
        tag = msgspec.defstruct(struct.__name__, [], tag_field=config.tag_field, tag=config.tag)
        _FIELDS[tag] = _fields_of(struct)
        tags.append(tag)
    union: Any = Union[tuple(tags)]  # noqa: UP007 - built from a list
    decode: Callable[[bytes | Raw], list[Any]] = msgspec.json.Decoder(list[union]).decode
    return decode


def _structs_in(annotation: Any) -> tuple[type[Struct], ...]:
    """The structs that a field may hold, directly or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return (annotation,)
    if get_origin(annotation) in (list, Union, UnionType) or hasattr(annotation, "__metadata__"):
        return tuple(struct for part in get_args(annotation) for struct in _structs_in(part))
    return ()


@cache
def _fields_of(struct: type[Struct]) -> _Fields:
    fields = {field.encode_name: _structs_in(field.type) for field in msgspec.structs.fields(struct)}
    nested = {name: structs for name, structs in fields.items() if structs}
    tag = struct.__struct_config__.tag_field
    plain = {name for name in (*fields, tag) if name is not None and name not in nested}
    return _Fields(frozenset(plain), nested)
