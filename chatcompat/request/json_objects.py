"""A client's free JSON (schemas, arguments, native tools), decoded once and encoded again with the request.

The order of keys and the digits of numbers are preserved. Only the notation is normalised: whitespace is removed,
escapes are uniform, and a duplicate key keeps its last value only. So a filter in front of the inner app cannot read
a different value than the inner app does.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds, check_count

decode_raw_object: Final[Callable[[Raw | bytes | str], dict[str, Raw]]] = msgspec.json.Decoder(dict[str, Raw]).decode
decode_raw_list: Final[Callable[[Raw | bytes | str], list[Raw]]] = msgspec.json.Decoder(list[Raw]).decode


def decode_with_surrogates(body: bytes) -> Any:
    """Decode JSON that the typed decoder refuses, to find the place of a lone surrogate. It is slow."""
    return json.loads(body)


_encode = msgspec.json.Encoder().encode


def _keep_digits(digits: str) -> float | Raw:
    """Return a float if the encoder writes the same digits, else the digits. Integers always keep theirs."""
    number = float(digits)
    return number if _encode(number) == digits.encode() else Raw(digits)


_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=_keep_digits).decode

_OUT_OF_RANGE: Final = "Integer value out of range"  # above 4,300 digits, as in `int(text)`

CONTAINERS: Final = frozenset({dict, list})


def read_object(source: Raw | str, path: str, max_depth: int) -> dict[str, Any]:
    """Decode a JSON object with at most `max_depth` levels of nesting.

    Raises `InvalidRequest` with `path` if it is nested deeper or has an integer with too many digits, and
    `DECODE_ERRORS` if it is not a JSON object.
    """
    may_be_deep = count_brackets(source) > max_depth
    try:
        decoded = _decode_object(source)
    except RecursionError:
        raise _too_deep(path, max_depth) from None
    except msgspec.ValidationError as error:
        if _OUT_OF_RANGE not in str(error):
            raise
        raise InvalidRequest(
            "An integer in the JSON has too many digits. Send a shorter one, or a string.",
            param=path,
            code="invalid_value",
        ) from None
    if may_be_deep:
        check_depth(decoded, path, max_depth)
    return decoded


def count_brackets(source: Raw | str) -> int:
    """An upper bound of the JSON's depth, cheaper than `check_depth`. Of empty objects and lists, one counts."""
    if isinstance(source, str):
        return count_all_brackets(source) - source.count("{}") - source.count("[]") + 1
    text = bytes(source)
    return count_all_brackets(source) - text.count(b"{}") - text.count(b"[]") + 1


def count_all_brackets(source: Raw | str) -> int:
    """An upper bound of the number of objects and lists in JSON."""
    if isinstance(source, str):
        return source.count("{") + source.count("[")
    text = bytes(source)
    return text.count(b"{") + text.count(b"[")


def check_depth(value: dict[str, Any], path: str, max_depth: int) -> None:
    """Raise `InvalidRequest` if objects and lists are nested deeper than `max_depth`. Does not recurse."""
    level: list[Any] = [value]
    for levels_left in reversed(range(max_depth)):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in CONTAINERS and (child or not levels_left)  # an empty one has nothing below it
        ]
        if not level:
            return
    raise _too_deep(path, max_depth)


def _too_deep(path: str, max_depth: int) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested too deeply. Send at most {max_depth} levels.", param=path, code="nested_too_deeply"
    )


def require_object(source: Raw, path: str, max_depth: int) -> dict[str, Any]:
    """`read_object` that raises `InvalidRequest` for what is not a JSON object. Invalid UTF-8 stays what it is."""
    try:
        return read_object(source, path, max_depth)
    except msgspec.DecodeError:
        raise InvalidRequest("Send a JSON object.", param=path, code="invalid_type") from None


def require_objects(sources: Sequence[Raw], name: str, path: str, bounds: RequestBounds) -> list[dict[str, Any]]:
    """Decode a list of objects; `name` is the plural of what it holds. Raises `InvalidRequest`."""
    check_count(name, len(sources), bounds.parts, path)
    return [require_object(source, f"{path}[{index}]", bounds.depth) for index, source in enumerate(sources)]


def read_schema(source: Raw, path: str, max_depth: int) -> dict[str, Any]:
    """Decode a JSON schema. Raises `InvalidRequest` if it is not an object, and `UnicodeDecodeError`."""
    try:
        return read_object(source, path, max_depth)
    except msgspec.DecodeError:
        raise InvalidRequest("Send a JSON schema as an object.", param=path, code="invalid_type") from None
