"""A client's free JSON (schemas, arguments, native tools): read once, and written again with the request.

What is written says what was read: keys keep their order and numbers their digits. Only the spelling is normalised:
white space between tokens goes, escapes are written in one way, and a key that stands twice stands once, with its last
value, so that no filter in front of the inner app reads something else than the inner app does.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from chatcompat.errors import InvalidRequest

decode_raw_object: Final[Callable[[Raw | bytes | str], dict[str, Raw]]] = msgspec.json.Decoder(dict[str, Raw]).decode
decode_raw_list: Final[Callable[[Raw | bytes | str], list[Raw]]] = msgspec.json.Decoder(list[Raw]).decode

# A fraction or an exponent stays the digits that came; the encoder writes integers of any size as they came.
_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Raw).decode

_OUT_OF_RANGE: Final = "Integer value out of range"  # above 4,300 digits, as for `int` of text

_CONTAINERS: Final = frozenset({dict, list})


def read_object(source: Raw | str, place: str, max_depth: int) -> dict[str, Any]:
    """The object in `source`, JSON that may be nested `max_depth` deep.

    Raises `InvalidRequest` with `place` where it is deeper or has a number that cannot be read, and `DECODE_ERRORS`
    for what is no JSON object.
    """
    text = source if isinstance(source, str) else bytes(source)
    may_be_deep = _count_brackets(text) > max_depth
    try:
        found = _decode_object(text)
    except RecursionError:
        raise _too_deep(place, max_depth) from None
    except msgspec.ValidationError as error:
        if _OUT_OF_RANGE not in str(error):
            raise
        raise InvalidRequest("An integer in the JSON has too many digits.", param=place, code="invalid_value") from None
    if may_be_deep:
        check_depth(found, place, max_depth)
    return found


def _count_brackets(text: str | bytes) -> int:
    """How deep the JSON can be at most: few brackets need no look at what they enclose."""
    if isinstance(text, str):
        return text.count("{") + text.count("[")
    return text.count(b"{") + text.count(b"[")


def check_depth(value: object, place: str, max_depth: int) -> None:
    """Raise `InvalidRequest` where objects and lists are nested deeper than `max_depth`: looks level by level."""
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if type(child) in _CONTAINERS
        ]
        if not level:
            return
    raise _too_deep(place, max_depth)


def _too_deep(place: str, max_depth: int) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested too deeply: at most {max_depth} levels are taken.", param=place, code="nested_too_deeply"
    )


def read_schema(source: Raw, place: str, max_depth: int) -> dict[str, Any]:
    """The JSON schema in `source`; raises `InvalidRequest` for what is none, and `UnicodeDecodeError`."""
    try:
        return read_object(source, place, max_depth)
    except msgspec.DecodeError:
        raise InvalidRequest("Expected a JSON schema, an object.", param=place, code="invalid_type") from None


def prove_text(raw: Raw) -> None:
    """Raise `UnicodeDecodeError` unless a raw value is UTF-8: the decoder skips over it as JSON alone."""
    bytes(raw).decode()
