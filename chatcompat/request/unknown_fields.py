"""The report of fields that the request structs do not have.

The structs refuse unknown fields, so a request without any costs nothing extra. Only if the decoder finds one is the
body decoded without types and walked here, along the struct types.
"""

import re
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.json_objects import CONTAINERS
from chatcompat.request.misplaced_fields import Move, gather
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest

MAX_NAME: Final = 200
"""The number of characters of an unknown field's name that are reported."""

_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG: Final = b"0" * 300  # digits of a number; the time to convert one grows with their square
_DIGITS: Final = re.compile(rb"(?<![0-9])[0-9]{300,}+")

_encode = msgspec.json.Encoder().encode
_decode_values: Final[Callable[[Raw | bytes], dict[str, Any]]] = msgspec.json.Decoder(
    dict[str, Any], float_hook=float
).decode
_NULL: Final = ord("n")  # how no other value begins
_CONTAINERS: Final = b"{["

_PARSED_FROM: Final = {
    ("messages[]", "parsed"): "content",
    ("messages[].tool_calls[].function", "parsed_arguments"): "arguments",
}
"""What the vendor's own client adds to a message that it has parsed, and the field that it was parsed from."""


def find_unknown(
    body: dict[str, Raw], replaced: dict[str, Raw], bounds: RequestBounds
) -> tuple[list[str], dict[int, list[Move]]]:
    """Find the unknown fields of a body: their paths without indexes. Its own are taken out of it.

    Also returns what `gather` moves in messages, by their index. These fields are known then.

    Args:
        body: The body. Fields that have none within may have another value here.
        replaced: The values that these came with.
        bounds: The limits on the request.

    Raises:
        InvalidRequest: If there are more distinct paths (`messages[].name`) than the limit.
        DECODE_ERRORS: If a value is no JSON after all.
    """
    place = _place_of(ChatCompletionRequest, "")
    known = {name: raw for name, raw in body.items() if name in place.fields}
    values = _to_values(_encode(known))
    walk = _Walk(bounds.unknown_fields, values, replaced)
    copies: frozenset[bytes] | None = None
    for name, raw in body.items():
        first = memoryview(raw)[0]
        if name in known:
            walk.look_into(values[name], place.fields[name], (values, place, None))
        elif first in _CONTAINERS:
            copies = copies or frozenset(map(bytes, (known | replaced).values()))
            if bytes(raw) not in copies:
                walk.report(name, place)
        elif first != _NULL:
            walk.report(name, place)
    if len(known) < len(body):
        body.clear()
        body.update(known)
    return [*walk.unknown], walk.gathered


def _to_values(source: bytes) -> dict[str, Any]:
    """Decode a body without types. Numbers are only compared, so a long one, which is slow to convert, is replaced."""
    if _LONG in source.translate(_ZEROS):
        source = _DIGITS.sub(_shortened, source)
    return _decode_values(source)


def _shortened(found: re.Match[bytes]) -> bytes:
    """Fewer digits, which differ where the others do. The first may belong to an escape."""
    return found[0][:4] + b"%d" % crc32(found[0])


class _Place(Struct, frozen=True, eq=False):
    """The objects of one struct at one path, and for each field the structs in it; None if there are none."""

    struct: type[Struct]
    path: str
    fields: dict[str, "_Inner | None"]


class _Inner(Struct, frozen=True, eq=False):
    """What a field may hold: an object of one of some structs, by tag, or a list of them."""

    one: dict[Any, _Place]
    listed: dict[Any, _Place]
    one_tag: str | None  # for None, which is no key of JSON, all objects have the tag None
    listed_tag: str | None


_UNKNOWN: Final = _Inner({}, {}, None, None)
"""In place of what an unknown field may hold."""

_Here = tuple[dict[str, Any], _Place, Any]
"""An object, its place, and the same of the object around it, or None."""


