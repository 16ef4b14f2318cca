"""Documents with one or two places grown, made by a walk along the struct types: a new field joins by itself.

A place is a field, an item or a whole object; each kind of place has its fills. What is made is well-formed JSON and
mostly valid: what is refused early is cheap, and a walk cannot know every rule.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import inspect

from tests.cost.fills import (
    CUT_OFF,
    OBJECTS,
    SCHEMAS,
    STRINGS,
    Fill,
    digits,
    list_of,
    many,
    nested,
    object_of,
    quoted,
)

HOLES: Final = ("\x00first", "\x00second")
HOLE: Final = HOLES[0]

# What a field needs beside its type, so that its request is not refused at once.
EXAMPLES: Final[dict[str, Any]] = {
    "url": "https://x.test/a.png",
    "file_data": "data:application/pdf;base64,AAAA",
    "arguments": "{}",
    "input": {},
    "parameters": {"type": "object"},
    "schema": {"type": "object", "additionalProperties": False, "properties": {}},
}

DEEP: Final[dict[str, Fill]] = {
    "deep lists": nested("[", "]"),
    "lists of depth 100": nested("[", "]", 100),
    "lists of depth 400": nested("[", "]", 400),
    "objects of depth 400": nested('{"a":', "}", 400),
    "empty objects": list_of("{}"),
    "keys": object_of('"k#":0'),
}
WRONG: Final = {name: DEEP[name] for name in ("lists of depth 400", "empty objects")}  # where no list can be
NUMBERS: Final[dict[str, Fill]] = {
    "digits": digits,
    "fraction": lambda size: b"0." + b"0" * size + b"1",
}
JSON_FIELDS: Final = ("arguments", "input", "partial_json", "text")  # strings that are read as JSON somewhere
JSON_TEXTS: Final[dict[str, Fill]] = {
    **{f"JSON: {name}": quoted(fill) for name, fill in {**OBJECTS, **CUT_OFF, **SCHEMAS}.items()},
}
RAW: Final[dict[str, Fill]] = {**OBJECTS, **SCHEMAS, **STRINGS, **DEEP}
URLS: Final[dict[str, Fill]] = {
    "data: and semicolons": lambda size: b'"data:' + b";" * size + b'"',
    "data: and attributes": lambda size: b'"data:image/png' + b";a=b" * (size // 4) + b';base64,AAAA"',
    "data: and letters": lambda size: b'"data:' + b"a" * size + b'"',
    "data": lambda size: b'"data:image/png;base64,' + b"A" * size + b'"',
    "escaped data": lambda size: b'"data:image\\/png;base64,' + b"\\/" * (size // 2) + b'"',
    "text": lambda size: b'"data:text/plain;base64,' + b"YWFh" * (size // 4) + b'"',
    "http": lambda size: b'"https://x.test/' + b"a" * size + b'"',
}


@dataclass(frozen=True)
class Shape:
    """Something that grows: `make` gives a document of about so many bytes."""

    name: str
    make: Callable[[int], bytes]


@dataclass(frozen=True)
class Place:
    """A document with a hole in it, and what can fill the hole."""

    name: str
    document: Any
    fills: dict[str, Fill]

    def shapes(self) -> Iterator[Shape]:
        """The place grown alone, in each of its ways."""
        before, after = split(self.document, HOLE)
        for name, fill in self.fills.items():
            yield Shape(f"{self.name}: {name}", _filled(before, after, fill))


def _filled(before: bytes, after: bytes, fill: Fill) -> Callable[[int], bytes]:
    return lambda size: before + fill(size) + after


def split(document: Any, hole: str) -> tuple[bytes, bytes]:
    """The text around the hole."""
    before, _, after = dumps(document).partition(json.dumps(hole).encode())
    return before, after


def dumps(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


# ---------------------------------------------------------------- the walk


def minimal(kind: inspect.Type) -> Any:
    """The smallest value of a type that says something; strings are `x`."""
    match kind:
        case inspect.UnionType(types=types):
            return minimal(next(member for member in types if not isinstance(member, inspect.NoneType)))
        case inspect.Metadata(type=inner):
            return minimal(inner)
        case inspect.StructType():
            return _minimal_struct(kind)
        case inspect.ListType(item_type=item):
            return [minimal(item)]
        case inspect.DictType(value_type=value):
            return {"x": minimal(value)}
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StrType() | inspect.RawType():
            return "x"
        case inspect.BoolType():
            return True
        case inspect.IntType() | inspect.FloatType():
            return 1
        case _:
            return None


def _minimal_struct(kind: inspect.StructType, *, without: str = "") -> dict[str, Any]:
    """Its tag and its required fields."""
    document: dict[str, Any] = {}
    if kind.tag_field is not None:
        document[kind.tag_field] = kind.tag
    for field in kind.fields:
        if field.required and field.encode_name != without:
            document[field.encode_name] = EXAMPLES.get(field.encode_name, minimal(field.type))
    return document


Wrap = Callable[[Any], Any]


def places(root: type[msgspec.Struct]) -> list[Place]:
    """Every place in documents of a struct type."""
    kind = inspect.type_info(root)
    return list(_places(kind, "", "", lambda value: value))


def _places(kind: inspect.Type, name: str, field: str, wrap: Wrap) -> Iterator[Place]:
    match kind:
        case inspect.UnionType(types=types):
            for member in types:
                if not isinstance(member, inspect.NoneType):
                    yield from _places(member, name, field, wrap)
        case inspect.Metadata(type=inner):
            yield from _places(inner, name, field, wrap)
        case inspect.StructType():
            yield from _places_of_struct(kind, name, wrap)
        case inspect.ListType(item_type=item):
            yield Place(f"{name}[]", wrap(HOLE), {**_lists(item), **DEEP})
            yield from _places(item, f"{name}[]", field, lambda value: wrap([value]))
        case inspect.DictType(value_type=value_type):
            yield Place(f"{name}{{}}", wrap(HOLE), _maps(value_type))
            yield from _places(value_type, f"{name}{{}}", field, lambda value: wrap({"x": value}))
        case inspect.RawType():
            yield Place(name, wrap(HOLE), {**RAW, **(URLS if field in ("url", "file_data") else {})})
        case inspect.StrType():
            yield Place(name, wrap(HOLE), {**STRINGS, **(JSON_TEXTS if field in JSON_FIELDS else {}), **WRONG})
        case inspect.IntType() | inspect.FloatType():
            yield Place(name, wrap(HOLE), NUMBERS)
        case inspect.LiteralType() | inspect.BoolType():
            yield Place(name, wrap(HOLE), {"letters": STRINGS["letters"], **WRONG})


def _places_of_struct(kind: inspect.StructType, name: str, wrap: Wrap) -> Iterator[Place]:
    name = f"{name}<{kind.tag}>" if kind.tag is not None else name
    yield Place(name or "top", wrap(HOLE), _objects(kind))
    if kind.tag_field is not None:
        document = wrap({**_minimal_struct(kind), kind.tag_field: HOLE})
        yield Place(f"{name}.{kind.tag_field}", document, {**STRINGS, **WRONG})
    for field in kind.fields:
        around = _minimal_struct(kind, without=field.encode_name)
        yield from _places(
            field.type,
            f"{name}.{field.encode_name}".lstrip("."),
            field.encode_name,
            _in_field(wrap, around, field.encode_name),
        )


def _in_field(wrap: Wrap, around: dict[str, Any], name: str) -> Wrap:
    return lambda value: wrap({**around, name: value})


def _lists(item: inspect.Type) -> dict[str, Fill]:
    """Many items of each kind that the list takes, all equal or each with other texts."""
    members = item.types if isinstance(item, inspect.UnionType) else (item,)
    fills: dict[str, Fill] = {}
    for member in members:
        text = dumps(minimal(member)).decode()
        tag = f" <{member.tag}>" if isinstance(member, inspect.StructType) and member.tag is not None else ""
        fills[f"many{tag}"] = list_of(text.replace('"x"', '"x#"'))
        fills[f"many equal{tag}"] = list_of(text)
    return fills


def _maps(value: inspect.Type) -> dict[str, Fill]:
    text = dumps(minimal(value)).decode()
    return {
        "many": object_of(f'"k#":{text}'),
        "many equal": object_of(f'"k":{text}'),
        **{f"a key of {name}": _with_key(fill, text) for name, fill in STRINGS.items()},
        **DEEP,
    }


def _with_key(fill: Fill, value: str) -> Fill:
    return lambda size: b"{%b:%b}" % (fill(size), value.encode())


def _objects(kind: inspect.StructType) -> dict[str, Fill]:
    """One object with many fields that its struct does not have, or with one that it has many times."""
    text = dumps(_minimal_struct(kind)).decode()

    def beside(fields: str) -> Fill:
        return lambda size: (text[:-1] + ("," if len(text) > 2 else "")).encode() + many(fields, size) + b"}"

    fills = {
        "many unknown fields": beside('"u#":0'),
        "many equal unknown fields": beside('"u":0'),
        "unknown fields of escapes": beside('"\\u0000#":0'),
        "an unknown field of depth 100": lambda size: (
            (text[:-1] + ("," if len(text) > 2 else "")).encode() + b'"u":%b}' % nested("[", "]", 100)(size)
        ),
        "an unknown field of a long name": lambda size: (
            (text[:-1] + ("," if len(text) > 2 else "")).encode() + b"%b:0}" % STRINGS["letters"](size)
        ),
        **DEEP,
    }
    for field in kind.fields:
        value = dumps(EXAMPLES.get(field.encode_name, minimal(field.type))).decode()
        fills[f"many equal {field.encode_name}"] = beside(f'"{field.encode_name}":{value}')
    return fills


# ---------------------------------------------------------------- pairs

PLAIN: Final = ("many", "letters", "many properties")


def pairs(found: list[Place], *, near: bool = False) -> Iterator[Shape]:
    """Two places grown at once, in one object where they can be; `near` leaves those that stand beside each other."""
    plain = [
        (place, fill)
        for place in found
        if not place.name.endswith((".type", ".role")) and (fill := _plain_fill(place)) is not None
    ]
    for number, (place, fill) in enumerate(plain):
        for other, second in plain[:number]:
            if near and not _are_near(place.name, other.name):
                continue
            document = merged(place.document, _renamed(other.document))
            if document is not None:
                yield Shape(f"{other.name} and {place.name}", _filled_twice(document, fill, second))


def _are_near(one: str, other: str) -> bool:
    """Whether both are fields of one object, or one of a field's own items."""
    above, its = one.rpartition(".")[0], other.rpartition(".")[0]
    return above == its or above.rpartition(".")[0] == its or above == its.rpartition(".")[0]


