"""A client's free JSON (schemas, arguments, native tools), decoded once and encoded again with the request.

The order of keys and the digits of numbers are preserved. Only the notation is normalised: white space is removed,
escapes are uniform, and a duplicate key keeps only its last value. So a filter in front of the inner app cannot read a
different value than the inner app does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, AnyStr, Final

import msgspec
from msgspec import Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds, check_count

NULL: Final = Raw(b"null")

decode_raw_object: Final[Callable[[Raw | bytes | str], dict[str, Raw]]] = msgspec.json.Decoder(dict[str, Raw]).decode
decode_raw_list: Final[Callable[[Raw | bytes | str], list[Raw]]] = msgspec.json.Decoder(list[Raw]).decode


def decode_with_surrogates(body: bytes) -> Any:
    """Decode JSON that the typed decoder refuses, to find a lone surrogate. This is slow."""
    import json  # noqa: PLC0415 - used for nothing else

    return json.loads(body)


_encode = msgspec.json.Encoder().encode


def keep_digits(digits: str) -> float | Raw:
    """Return a float if the encoder writes the same digits, else the digits as `Raw`, which takes more memory.

    Integers always keep their digits.
    """
    number = float(digits)
    return number if _encode(number) == digits.encode() else Raw(digits)


decode_object: Final[Callable[[Raw | bytes | str], dict[str, Any]]] = msgspec.json.Decoder(
    dict[str, Any], float_hook=keep_digits
).decode

_OUT_OF_RANGE: Final = "Integer value out of range"  # above 4,300 digits, as in `int(text)`

_LONG: Final = 64 * 1024  # characters or bytes
_FEW: Final = 256

CONTAINERS: Final = frozenset({dict, list})

# The keywords of JSON Schema whose keys are names, and those that hold data and no schemas.
_NAMED_SCHEMAS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_DATA_KEYS: Final = frozenset({"const", "default", "enum", "examples"})


def read_object(source: Raw | str, path: str, max_depth: int) -> dict[str, Any]:
    """Decode a JSON object with at most `max_depth` levels of nesting.

    Raises `InvalidRequest` with `path` if it is nested deeper or has an integer with too many digits, and
    `DECODE_ERRORS` if it is not a JSON object.
    """
    return measure_object(source, path, max_depth, max_depth)[0]


def measure_object(source: Raw | str, path: str, max_depth: int, least: int) -> tuple[dict[str, Any], int]:
    """Decode like `read_object`, and return what `check_depth` does, or 0 if it is surely `least` at most."""
    may_be_deep = may_be_deeper(source, least)
    try:
        decoded = decode_object(source)
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
    return decoded, check_depth(decoded, path, max_depth) if may_be_deep else 0


def may_be_deeper(source: Raw | bytes | str, max_depth: int) -> bool:
    """Whether JSON may be nested deeper. This is faster than `check_depth`, which gives the exact answer."""
    size = len(source) if isinstance(source, str) else memoryview(source).nbytes
    if size <= 2 * max_depth:  # each level takes two brackets
        return False
    if size > _LONG:
        return count_brackets(source, max_depth) > max_depth
    if isinstance(source, str):  # counted here, since a call takes as long as to count
        return source.count("{") + source.count("[") > max_depth
    text = bytes(source)
    return text.count(b"{") + text.count(b"[") > max_depth


def count_brackets(source: Raw | bytes | str, most: int) -> int:
    """The number of opening brackets, or any number above `most` if there are more.

    This is an upper bound of the number of objects and lists in JSON, and of its depth.
    """
    if isinstance(source, str):
        return _count(source, "{", most) + _count(source, "[", most)
    text = bytes(source)
    return _count(text, b"{", most) + _count(text, b"[", most)


def _count(text: AnyStr, bracket: AnyStr, most: int) -> int:
    if len(text) <= _LONG:
        return text.count(bracket)
    # Most long texts are long strings with few brackets, in which searching is ten times as fast as counting.
    count, found = 0, text.find(bracket)
    while found >= 0 and count <= min(most, _FEW):
        count, found = count + 1, text.find(bracket, found + 1)
    return count if found < 0 or count > most else count + text.count(bracket, found)


_not_empty: Final[Callable[[Iterable[Any]], Iterator[Any]]] = partial(filter, None)


def check_depth(value: dict[str, Any], path: str, max_depth: int) -> int:
    """Return how deep objects and lists that are not empty are nested. Does not recurse.

    Raises `InvalidRequest` if any are nested deeper than `max_depth`.
    """
    level: list[Any] = [value]
    for levels_left in reversed(range(max_depth)):
        kept = _not_empty if levels_left else iter  # empty objects and lists have nothing below them
        level = [
            child
            for node in level
            for child in kept(node.values() if type(node) is dict else node)
            if type(child) in CONTAINERS
        ]
        if not level:
            return max_depth - levels_left
    raise _too_deep(path, max_depth)


def _too_deep(path: str, max_depth: int) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested too deeply. Send at most {max_depth} levels.", param=path, code="nested_too_deeply"
    )


def require_object(source: Raw, path: str, max_depth: int) -> dict[str, Any]:
    """Like `read_object`, but raises `InvalidRequest` unless this is a JSON object. `UnicodeDecodeError` passes."""
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
    return measure_schema(source, path, max_depth, max_depth)[0]


def measure_schema(source: Raw, path: str, max_depth: int, least: int) -> tuple[dict[str, Any], int]:
    """Decode like `read_schema`, and return the depth like `measure_object`."""
    try:
        return measure_object(source, path, max_depth, least)
    except msgspec.DecodeError:
        raise InvalidRequest("Send a JSON schema as an object.", param=path, code="invalid_type") from None


def schemas_in(node: dict[str, Any] | list[Any]) -> list[Any]:
    """The schemas, and lists of them, directly in a schema or in a list of schemas."""
    if isinstance(node, list):
        return [item for item in node if type(item) in CONTAINERS]
    found: list[Any] = []
    for key, value in node.items():
        if type(value) not in CONTAINERS or key in _DATA_KEYS:
            continue
        if key in _NAMED_SCHEMAS and isinstance(value, dict):  # its keys are names, not keywords
            found += [item for item in value.values() if type(item) in CONTAINERS]
        else:
            found.append(value)
    return found