class _Walk:
    """Collects the unknown fields of an object and of the objects in it that have a struct type."""

    def __init__(self, bound: int, whole: dict[str, Any], replaced: dict[str, Raw]) -> None:
        self.unknown: dict[str, None] = {}
        self.gathered: dict[int, list[Move]] = {}
        self._whole = whole
        self._replaced = replaced
        self._seen: set[tuple[_Place, str]] = set()
        self._known: dict[int, frozenset[bytes]] = {}  # by the id of an object: the lists and objects in its fields
        self._bound = bound

    def _look_at(self, found: dict[str, Any], place: _Place, around: _Here | None) -> None:
        """Look at an object. Values of the wrong type are left to the decoder."""
        fields = place.fields
        for name, value in found.items():
            inner = fields.get(name, _UNKNOWN)
            if inner is None or value is None:
                continue
            if inner is _UNKNOWN:
                if (place, name) not in self._seen:
                    self._take(name, value, (found, place, around))
            elif type(value) is list:
                self._look_at_all(value, inner.listed_tag, inner.listed, (found, place, around))
            elif value and type(value) is dict:
                tag = value.get(inner.one_tag)
                within = None if type(tag) in CONTAINERS else inner.one.get(tag)
                if within is not None:
                    self._look_at(value, within, (found, place, around))

    def look_into(self, value: Any, inner: _Inner | None, here: _Here) -> None:
        """Look at what a known field holds."""
        if inner is not None and type(value) is list:
            self._look_at_all(value, inner.listed_tag, inner.listed, here)
        elif inner is not None:
            self._look_at_all([value], inner.one_tag, inner.one, here)

    def _look_at_all(self, items: list[Any], tag_field: str | None, places: dict[Any, _Place], here: _Here) -> None:
        for index, item in enumerate(items):
            if item and type(item) is dict:
                tag = item.get(tag_field)
                within = None if type(tag) in CONTAINERS else places.get(tag)
                if within is None:
                    continue
                if within.struct is AssistantMessage and (moves := gather(item)):
                    self.gathered[index] = moves
                self._look_at(item, within, here)

    def _take(self, name: str, value: Any, here: _Here) -> None:
        """Report an unknown field, unless it was parsed from a known one or repeats it."""
        found, place, _ = here
        source = _PARSED_FROM.get((place.path, name))
        if source is not None and found.get(source) is not None:
            return
        if type(value) not in CONTAINERS or not self._repeats(_encode(value), here):
            self.report(name, place)

    def report(self, name: str, place: _Place) -> None:
        """Report an unknown field of the objects at a place."""
        path = place.path
        self._seen.add((place, name))
        self.unknown[f"{path}.{name[:MAX_NAME]}" if path else name[:MAX_NAME]] = None
        if len(self.unknown) > self._bound:
            raise InvalidRequest(
                f"The request has more than {self._bound} distinct unknown fields. Send those of the API only.",
                param=path or None,
                code="too_many_unknown_fields",
            )

    def _repeats(self, value: bytes, here: _Here | None) -> bool:
        """Whether a list or an object also stands in a known field, here or further out: then nothing is lost.

        Some clients copy the calls of a message into its parts. A number or a word may be equal by chance.
        """
        while here is not None:
            found, place, here = here
            known = self._known.get(id(found))
            if known is None:
                held = found | _to_values(_encode(self._replaced)) if found is self._whole else found
                lists = [each for name, each in held.items() if name in place.fields and type(each) in CONTAINERS]
                known = self._known[id(found)] = frozenset(map(_encode, lists))
            if value in known:
                return True
        return False


# ---------------------------------------------------------------- the struct types


@cache
def _place_of(struct: type[Struct], path: str) -> _Place:
    fields: dict[str, _Inner | None] = {}
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        fields[name] = _inner_of(field.type, f"{path}.{name}" if path else name)
    tag_field = struct.__struct_config__.tag_field
    if tag_field is not None:
        fields[tag_field] = None
    return _Place(struct, path, fields)


def _inner_of(annotation: Any, path: str) -> _Inner | None:
    one, listed = _structs_in(annotation), _structs_in(annotation, in_list=True)
    if not one and not listed:
        return None
    (one_tag, by_tag), (listed_tag, listed_by_tag) = _by_tag(one, path), _by_tag(listed, f"{path}[]")
    return _Inner(by_tag, listed_by_tag, one_tag, listed_tag)


def _by_tag(structs: list[type[Struct]], path: str) -> tuple[str | None, dict[Any, _Place]]:
    """The places by tag, and the field of the tag. The decoder asks for no tag where there is but one struct."""
    if len(structs) == 1:
        return None, {None: _place_of(structs[0], path)}
    places = {struct.__struct_config__.tag: _place_of(struct, path) for struct in structs}
    return (structs[0].__struct_config__.tag_field if structs else None), places


def _structs_in(annotation: Any, *, in_list: bool = False) -> list[type[Struct]]:
    """The structs that a field may hold, directly or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return [] if in_list else [annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is list:
        return _structs_in(parts[0]) if in_list else []
    if origin in (Union, UnionType) or hasattr(annotation, "__metadata__"):
        return [struct for part in parts for struct in _structs_in(part, in_list=in_list)]
    return []
