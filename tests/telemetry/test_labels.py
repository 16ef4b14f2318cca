"""Labels are bounded, and counts are numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat._telemetry import BoundedLabels, amount, count, to_name, to_place


def test_labels_are_the_first_so_many() -> None:
    labels = BoundedLabels(2)
    assert [labels.add(text) for text in "abcab"] == ["a", "b", None, "a", "b"]
    assert [labels.find(text) for text in "abc"] == ["a", "b", None]
    assert BoundedLabels(0).add("a") is None


@pytest.mark.parametrize(
    ("ignored", "place"),
    [
        ("seed", "seed"),
        ("messages[3].content[1].x", "messages[].content[].x"),
        ("messages[].name", "messages[].name"),
        ("messages[0].role", "messages[].role"),
        ("maxTokens", "maxTokens"),
        ("tools[].custom.format", "tools[].custom.format"),
        ("messages[].my prompt", "messages[].*"),
        ("sk-secret", "*"),
        ("messages[].content[].sk-secret", "messages[].content[].*"),
        ("a\nb", "*"),
        ("", "*"),
        ("x" * 33, "*"),
        ("1", "*"),
        ("x[2", "*"),
        ("\u00e4", "*"),
        ("a.b.c.d.e.f", "a.b.c.d.e.f"),
        ("a.b.c.d.e.f.g", "a.b.c.d.e.f.g"),
        ("a.b.c.d.e.f.g.h.i", "a.b.c.d.e.f.*"),
    ],
)
def test_a_place_has_no_indices_and_nothing_that_is_not_a_name(ignored: str, place: str) -> None:
    assert to_place(ignored) == place


@given(st.text())
def test_places_and_names_are_bounded_and_plain(text: str) -> None:
    assert to_place(text).isascii()
    assert len(to_place(text * 50)) <= 7 * 35
    assert to_name(text).isprintable()
    assert len(to_name(text * 50)) <= 100


@pytest.mark.parametrize(
    ("value", "told"),
    [(3, 3), (0, 0), (0.5, 0.5), (-1, None), ("3", None), (True, None), (None, None), ([3], None), (10**30, None)],
)
def test_only_what_can_be_added_up_is_an_amount(value: Any, told: float | None) -> None:
    assert amount({"credits_consumed": value}, "credits_consumed") == told
    assert amount({"a": {"b": value}}, "a", "b") == told


def test_an_amount_that_is_not_there_is_none_and_tokens_are_whole() -> None:
    for usage in (None, {}, {"a": 1}, {"a": None}):
        assert amount(usage, "a", "b") is None
    assert count({"a": 2}, "a") == 2
    assert count({"a": 0.5}, "a") is None
