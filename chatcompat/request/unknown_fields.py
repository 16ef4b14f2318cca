"""Removal of fields that the request structs do not have.

The structs refuse unknown fields, so a request without any costs nothing extra. Only if the decoder finds one is the
body walked here: object by object along the struct types, on raw values, so that the other fields keep their bytes.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.decode_error import is_final
from chatcompat.request.json_objects import decode_raw_list, decode_raw_object
from chatcompat.request.misplaced_fields import gather, gather_usage
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest

MAX_NAME: Final = 200
"""The number of characters of an unknown field's name that are reported."""

_encode = msgspec.json.Encoder().encode
_OBJECT: Final = ord("{")
_NULL: Final = ord("n")  # how no other value begins
_CONTAINERS: Final = b"{["
_TOOLS: Final = "tool"  # how paths of tools begin, which may lack a type

_decode_raw_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode

Structs = tuple[type[Struct], ...]

_PARSED_FROM: Final = {
    ("messages[]", "parsed"): "content",
    ("messages[].tool_calls[].function", "parsed_arguments"): "arguments",
}
"""What the vendor's own client adds to a message that it has parsed, and the field that it was parsed from."""


def remove_unknown(body: dict[str, Raw], bounds: RequestBounds) -> tuple[bool, list[str]]:
    """Remove the unknown fields of a body. Returns whether anything changed, and their paths without indexes.

    Values of the wrong type stay, so that the decoder reports them. Raises `InvalidRequest` if there are more distinct
    paths (`messages[].name`) than the limit.
    """
    walk = _Walk(bounds.unknown_fields)
    return walk.clean(body, _fields_of(ChatCompletionRequest), ""), list(walk.unknown)


class _Fields(Struct, frozen=True):
    """The fields of a struct: `plain` ones, which include its tag, and those with `nested` structs."""

    plain: frozenset[str]
    nested: dict[str, Structs]


class _Around(Struct, gc=False):
    """An object that is cleaned, or one around it, and the lists and objects in its known fields once asked for."""

    found: dict[str, Raw]
    fields: _Fields
    known: frozenset[bytes] | None = None


