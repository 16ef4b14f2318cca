"""Work grows with the input and not with its square, wherever the input grows."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from chatcompat.chat import ChatCompletionRequest
from tests.cost.counting import work_of
from tests.cost.replies import REPLIES, STREAMS, generated_replies, generated_streams
from tests.cost.requests import KNOWN, completed
from tests.cost.shapes import Place, pairs, places
from tests.cost.ways import REPLY_WAYS, REQUEST_WAYS, STREAM_WAYS, Pieces, Way

SIZES: Final = (8_000, 16_000, 32_000)
MOST_GROWTH: Final = 2.8  # of what the second doubling adds to what the first does: 2 is linear, 4 is quadratic
NOISE: Final = 600  # numbers that get longer, bounds that are reached

PLACES: Final = [
    Place(place.name, completed(place.document), place.fills) for place in places(ChatCompletionRequest)
]
CORE_REQUEST: Final = [REQUEST_WAYS["native"], REQUEST_WAYS["native-2026-10-21"]]


def too_steep(make: Callable[[int], Pieces], way: Way, sizes: tuple[int, ...] = SIZES) -> str | None:
    """How the work grows, where it is more than in proportion."""
    documents = [make(size) for size in sizes]
    way(documents[0])  # what is made once is made now
    least, middle, most = (work_of(lambda pieces=pieces: way(pieces)) for pieces in documents)
    if most - middle > MOST_GROWTH * max(0, middle - least) + NOISE:
        return f"{least}, {middle}, {most}"
    return None


def one(make: Callable[[int], bytes]) -> Callable[[int], Pieces]:
    return lambda size: [make(size)]


def steep(shapes: Iterator[tuple[str, Callable[[int], Pieces]]], ways: list[Way]) -> list[str]:
    return [
        f"{name}: {grown}" for name, make in shapes for way in ways if (grown := too_steep(make, way)) is not None
    ]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_place_of_a_request_costs_in_proportion(place: Place) -> None:
    assert steep(((shape.name, one(shape.make)) for shape in place.shapes()), CORE_REQUEST[:1]) == []


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_request_costs_in_proportion(name: str) -> None:
    assert steep(iter([(name, one(KNOWN[name][0]))]), CORE_REQUEST) == []
