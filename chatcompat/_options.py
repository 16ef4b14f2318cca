"""Checks of options where they are set. Each error names the option and says what is allowed.

A `TypeError` quotes no value, since it may be a URL or a key in the wrong place.
"""

from collections.abc import Mapping, Set
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

_NAMES: Final[Mapping[Any, str]] = {
    bool: "True or False",
    bytes: "bytes",
    float: "a number",
    int: "an integer",
    str: "a string",
    NoneType: "None",
}


def check_type(name: str, value: object, annotation: Any) -> None:
    """Raise `TypeError` unless `value` is what `annotation` says. Unlike in Python, True and False are not numbers."""
    if not _is(value, annotation):
        raise wrong_type(name, _describe(annotation), value)


def check_number(
    name: str, value: object, kind: type[int | float], *, above: float | None = None, least: float | None = None
) -> None:
    """Raise `TypeError` unless `value` is a number of this kind, and `ValueError` for NaN or out of range."""
    if type(value) is kind is int and above == 0 < value:  # sizes, of which each stream has two
        return
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        raise ValueError(f"{name} must be a number, not nan")
    check_type(name, value, kind)
    assert isinstance(value, int | float)  # noqa: S101 - checked above
    if above is not None and not value > above:
        raise ValueError(f"{name} must be above {above:g}, not {value}")
    if least is not None and not value >= least:
        raise ValueError(f"{name} must be at least {least:g}, not {value}")


def wrong_type(name: str, allowed: str, value: object) -> TypeError:
    """The error for an option of the wrong type."""
    found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return TypeError(f"{name} must be {allowed}, not {found}")


def _is(value: object, annotation: Any) -> bool:
    if isinstance(annotation, type):
        if annotation is not bool and isinstance(value, bool):
            return False
        return isinstance(value, int | float if annotation is float else annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(_is(value, member) for member in arguments)
    if origin is Literal:
        return isinstance(value, str)  # the option's own check says which strings
    if origin is Mapping:
        keys, values = arguments
        return isinstance(value, Mapping) and all(_is(key, keys) and _is(item, values) for key, item in value.items())
    return isinstance(value, tuple if origin is tuple else Set) and all(_is(item, arguments[0]) for item in value)


def _describe(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_describe(member) for member in arguments)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is not None:
        held = [member.__name__ for member in arguments if member is not ...]
        return f"a {origin.__name__.lower()} of {' to '.join(held)}"
    return _NAMES.get(annotation) or f"a {annotation.__name__}"
