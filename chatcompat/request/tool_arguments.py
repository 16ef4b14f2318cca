"""The `arguments` of a call in the history -> the `input` of a `tool_use` block."""

from typing import Any, Final

import msgspec

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.json_objects import read_object

_TRUNCATED: Final = "Input data was truncated"


class _Skipped(msgspec.Struct):
    """Any object; what is in it is read and not kept."""


_skip_object = msgspec.json.Decoder(_Skipped).decode


def to_input(arguments: str | None, path: str, max_depth: int) -> tuple[dict[str, Any], bool]:
    """The arguments as an object, and whether they were whole.

    Blank arguments are `{}`. Arguments that a token limit cut off are sent as `{}` and not whole: a session in whose
    history they stand must not fail for ever. Anything else that is no JSON object is refused with `path`.
    """
    if arguments is None or not arguments or arguments.isspace():
        return {}, True
    try:
        return read_object(arguments, path, max_depth), True
    except DECODE_ERRORS:
        if _is_cut_off(arguments):
            return {}, False
        raise InvalidRequest(
            "The arguments of a call must be a JSON object, as text.", param=path, code="invalid_json"
        ) from None


def _is_cut_off(arguments: str) -> bool:
    """Whether text that is no JSON is the beginning of an object; a digit completes a number cut behind `-` or `.`."""
    return arguments.lstrip().startswith("{") and _TRUNCATED in (_fault(arguments), _fault(arguments + "0"))


def _fault(arguments: str) -> str:
    fault = ""
    try:
        _skip_object(arguments)
    except DECODE_ERRORS as error:
        fault = str(error)
    return fault
