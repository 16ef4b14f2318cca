"""Work grows with the input and not with its square, wherever a client or a model can make it long, deep or many."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

import pytest

from chatcompat import InvalidRequest, RequestBounds, translate
from chatcompat.dialect import PRESETS
from chatcompat.wire.chat_request import ChatCompletionRequest
from tests.cost.completed import EACH, completed, most_bytes
from tests.cost.counting import PACKAGE, work_of
from tests.cost.replies import REPLIES, STREAMS, generated_replies, generated_streams
from tests.cost.requests import KNOWN
from tests.cost.shapes import Place, pairs, places
from tests.cost.ways import REPLY_WAYS, REQUEST_WAYS, STREAM_WAYS, Pieces, Way, few

Sizes = tuple[int, int, int]
SMALL: Final = (1_000, 2_000, 4_000)
MIDDLE: Final = (5_000, 10_000, 20_000)
LARGER: Final = (8_000, 16_000, 32_000)
MOST_GROWTH: Final = 1.15  # of the work that each further byte costs: 1 is linear, 2 is quadratic
NOISE: Final = 800  # numbers that get longer, bounds that are reached
MOST_WORK: Final = 40  # for each byte

PLACES: Final = [Place(place.name, completed(place.document), place.fills) for place in places(ChatCompletionRequest)]
Make = Callable[[int], Pieces]


def excess(make: Make, run: Callable[[Pieces], int], sizes: Sizes, within: str = PACKAGE) -> str | None:
    """How the work grows, where it grows by more than the input."""
    documents = [make(size) for size in sizes]
    run(documents[0])  # what is made once is made now
    first, second, third = (work_of(partial(run, pieces), within) for pieces in documents)
    small, middle, large = (sum(map(len, pieces)) for pieces in documents)
    before = abs(second - first) / (middle - small) if middle > small else second / middle
    if third - second > MOST_GROWTH * before * (large - middle) + NOISE:
        return f"work {first}, {second}, {third}"
    if third > MOST_WORK * (large + NOISE):
        return f"work {third} of {large} bytes"
    return None


def found(shapes: Iterable[tuple[str, Make]], ways: dict[str, Way], sizes: Sizes = SMALL) -> list[str]:
    """Each shape that costs too much in one of the ways; twice, since a bound may lie between two sizes."""
    larger = sizes[0] * 4, sizes[1] * 4, sizes[2] * 4
    return [
        f"{name}, {way}: {told}"
        for name, make in shapes
        for way, through in ways.items()
        if excess(make, through.run, sizes) and (told := excess(make, through.run, larger))
    ]


def one(make: Callable[[int], bytes]) -> Make:
    return lambda size: [make(size)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_each_place_of_a_request_costs_in_proportion(place: Place) -> None:
    shapes = ((shape.name, one(shape.make)) for shape in place.shapes())
    assert found(shapes, {"native": REQUEST_WAYS["native"]}) == []


def test_places_that_stand_together_cost_in_proportion() -> None:
    shapes = ((shape.name, one(shape.make)) for shape in pairs(PLACES, near=True))
    assert found(shapes, {"native": REQUEST_WAYS["native"]}) == []


@pytest.mark.parametrize("name", KNOWN)
def test_a_hostile_request_costs_in_proportion(name: str) -> None:
    ways = few(REQUEST_WAYS) if name.startswith("response_format") else {"native": REQUEST_WAYS["native"]}
    assert found([(name, one(KNOWN[name][0]))], ways, LARGER) == []


@pytest.mark.parametrize("name", KNOWN)
def test_a_hostile_request_becomes_no_larger(name: str) -> None:
    request = KNOWN[name][0](LARGER[-1])
    for dialect in PRESETS.values():
        with suppress(InvalidRequest):
            body = translate(request, dialect=dialect, bounds=RequestBounds(growth=EACH)).body
            assert len(body) <= most_bytes(request, growth=EACH)


def test_each_place_of_a_reply_costs_in_proportion() -> None:
    shapes = ((name, one(make)) for name, make in generated_replies())
    assert found(shapes, few(REPLY_WAYS)) == []


@pytest.mark.parametrize("name", REPLIES)
def test_a_hostile_reply_costs_in_proportion(name: str) -> None:
    assert found([(name, one(REPLIES[name][0]))], few(REPLY_WAYS), LARGER) == []


def test_each_place_of_a_stream_costs_in_proportion() -> None:
    assert found(generated_streams(), few(STREAM_WAYS)) == []


@pytest.mark.parametrize("name", STREAMS)
def test_a_hostile_stream_costs_in_proportion(name: str) -> None:
    assert found([(name, STREAMS[name][0])], few(STREAM_WAYS), MIDDLE) == []
