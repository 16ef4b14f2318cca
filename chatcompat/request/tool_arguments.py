"""The `arguments` of an earlier call -> the `input` of a `tool_use` block."""

from typing import Any, Final

import msgspec

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.json_objects import CONTAINERS, check_depth, decode_object, may_be_deeper, read_object

_TRUNCATED: Final = "Input data was truncated"


class _Skipped(msgspec.Struct):
    """Any object. Its fields are validated and discarded."""


_skip_object = msgspec.json.Decoder(_Skipped).decode


Arguments = str | dict[str, Any] | None
"""Arguments as a string of JSON, or as the object itself."""


def to_short_input(arguments: Arguments, max_depth: int) -> dict[str, Any] | None:
    """Decode arguments that are valid and not nested too deeply, as most are. None for others: see `to_input`.

    It raises no errors, so it needs no path.
    """
    if not arguments:
        return {}
    if isinstance(arguments, str):
        if len(arguments) > 2 * max_depth and may_be_deeper(arguments, max_depth):  # each level takes two brackets
            return None
        try:
            return decode_object(arguments)
        except DECODE_ERRORS:
            return None
    return arguments if CONTAINERS.isdisjoint(map(type, arguments.values())) else None


def to_input(arguments: Arguments, path: str, max_depth: int) -> tuple[dict[str, Any], bool]:
    """Decode arguments. Also returns whether they were complete.

    Blank arguments become `{}`. So do arguments that a token limit cut off, which are not complete: with an error,
    every later request of the session would fail. Raises `InvalidRequest` with `path` for anything else that is not a
    JSON object.
    """
    if isinstance(arguments, dict):
        check_depth(arguments, path, max_depth)
        return arguments, True
    if not arguments or arguments.isspace():
        return {}, True
    try:
        return read_object(arguments, path, max_depth), True
    except DECODE_ERRORS:
        if _is_cut_off(arguments):
            return {}, False
        raise InvalidRequest(
            "These arguments of a tool call are not a JSON object. Send a string with one.",
            param=path,
            code="invalid_json",
        ) from None


def _is_cut_off(arguments: str) -> bool:
    """Whether invalid JSON is the start of an object. The digit completes a number that ends in `-` or `.`."""
    return arguments.lstrip().startswith("{") and _TRUNCATED in (_fault(arguments), _fault(arguments + "0"))


def _fault(arguments: str) -> str:
    fault = ""
    try:
        _skip_object(arguments)
    except DECODE_ERRORS as error:
        fault = str(error)
    return fault
