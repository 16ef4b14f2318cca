"""Chats of many turns, each of which has one field: what grows within one message says nothing about them."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.cost.completed import completed
from tests.cost.fills import many
from tests.cost.shapes import HOLE, Place, Shape, dumps, split

_PREFIX: Final = "messages[]<"
_USER: Final = '{"role":"user","content":"x"}'
_LEAST: Final = 1  # byte, so that a fill makes one item
_CALL: Final = '{"id":"x","type":"function","function":{"name":"x","arguments":"{}"}}'

# Fields that no struct has, and those that have a meaning in some places only: see `misplaced_fields`.
_UNKNOWN: Final = (
    '"u":0',
    '"u":null',
    '"u":["x"]',
    '"u":{"a":0}',
    '"parsed":null',
    '"parsed":{"a":0}',
    '"parsed_arguments":null',
    '"parsed_arguments":{"a":0}',
    '"refusal":"x"',
    f'"tool_calls":[{_CALL}]',
    '"provider_specific_fields":null',
    '"provider_specific_fields":{"a":0}',
    '"provider_specific_fields":{"refusal":"x"}',
    f'"provider_specific_fields":{{"tool_calls":[{_CALL}]}}',
)


def turns(found: list[Place]) -> Iterator[Shape]:
    """For each place within a message: many turns in each of which the place is filled."""
    for place in found:
        if place.name.startswith(_PREFIX):
            before, after = split(place.document, HOLE)
            for name, text in _small(place).items():
                document = json.loads(before + text.encode() + after)
                yield Shape(f"{place.name}: {name}", _chat(_turn_of(document)))


def _turn_of(document: dict[str, Any]) -> str:
    """The messages that belong together: a call and its result too."""
    _, *turn, last = completed(document)["messages"]
    return dumps([*turn, last]).decode()[1:-1]


def _chat(turn: str) -> Callable[[int], bytes]:
    return lambda size: f'{{"model":"x","messages":[{_USER},{many(turn, size).decode()},{_USER}]}}'.encode()


def _small(place: Place) -> dict[str, str]:
    """What fills the place, as small as it can be."""
    fills = place.fills
    names = [name for name in fills if name.startswith("many <") or name in ("many", "letters", "JSON: keys")]
    if "many unknown fields" in fills:  # an object
        known = fills["many unknown fields"](_LEAST).decode().removesuffix('"u0":0}')
        return {field: f"{known}{field}}}" for field in _UNKNOWN}
    if "fraction" in fills:
        return {"a float": "1.0"}
    return {name: fills[name](_LEAST).decode() for name in names or ("keys",) if name in fills}
