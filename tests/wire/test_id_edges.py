"""Edges of call ids: what is too long, what clients make up, and ids that could be taken for one another."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat.wire.ids import UniqueIds, to_chat_id, to_native_id

NATIVE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
STARTS = ["", "toolu_", "toolu_bdrk_", "toolu_vrtx_", "call_", "call_-", "call_toolu", "call_-call-1"]
SHORT = st.builds(str.__add__, st.sampled_from(STARTS), st.text("aA01_-", min_size=1, max_size=6))


@given(st.sets(SHORT, min_size=2, max_size=30))
def test_two_ids_never_become_the_same_one(natives: set[str]) -> None:
    assert len({to_chat_id(native) for native in natives}) == len(natives)


@given(st.text(max_size=40))
def test_an_id_that_a_client_made_up_becomes_a_native_one(made_up: str) -> None:
    native = to_native_id(made_up)
    assert NATIVE.fullmatch(native)
    assert to_native_id(made_up) == native


@pytest.mark.parametrize(
    ("native", "comes_back"),
    [
        ("call_" + "a" * 35, True),
        ("call_" + "a" * 36, False),  # escaping makes it longer still
        ("a" * 34, True),
        ("a" * 35, False),
        ("_" * 17, True),
        ("_" * 18, False),
        ("toolu_" + "0" * 30, True),
        ("toolu_" + "0" * 31, False),
        ("toolu_bdrk_" + "0" * 26, True),
        ("toolu_bdrk_" + "0" * 27, False),
        ("toolu_" + "a" * 26, True),  # no id of the vendor: escaped
        ("toolu_" + "a" * 30, False),
        ("", False),
        ("a.b", False),
        ("\u00e9", False),
    ],
)
def test_an_id_comes_back_unless_it_is_too_long(native: str, comes_back: bool) -> None:
    chat = to_chat_id(native)
    assert re.fullmatch(r"call_[a-zA-Z0-9-]{1,35}", chat)
    assert (to_native_id(chat) == native) == comes_back
    assert NATIVE.fullmatch(to_native_id(chat))


@pytest.mark.parametrize("given_id", ["call_-", "call_-a-", "call_--", "call_-a-2", "call_-a_b", "call_-" + "a" * 35])
def test_what_no_escape_gives_is_not_unescaped(given_id: str) -> None:
    assert to_native_id(given_id) == given_id


@pytest.mark.parametrize("given_id", ["call_toolubdrk", "call_tooluabc", "call_toolu", "call_toolu" + "A" * 31])
def test_what_begins_like_an_id_of_the_vendor_stays_as_it_is(given_id: str) -> None:
    assert to_native_id(given_id) == given_id


def test_an_id_in_use_gets_the_next_free_number() -> None:
    ids = UniqueIds()
    assert [ids.unique(one) for one in ("x", "x_2", "x", "x", "x_2")] == ["x", "x_2", "x_3", "x_4", "x_2_2"]
    assert len({to_chat_id(one) for one in ("x", "x_2", "x_3", "x_4", "x_2_2")}) == 5