def _plain_fill(place: Place) -> Fill | None:
    for name in PLAIN:
        for known, fill in place.fills.items():
            if known.split(" <")[0] == name:
                return fill
    return None


def _filled_twice(document: Any, fill: Fill, second: Fill) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        text = dumps(document).replace(json.dumps(HOLES[0]).encode(), fill(size // 2))
        return text.replace(json.dumps(HOLES[1]).encode(), second(size // 2))

    return make


def _renamed(document: Any) -> Any:
    return json.loads(json.dumps(document).replace(json.dumps(HOLES[0]), json.dumps(HOLES[1])))


def merged(one: Any, other: Any) -> Any:
    """Two documents as one that has both holes; None where they exclude each other."""
    if isinstance(one, dict) and isinstance(other, dict):
        document = dict(one)
        for key, value in other.items():
            document[key] = merged(document[key], value) if key in document else value
            if document[key] is None:
                return None
        return document
    if isinstance(one, list) and isinstance(other, list):
        items = [merged(mine, its) for mine, its in zip(one, other, strict=False)]
        if None not in items:
            return [*items, *one[len(items) :], *other[len(items) :]]
        return [*one, *other]
    if one == other or _has_no_hole(other):
        return one
    return other if _has_no_hole(one) else None


def _has_no_hole(document: Any) -> bool:
    return not any(hole in document for hole in HOLES) if isinstance(document, str) else document in (None, 1, True)