class _Walk:
    """Removes unknown fields from an object and from the objects in it that have a struct type."""

    def __init__(self, bound: int) -> None:
        self.unknown: dict[str, None] = {}
        self._seen: defaultdict[str, set[str]] = defaultdict(set)  # the names that were reported, by path
        self._around: list[_Around] = []  # from the outermost to the one that is cleaned
        self._found: set[str] = set()  # the lists of which one had an unknown field: others are likely to have some
        self._bound = bound

    def clean(self, found: dict[str, Raw], fields: _Fields, path: str) -> bool:
        """Remove the unknown fields of a decoded object, and say whether anything was removed."""
        gathered = gather(found) if fields is _OF_ASSISTANTS else not path and gather_usage(found)
        others = [name for name in found if name not in fields.plain]
        if not others:
            return gathered
        seen = self._seen[path]
        unknown: list[str] = []
        cleaned: dict[str, Raw] = {}
        around, level = self._around, len(self._around)
        for name in others:
            value, structs = found[name], fields.nested.get(name)
            view = memoryview(value)
            if structs is None:
                unknown.append(name)
                if view[0] == _NULL or name in seen:
                    continue
            elif view[0] not in _CONTAINERS or len(view) == len("[]"):
                continue
            if view[0] in _CONTAINERS and len(around) == level:
                around.append(_Around(found, fields))
            if structs is not None:
                inner = self._value(value, structs, _below(path, name))
                if inner is not value:
                    cleaned[name] = inner
            elif not self._is_parsed(name, path, found) and not self._repeats(value):
                seen.add(name)
                self._report(name, path)
        if len(around) > level:
            around.pop()
        for name in unknown:  # only now: what stands around is compared as it came
            del found[name]
        found.update(cleaned)
        return bool(gathered or unknown or cleaned)

    def _value(self, raw: Raw, structs: Structs, path: str) -> Raw:
        """Clean an object, or a list of objects, of one of `structs`. The same `raw` if nothing is removed."""
        decoders = _decoders(structs)
        if memoryview(raw)[0] == _OBJECT:
            cleaned = self._object(raw, decoders, path)
            return raw if cleaned is None else cleaned
        path += "[]"
        if path not in self._found:
            try:
                decoders.all(raw)
            except msgspec.ValidationError as error:
                if is_final(error) and not path.startswith(_TOOLS):  # the decoder reports the same one
                    return raw
                self._found.add(path)
            else:
                return raw
        try:
            objects, tags = _decode_raw_objects(raw), decoders.tags(raw)
        except msgspec.ValidationError:
            return self._up_to_invalid(decode_raw_list(raw), decoders, path)
        for found, fields in zip(objects, map(_FIELDS.__getitem__, map(type, tags)), strict=True):
            if found:  # nothing is to be cleaned in many empty objects
                self.clean(found, fields, path)
        return Raw(_encode(objects))

    def _up_to_invalid(self, items: list[Raw], decoders: "_Decoders", path: str) -> Raw:
        """Clean the objects of a list up to an invalid one, which the decoder reports."""
        for index, item in enumerate(items):
            if memoryview(item)[0] == _NULL:  # a native tool, which was taken out
                continue
            cleaned = self._object(item, decoders, path)
            if cleaned is None:
                break
            items[index] = cleaned
        return Raw(_encode(items))

    def _object(self, raw: Raw, decoders: "_Decoders", path: str) -> Raw | None:
        """Clean one object. None for anything else, or an unknown type, which the decoder reports."""
        try:
            tag, found = decoders.tag(raw), decode_raw_object(raw)
        except msgspec.ValidationError:
            return None
        return Raw(_encode(found)) if self.clean(found, _FIELDS[type(tag)], path) else raw

    def _is_parsed(self, name: str, path: str, found: dict[str, Raw]) -> bool:
        source = _PARSED_FROM.get((path, name))
        return source in found and memoryview(found[source])[0] != _NULL

    def _repeats(self, raw: Raw) -> bool:
        """Whether a list or an object also stands in a known field, here or further out: then nothing is lost.

        Some clients copy the calls of a message into its parts. A number or a word may be equal by chance.
        """
        if memoryview(raw)[0] not in _CONTAINERS:
            return False
        value = bytes(raw)
        for around in self._around:
            if around.known is None:
                plain, nested = around.fields.plain, around.fields.nested
                around.known = frozenset(
                    [
                        bytes(raw)
                        for name, raw in around.found.items()
                        if (name in nested or name in plain) and memoryview(raw)[0] in _CONTAINERS
                    ]
                )
            if value in around.known:
                return True
        return False

    def _report(self, name: str, path: str) -> None:
        self.unknown[_below(path, name[:MAX_NAME])] = None
        if len(self.unknown) > self._bound:
            raise InvalidRequest(
                f"The request has more than {self._bound} distinct unknown fields. Send those of the API only.",
                param=path or None,
                code="too_many_unknown_fields",
            )


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_FIELDS: Final[dict[type, _Fields]] = {}
"""For each tag type, the fields of its struct."""


class _Decoders(NamedTuple):
    """Decoders of objects of some structs. Tags are found exactly as the structs' decoder does, duplicates included."""

    all: Callable[[Raw], object]  # a list of them or of nulls, without any unknown field
    tags: Callable[[Raw], list[Any]]  # only the tags of a list of them
    tag: Callable[[Raw], Any]  # only the tag of one


@cache
def _decoders(structs: Structs) -> _Decoders:
    tags = []
    for struct in structs:
        config = struct.__struct_config__
        tag = msgspec.defstruct(struct.__name__, [], tag_field=config.tag_field, tag=config.tag)
        _FIELDS[tag] = _fields_of(struct)
        tags.append(tag)
    whole: Any = Union[(*structs, None)]
    union: Any = Union[tuple(tags)]  # noqa: UP007 - built from a list
    return _Decoders(
        msgspec.json.Decoder(list[whole]).decode,
        msgspec.json.Decoder(list[union]).decode,
        msgspec.json.Decoder(union).decode,
    )


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


_OF_ASSISTANTS: Final = _fields_of(AssistantMessage)
