"""Accept values that some clients write in another form than the vendor's, with the same meaning.

The typed decoder refuses them. Only then is the body walked here, once, along the struct types. Other requests cost
nothing extra.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from operator import is_
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, to_param
from chatcompat.request.json_objects import decode_raw_list, decode_raw_object, decode_with_surrogates
from chatcompat.wire.chat_request import ChatCompletionRequest, FunctionCall, ImagePart
from chatcompat.wire.chat_tools import CustomTool, FunctionTool, NamedCustomChoice, NamedFunctionChoice

_OBJECT: Final = ord("{")
_LIST: Final = ord("[")
_STRING: Final = ord('"')
_MAX_DIGITS: Final = 32
_MAX_NAME: Final = 100
_MAX_EXACT: Final = 2**53  # a float holds every integer up to here

_UNTYPED: Final = {
    FunctionTool: "function",
    NamedFunctionChoice: "function",
    CustomTool: "custom",
    NamedCustomChoice: "custom",
}
"""The objects that some clients send without a `type`, and the field that tells it."""

_REWRITTEN: Final = frozenset({FunctionCall, ImagePart, *_UNTYPED})

_encode = msgspec.json.Encoder().encode
_decode_str = msgspec.json.Decoder(str).decode

Structs = tuple[type[Struct], ...]


def with_strict_forms(body: bytes) -> bytes:
    """Return `body` with the values in the forms that the typed decoder takes: itself, if they are in these already.

    `body` must be well-formed JSON.

    - A whole number written as a float (`4096.0`) becomes an integer, for each integer field.
    - The `arguments` of a call that are an object become a string.
    - An `image_url` that is a string becomes an object.
    - A tool or a choice of one without a `type` gets that of its definition.
    """
    raw = Raw(body)
    walked = _walk(raw, (ChatCompletionRequest,))
    return body if walked is raw else bytes(walked)


def _walk(raw: Raw, structs: Structs) -> Raw:
    """Rewrite an object, or a list of objects, of one of `structs`. No field holds lists of lists."""
    if memoryview(raw)[0] != _LIST:
        return _walk_object(raw, structs)
    items = decode_raw_list(raw)
    walked = [_walk_object(item, structs) for item in items]
    return raw if all(map(is_, walked, items)) else Raw(_encode(walked))


def _walk_object(raw: Raw, structs: Structs) -> Raw:
    if memoryview(raw)[0] != _OBJECT:
        return raw
    found = sent = decode_raw_object(raw)
    struct = struct_of(found, structs)
    if struct is None and "type" not in found:
        struct = next((kind for kind in structs if _UNTYPED.get(kind) in found), None)
        found = found if struct is None else {"type": Raw(_encode(_UNTYPED[struct])), **found}
    if struct is None:
        return raw
    whole_numbers, nested = _fields_of(struct)
    rewritten: dict[str, Raw] = {}
    for name, value in found.items():
        start = memoryview(value)[0]
        if name in whole_numbers:
            rewritten[name] = _to_integer(value)
        elif struct is FunctionCall and name == "arguments" and start == _OBJECT:
            rewritten[name] = Raw(_encode(bytes(value).decode()))
        elif struct is ImagePart and name == "image_url" and start == _STRING:
            rewritten[name] = Raw(b'{"url":%b}' % value)
        elif name in nested:
            rewritten[name] = _walk(value, nested[name])
    whole = found | rewritten
    if found is sent and all(found[name] is value for name, value in rewritten.items()):
        return raw
    return Raw(_encode(whole))


def struct_of(found: dict[str, Raw], structs: Structs) -> type[Struct] | None:
    """The struct for an object, by its tag."""
    for struct in structs:
        config = struct.__struct_config__
        if config.tag_field is None:
            return struct
        tag = found.get(config.tag_field)
        if tag is not None and bytes(tag) == _encode(config.tag):
            return struct
    return None


def _to_integer(value: Raw) -> Raw:
    digits = bytes(value)
    if len(digits) > _MAX_DIGITS or digits[:1] not in b"-0123456789":
        return value
    number = float(digits)
    written = b"%d" % int(number) if number.is_integer() and abs(number) <= _MAX_EXACT else digits
    return value if written == digits else Raw(written)


def leaves(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows: on its own, in a union or in a list."""
    if get_origin(annotation) in (list, Union, UnionType) or hasattr(annotation, "__metadata__"):
        for part in get_args(annotation):
            yield from leaves(part)
    else:
        yield annotation


def structs_of(types: Iterable[Any]) -> Structs:
    """The structs among some types."""
    return tuple(kind for kind in types if isinstance(kind, type) and issubclass(kind, Struct))


@cache
def _fields_of(struct: type[Struct]) -> tuple[frozenset[str], dict[str, Structs]]:
    """The integer fields of a struct, and the fields that hold structs of which any may be rewritten."""
    kinds = {field.encode_name: tuple(leaves(field.type)) for field in msgspec.structs.fields(struct)}
    nested = {name: structs_of(found) for name, found in kinds.items()}
    nested = {name: structs for name, structs in nested.items() if any(map(_may_be_rewritten, structs))}
    return frozenset(name for name, found in kinds.items() if int in found), nested


def _may_be_rewritten(struct: type[Struct]) -> bool:
    """Whether a struct, or any within it, has a value in another form. Most parts of messages have none."""
    return struct in _REWRITTEN or any(_fields_of(struct))


def lone_surrogate(body: bytes) -> str | None:
    r"""The path of the first string with half of a surrogate pair, such as `\ud800`. None if there is none."""
    try:
        values: list[tuple[str, Any]] = [("", decode_with_surrogates(body))]
    except (*DECODE_ERRORS, ValueError):
        return None
    while values:
        path, value = values.pop()
        if isinstance(value, str):
            if not _is_text(value):
                return path
        elif isinstance(value, dict):
            if not all(map(_is_text, value)):
                return path
            values += reversed([(_step(f"{path}." if path else "", name), item) for name, item in value.items()])
        elif isinstance(value, list):
            values += [(_step(path, f"[{index}]"), item) for index, item in reversed([*enumerate(value)])]
    return None


def _step(path: str, name: str) -> str:
    """A path with one more step. It stays short, however long the client's names are."""
    return to_param(path + name[:_MAX_NAME])


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
