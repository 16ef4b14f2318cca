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


_encode = msgspec.json.Encoder().encode


def _keep_digits(digits: str) -> float | Raw:
    """A number that the encoder writes with the same digits; of others, the digits. It writes all integers so."""
    number = float(digits)
    return number if _encode(number) == digits.encode() else Raw(digits)


_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=_keep_digits).decode

_OUT_OF_RANGE: Final = "Integer value out of range"  # above 4,300 digits, as for `int` of text

CONTAINERS: Final = frozenset({dict, list})


def read_object(source: Raw | str, path: str, max_depth: int) -> dict[str, Any]:
    """The object in `source`, JSON that may be nested `max_depth` deep.

    Raises `InvalidRequest` with `path` where it is deeper or has a number that cannot be read, and `DECODE_ERRORS`
    for what is no JSON object.
    """
    may_be_deep = count_brackets(source) > max_depth
    try:
        found = _decode_object(source)
    except RecursionError:
        raise _too_deep(path, max_depth) from None
    except msgspec.ValidationError as error:
        if _OUT_OF_RANGE not in str(error):
            raise
        raise InvalidRequest("An integer in the JSON has too many digits.", param=path, code="invalid_value") from None
    if may_be_deep:
        check_depth(found, path, max_depth)
    return found


def count_brackets(source: Raw | str) -> int:
    """How deep the JSON can be at most: few brackets need no look at what they enclose."""
    if isinstance(source, str):
        return source.count("{") + source.count("[")
    text = bytes(source)
    return text.count(b"{") + text.count(b"[")


def check_depth(value: dict[str, Any], path: str, max_depth: int) -> None:
    """Raise `InvalidRequest` where objects and lists are nested deeper than `max_depth`: looks level by level."""
    level: list[Any] = [value]
    for _ in range(max_depth):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if type(child) in CONTAINERS
        ]
        if not level:
            return
    raise _too_deep(path, max_depth)


def _too_deep(path: str, max_depth: int) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested too deeply: at most {max_depth} levels are taken.", param=path, code="nested_too_deeply"
    )


def read_schema(source: Raw, path: str, max_depth: int) -> dict[str, Any]:
    """The JSON schema in `source`; raises `InvalidRequest` for what is none, and `UnicodeDecodeError`."""
    try:
        return read_object(source, path, max_depth)
    except msgspec.DecodeError:
        raise InvalidRequest("Expected a JSON schema, an object.", param=path, code="invalid_type") from None
