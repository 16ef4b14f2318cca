"""Proof of a client's free JSON: tool schemas and arguments are sent on as the bytes that came.

So that key order and digits stay as they are, these bytes are not rebuilt. Instead they are proven: the whole body is
known to be UTF-8, one typed scan shows valid JSON of the right kind without half a character in it, and `prove` shows
the rest, so that no filter in front of the inner app reads something else in them than the inner app does.
"""

import json
import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS, InvalidRequest

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])

decode_object = _object.decode
decode_array = _array.decode

_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SPACE_BEFORE_COLON: Final = re.compile(rb'"[ \t\r\n]+:')
_BRACKET: Final = re.compile(rb"[\[{]|[\]}]")


def prove(raw: Raw, place: str, max_depth: int) -> Raw:
    """`raw`, which a typed scan found well-formed, as it may be sent on; raises `InvalidRequest`.

    It is nested no deeper than `max_depth`, and no object in it has a key twice: the last value is kept.
    """
    given = bytes(raw)
    if is_too_deep(given, max_depth):
        raise InvalidRequest("The JSON is nested too deeply.", param=place, code="nested_too_deeply")
    if _has_each_key_once(given):
        return raw
    repeated = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        found = dict(pairs)
        repeated |= len(found) < len(pairs)
        return found

    # Numbers stay the digits that came, of whatever size they are.
    read = json.loads(given, object_pairs_hook=collect, parse_int=_as_raw, parse_float=_as_raw)
    return Raw(_encode(read)) if repeated else raw


def read_proven_object(given: bytes, max_depth: int) -> dict[str, Any] | None:
    """What the JSON says, where it is an object that one look proves; None says nothing.

    Nearly all schemas and arguments are proven here: `prove` would be the second scan of them.
    """
    if given.count(b"{") + given.count(b"[") > max_depth:
        return None
    try:
        found = _decode_object(given)
    except DECODE_ERRORS:
        return None
    return found if _is_all_of(given, found) else None


def _has_each_key_once(given: bytes) -> bool:
    try:
        return _is_all_of(given, _decode(given))
    except DECODE_ERRORS:
        return False


def _is_all_of(given: bytes, found: object) -> bool:
    """Whether nothing of the JSON was lost when it was read, told for the forms that programs write.

    A key that is there twice is written once. Each key ends in `":`, and so may a quotation in a text: these are as
    many before as behind, unless an escape or white space hides one.
    """
    again = _encode(found)
    if again == given:
        return True
    return (
        again.count(b'":') == given.count(b'":') and b"\\u" not in given and _SPACE_BEFORE_COLON.search(given) is None
    )


def _as_raw(digits: str) -> Raw:
    return Raw(digits.encode())


def is_too_deep(given: bytes, max_depth: int) -> bool:
    """Whether valid JSON is nested deeper than `max_depth`; few brackets need no look at their order."""
    if given.count(b"{") + given.count(b"[") <= max_depth:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", given)):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            return True
    return False
