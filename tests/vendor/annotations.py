"""Reading the annotations of the vendors' TypedDicts and models: what a field may hold, whether it must be there."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pydantic
from typing_extensions import get_type_hints, is_typeddict


def bare(tp: Any) -> Any:
    """Take off what says only where the annotation stands."""
    while get_origin(tp) in (Annotated, Required, NotRequired):
        tp = get_args(tp)[0]
    return tp


def is_union(tp: Any) -> bool:
    return get_origin(tp) in (Union, types.UnionType)


def members_of(tp: Any) -> list[Any]:
    """Flatten nested unions, in order, each member once."""
    tp = bare(tp)
    nested = [m for arg in get_args(tp) for m in members_of(arg)] if is_union(tp) else [tp]
    return list(dict.fromkeys(nested))


def wire_members_of(tp: Any) -> list[Any]:
    """Flatten a union without what only Python callers can pass: open files, paths, reply models."""
    found = [member for member in members_of(tp) if not is_file(member)]
    if any(is_typeddict(member) for member in found):
        return [member for member in found if is_typeddict(member) or not is_object(member)]
    return found


def is_object(tp: Any) -> bool:
    return is_typeddict(tp) or (isinstance(tp, type) and issubclass(tp, pydantic.BaseModel))


def is_file(tp: Any) -> bool:
    return "PathLike" in str(tp) or "IO[" in str(tp)


def fields_of(tp: Any) -> dict[str, tuple[Any, bool]]:
    """Name -> (annotation, required) of a TypedDict or model."""
    if not is_typeddict(tp):
        tp.model_rebuild()
        return {f.alias or name: (f.annotation, f.is_required()) for name, f in tp.model_fields.items()}
    # Under `from __future__ import annotations` __required_keys__ is blind to Required[...]; hints are not.
    hints = get_type_hints(tp, include_extras=True)
    return {name: (hint, _is_required(tp, name, get_origin(hint))) for name, hint in hints.items()}


def _is_required(tp: Any, name: str, wrapper: Any) -> bool:
    return wrapper is Required or (name in tp.__required_keys__ and wrapper is not NotRequired)


def literals_of(tp: Any) -> set[str | None]:
    """Give the values of a Literal, None included if it may be null; empty for any other annotation."""
    values: set[str | None] = set()
    for member in members_of(tp):
        if get_origin(member) is Literal:
            values.update(get_args(member))
        elif member is type(None):
            values.add(None)
        else:
            return set()
    return values
