"""Hypothesis strategies from the vendors' own types: each annotation is walked to what may stand there on the wire.

What a type does not say (that a `url` is one, that `arguments` are JSON) is said by the name of the field, but for
leaves alone: a field that a new release adds is generated all the same, as any text, number or object.
"""

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args, get_origin

from hypothesis import settings
from hypothesis import strategies as st

from tests.strategies import values
from tests.strategies.values import Strategy
from tests.vendor.annotations import bare, fields_of, is_object, is_union, literals_of, wire_members_of

# PROPERTY_EXAMPLES=5000 looks for longer.
PROPERTY: Final = settings(max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "150")), deadline=None, print_blob=True)

DEFAULTS: Final[dict[Any, Strategy]] = {
    str: values.TEXTS,
    int: values.INTS,
    float: values.FLOATS,
    bool: st.booleans(),
    object: values.JSON,
    Any: values.JSON,
    dict: values.OBJECTS,
    type(None): st.none(),
    datetime.datetime: values.TIMES,
    datetime.date: values.TIMES,
}


@dataclass(frozen=True, eq=False)
class Walker:
    """Builds the strategies of one side.

    `named` has leaves by the name of their field, or "" for any, and the type that stands there (`dict` for free JSON);
    `without` has fields and union members, by `Type.field` or by tag, that are left out, and `always` fields that are
    never left out.
    """

    named: Mapping[tuple[str, Any], Strategy] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    least_items: int = 0
    _built: dict[tuple[Any, str], Strategy] = field(default_factory=dict, init=False)

    def of(self, tp: Any, name: str = "") -> Strategy:
        """What may stand at an annotation of the field `name`."""
        tp = bare(tp)
        key = (tp, name)
        if key not in self._built:
            self._built[key] = self._build(tp, name)
        return self._built[key]

    def of_fields(self, tp: Any) -> dict[str, Strategy]:
        """What may stand in each field of an object."""
        return {
            name: self.of(annotation, name)
            for name, (annotation, _) in fields_of(tp).items()
            if f"{tp.__name__}.{name}" not in self.without
        }

    def _build(self, tp: Any, name: str) -> Strategy:
        origin, args = get_origin(tp), get_args(tp)
        if is_union(tp):
            return st.one_of([self.of(member, name) for member in wire_members_of(tp) if not self._is_out(member)])
        if is_object(tp):
            return objects(self.of_fields(tp), self._required_in(tp), 3)
        if origin is Literal:
            return st.sampled_from(args)
        if origin in (list, Iterable, Sequence):
            return st.lists(self.of(args[0], name), min_size=self.least_items, max_size=3)
        if origin in (dict, Mapping) and args[1] not in (object, Any):
            return st.dictionaries(self.of(args[0]), self.of(args[1]), max_size=2)
        kind = dict if origin in (dict, Mapping) else tp
        named = next((key for key in ((name, kind), ("", kind)) if key in self.named), None)
        return DEFAULTS[kind] if named is None else self.named[named]

    def _required_in(self, tp: Any) -> frozenset[str]:
        return required_in(tp) | {name for name in fields_of(tp) if f"{tp.__name__}.{name}" in self.always}

    def _is_out(self, member: Any) -> bool:
        return is_object(member) and bool(tags_of(member) & self.without)


def tags_of(tp: Any) -> set[str | None]:
    """The values of `type`, else of `role`, that tell an object from others; empty where neither is a literal."""
    found = fields_of(tp)
    for key in ("type", "role"):
        if key in found and (tags := literals_of(found[key][0])):
            return tags
    return set()


def required_in(tp: Any) -> frozenset[str]:
    """The fields that an object must have."""
    return frozenset(name for name, (_, required) in fields_of(tp).items() if required)


@st.composite
def objects(
    draw: st.DrawFn,
    fields: Mapping[str, Strategy],
    required: frozenset[str],
    most: int,
    seldom: frozenset[str] = frozenset(),
) -> Any:
    """An object of what is required and a few of the other fields; those that are `seldom` there rather not."""
    names = [name for name in fields if name in required]
    if others := [name for name in fields if name not in required | seldom]:
        names += draw(st.lists(st.sampled_from(others), unique=True, max_size=most))
    if seldom and draw(st.integers(0, 3)) == 0:
        names.append(draw(st.sampled_from(sorted(seldom))))
    return {name: draw(fields[name]) for name in names}
