"""The counts see what they are there to see."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.cost.test_counts import SMALL, excess
from tests.cost.ways import Pieces

MADE: Final = "<made for a test>"


def made(body: str) -> Callable[[Pieces], int]:
    """A function whose work is counted; `text` is what it is given."""
    names: dict[str, Any] = {}
    source = f"def run(pieces):\n    text = pieces[0].decode()\n    {body}\n    return 0\n"
    exec(compile(source, MADE, "exec"), names)
    return names["run"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "body",
    [
        "for character in text: text = text[1:]",
        "seen = b''\n    for character in text: seen = seen + b'x'",
        "kept = []\n    for character in text: kept = [*kept, 1]",
        "numbers = [*range(len(text) // 50)]\n    for number in numbers:\n        for other in numbers: pass",
        "for number in range(len(text) // 10): [str(other) for other in range(number)]",
        "block = {'text': ''}\n    def grow(block): block['text'] = block['text'] + 'x'\n"
        "    for character in text: grow(block)",
        "for character in text: whole = text.upper()",
    ],
)
def test_work_that_grows_with_the_square_is_found(body: str) -> None:
    assert excess(lambda size: [b"x" * size], made(body), SMALL, MADE) is not None


@pytest.mark.parametrize(
    "body",
    [
        "for character in text: pass",
        "kept = []\n    for character in text: kept.append(character)",
        "whole = ''.join([character for character in text]).upper()",
        "def look(text): return text\n    for character in text: look(text)",
    ],
)
def test_work_in_proportion_is_left_alone(body: str) -> None:
    assert excess(lambda size: [b"x" * size], made(body), SMALL, MADE) is None
