"""Fields that the request structs do not have: taken out, and named.

The structs refuse unknown fields, so a request without any pays nothing for being told. Only when the decoder has
met one is the body walked here: along the struct types, object by object, on raw values, so that what stays is
the bytes that came.
"""

from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from chatcompat.chat import ChatCompletionRequest
from chatcompat.request.free_json import decode_array, decode_object

_encode = msgspec.json.Encoder().encode


class _Tag(Struct):
    role: Any = None
    type: Any = None


_decode_tag = msgspec.json.Decoder(_Tag).decode


def without_unknown(body: bytes) -> tuple[bytes, list[str]]:
    """`body` without its unknown fields, and their places (`messages[].name`, indexes left out).

    Expects JSON that the decoder found well-formed. A value of the wrong type stays: the decoder names it.
    """
    unknown: dict[str, None] = {}
    known = _walk(Raw(body), (ChatCompletionRequest,), "", unknown)
    return bytes(known), list(unknown)


def _walk(raw: Raw, structs: tuple[type[Struct], ...], place: str, unknown: dict[str, None]) -> Raw:
    """`raw` without what none of `structs` has; only objects and lists of objects are looked into."""
    kind = memoryview(raw)[:1].tobytes()
    if kind == b"[":
        return Raw(_encode([_walk(item, structs, f"{place}[]", unknown) for item in decode_array(raw)]))
    if kind != b"{":
        return raw
    struct = _choose(raw, structs)
    if struct is None:
        return raw
    children, tag = _children_of(ChatCompletionRequest)[struct], struct.__struct_config__.tag_field
    known: dict[str, Raw] = {}
    for name, value in decode_object(raw).items():
        path = f"{place}.{name}" if place else name
        if name in children:
            known[name] = _walk(value, children[name], path, unknown) if children[name] else value
        elif name == tag:
            known[name] = value
        else:
            unknown[path] = None
    return Raw(_encode(known))


def _choose(raw: Raw, structs: tuple[type[Struct], ...]) -> type[Struct] | None:
    """The struct that the object's tag names; nothing for a tag that no struct has."""
    if len(structs) == 1:
        return structs[0]
    tag = _decode_tag(raw)
    for struct in structs:
        config = struct.__struct_config__
        if config.tag_field is not None and getattr(tag, config.tag_field) == config.tag:
            return struct
    return None


def _structs_in(annotation: Any) -> tuple[type[Struct], ...]:
    """The structs that a field may hold, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return (annotation,)
    if get_origin(annotation) in (list, Union, UnionType) or hasattr(annotation, "__metadata__"):
        return tuple(struct for part in get_args(annotation) for struct in _structs_in(part))
    return ()


@cache
def _children_of(root: type[Struct]) -> dict[type[Struct], dict[str, tuple[type[Struct], ...]]]:
    """For each struct that can be reached from `root`: its fields, and the structs in each."""
    table: dict[type[Struct], dict[str, tuple[type[Struct], ...]]] = {}
    todo = [root]
    while todo:
        struct = todo.pop()
        fields = {field.encode_name: _structs_in(field.type) for field in msgspec.structs.fields(struct)}
        table[struct] = fields
        todo += [child for found in fields.values() for child in found if child not in table]
    return table
