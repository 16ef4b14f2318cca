"""Call ids: clients keep what they get, and the native id comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat.wire.ids import to_chat_id, to_native_id

STARTS = ["", "toolu_", "toolu_bdrk_", "toolu_vrtx_", "call_", "call_-", "call_toolu", "srvtoolu_"]
IDS = st.builds(str.__add__, st.sampled_from(STARTS), st.text("abAZ019_-", max_size=40))


@given(IDS)
def test_clients_keep_each_id_that_they_get(native: str) -> None:
    chat = to_chat_id(native)
    assert chat.startswith("call_")
    assert (len(chat) <= 40, chat.count("_")) == (True, 1)
    assert to_chat_id(native) == chat


@given(st.builds(str.__add__, st.sampled_from(STARTS), st.text("abAZ019_-", min_size=1, max_size=8)))
def test_each_short_id_comes_back_as_it_was(native: str) -> None:
    assert to_native_id(to_chat_id(native)) == native


@pytest.mark.parametrize(
    ("native", "chat"),
    [
        ("toolu_01A09q90qw90lq917835lq9", "call_toolu01A09q90qw90lq917835lq9"),
        ("toolu_bdrk_01QVKnVpVjGKTzLGUFPQcdPW", "call_toolubdrk01QVKnVpVjGKTzLGUFPQcdPW"),
        ("call_0", "call_0"),
        ("call_0_2", "call_-call-10-12"),
        ("tool-1", "call_-tool-01"),
    ],
)
def test_an_id_stays_readable(native: str, chat: str) -> None:
    assert (to_chat_id(native), to_native_id(chat)) == (chat, native)


@pytest.mark.parametrize("given_id", ["call_abc", "call_tooluxyz", "toolu_01", "call_-a-b", "x"])
def test_an_id_of_another_service_stays_as_it_is(given_id: str) -> None:
    assert to_native_id(given_id) == given_id
