"""Accept values that some clients write in another form than the vendor's, with the same meaning.

The typed decoder refuses them. Only then is the body walked here, once, along the struct types. Other requests cost
nothing extra. Messages have no such value: there can be many, so the decoder takes each form that they may have.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from operator import is_
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, to_param
from chatcompat.request.json_objects import decode_raw_list, decode_raw_object, decode_with_surrogates
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.chat_tools import CustomTool, FunctionTool, NamedCustomChoice, NamedFunctionChoice

_OBJECT: Final = ord("{")
_LIST: Final = ord("[")
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

_encode = msgspec.json.Encoder().encode
_decode_str = msgspec.json.Decoder(str).decode

Structs = tuple[type[Struct], ...]


def set_strict_forms(body: dict[str, Raw]) -> None:
    """Rewrite the values of a body in the forms that the typed decoder takes.

    - A whole number written as a float (`4096.0`) becomes an integer, for each integer field.
    - A tool or a choice of one without a `type` gets that of its definition.
    """
    _rewrite(body, ChatCompletionRequest)


def _rewrite(found: dict[str, Raw], struct: type[Struct]) -> bool:
    """Rewrite the fields of a struct, and say whether any had another form."""
    whole_numbers, nested, listed = _fields_of(struct)
    rewritten: dict[str, Raw] = {}
    for name, value in found.items():
        if name in whole_numbers:
            new = _to_integer(value)
        elif name in nested:
            new = _walk_object(value, nested[name]) or value
        elif name in listed:
            new = _walk_list(value, listed[name])
        else:
            continue
        if new is not value:
            rewritten[name] = new
    found |= rewritten
    return bool(rewritten)


def _walk_list(raw: Raw, structs: Structs) -> Raw:
    """Rewrite a list of objects of one of `structs`. No field holds lists of lists."""
    if memoryview(raw)[0] != _LIST:
        return raw
    items = decode_raw_list(raw)
    walked: list[Raw] = []
    for item in items:
        rewritten = _walk_object(item, structs)
        if rewritten is None:  # the decoder will refuse it, whatever follows
            break
        walked.append(rewritten)
    return raw if all(map(is_, walked, items)) else Raw(_encode(walked + items[len(walked) :]))


def _walk_object(raw: Raw, structs: Structs) -> Raw | None:
    """Rewrite an object of one of `structs`; None if it is of no such struct. Any other value is returned as it is."""
    if memoryview(raw)[0] != _OBJECT:
        return raw
    found = decode_raw_object(raw)
    struct, is_typed = struct_of(found, structs), True
    if struct is None and "type" not in found:
        struct, is_typed = next((kind for kind in structs if _UNTYPED.get(kind) in found), None), False
    if struct is None:
        return None
    if not is_typed:
        found = {"type": Raw(_encode(_UNTYPED[struct])), **found}
    return raw if not _rewrite(found, struct) and is_typed else Raw(_encode(found))


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


class _Fields(NamedTuple):
    """The integer fields of a struct, and those with a struct, or a list of them, of which any may be rewritten."""

    whole_numbers: frozenset[str]
    nested: dict[str, Structs]
    listed: dict[str, Structs]


@cache
def _fields_of(struct: type[Struct]) -> _Fields:
    types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    kinds = {name: tuple(leaves(annotation)) for name, annotation in types.items()}
    structs = {name: structs_of(found) for name, found in kinds.items()}
    rewritten = {name: found for name, found in structs.items() if any(map(_may_be_rewritten, found))}
    lists = {name for name in rewritten if _holds_list(types[name])}
    return _Fields(
        frozenset(name for name, found in kinds.items() if int in found),
        {name: found for name, found in rewritten.items() if name not in lists},
        {name: found for name, found in rewritten.items() if name in lists},
    )


def _holds_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_holds_list, get_args(annotation)))


def _may_be_rewritten(struct: type[Struct]) -> bool:
    """Whether a struct, or any within it, has a value in another form. Most parts of messages have none."""
    return struct in _UNTYPED or any(_fields_of(struct))


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
