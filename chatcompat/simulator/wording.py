"""Turns msgspec's validation errors into the service's wording: a dotted path and a problem."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

_PLACE: Final = re.compile(r"(?P<what>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
_FIELD: Final = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_TYPE: Final = re.compile(r"Expected `(?P<types>.*)`, got `.*`")
_STEP: Final = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+)\]")

_FIELD_WORDS: Final = {"missing required": "Field required", "contains unknown": "Extra inputs are not permitted"}
_TYPE_WORDS: Final = {
    "array": "list",
    "bool": "boolean",
    "float": "number",
    "int": "integer",
    "object": "dictionary",
    "str": "string",
}


def native_wording(error: msgspec.ValidationError, model: type, body: bytes | memoryview, at: str) -> str:
    """Describe why `body`, which is JSON, is not a `model`. `at` is the path of the body itself."""
    text = str(error)
    found = _PLACE.fullmatch(text)
    what, path = (found["what"], found["path"]) if found else (text, "")
    steps: list[str | int] = [step["field"] or int(step["index"]) for step in _STEP.finditer(path)]
    if field := _FIELD.fullmatch(what):
        return _sentence(at, [*steps, field["name"]], _FIELD_WORDS[field["what"]])
    if wrong := _TYPE.fullmatch(what):
        types = [_TYPE_WORDS.get(name, name) for name in wrong["types"].split(" | ") if name != "null"]
        return _sentence(at, steps, f"Input should be a valid {' or '.join(types)}")
    if what == "Number out of range":
        return _sentence(at, steps, "Input should be a finite number")
    members, value = _members_at(inspect.type_info(model), steps[:-1], msgspec.json.decode(body))
    last = steps[-1] if steps else ""
    if tags := [str(m.tag) for m in members if isinstance(m, inspect.StructType) and m.tag_field == last]:
        return _sentence(at, steps[:-1], f"Input tag found using '{last}' {tag_words(tags)}")
    allowed = [value for m in _inside(members, last, value) if isinstance(m, inspect.LiteralType) for value in m.values]
    one_of = " or ".join(repr(value) for value in allowed)
    return _sentence(at, steps, f"Input should be {one_of or 'valid'}")


def tag_words(tags: Iterable[str]) -> str:
    """Say that a tag is not one of `tags`."""
    return f"does not match any of the expected tags: {', '.join(map(repr, tags))}"


def _sentence(at: str, steps: list[str | int], words: str) -> str:
    path = ".".join(str(step) for step in (at, *steps) if step != "")
    return f"{path}: {words}" if path else words


def _members_at(root: inspect.Type, steps: list[str | int], value: Any) -> tuple[list[inspect.Type], object]:
    """The types allowed at the path `steps`, and the value found there."""
    members = list(_flat(root))
    for step in steps:
        members = list(_inside(members, step, value))
        value = value[step]
    return members, value


def _inside(members: list[inspect.Type], step: str | int, value: object) -> Iterator[inspect.Type]:
    """The types of a field or item. A tagged object only counts if its tag is that of `value`."""
    for member in members:
        if isinstance(member, inspect.ListType) and isinstance(step, int):
            yield from _flat(member.item_type)
        elif isinstance(member, inspect.StructType):
            tag = value.get(member.tag_field) if isinstance(value, dict) and member.tag_field else None
            if tag == member.tag:
                yield from (found for f in member.fields if f.encode_name == step for found in _flat(f.type))


def _flat(tp: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(tp, inspect.UnionType):
        for member in tp.types:
            yield from _flat(member)
    else:
        yield tp
