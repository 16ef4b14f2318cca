"""Base64 is checked the same with and without the extra that makes it fast, wherever its slices end."""

import re
import sys
from functools import partial
from typing import Any

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat import InvalidRequest
from chatcompat.request import base64_data

PLAIN = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?")
CHARACTERS = st.text(st.sampled_from("Aaz09+/=-_ é\u0661"), max_size=40)
CHUNKS = st.lists(
    st.sampled_from(["AAAA", "a+/9", "AA==", "AAA=", "A", "\\/AAA", "AA\\r\\nAA", "=", '\\"']), max_size=12
)
WAYS = {"with the extra": pybase64.b64decode, "without": None}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(base64_data, "_vector_decode", lambda: WAYS[request.param])
    return str(request.param)


def checked(data: bytes, kind: Any = bytes) -> bytes | None:
    """The data as it is sent, or None if it is refused."""
    try:
        return bytes(base64_data.to_plain_base64(kind(data + b'"'), "place"))[:-1]
    except InvalidRequest:
        return None


@settings(max_examples=1_000, deadline=None)
@given(text=CHARACTERS | CHUNKS.map("".join), slices=st.sampled_from([4, 8, 12, 262_144]))
def test_both_ways_take_the_same(text: str, slices: int) -> None:
    data = text.encode()
    plain = data.replace(rb"\/", b"/").replace(rb"\r", b"").replace(rb"\n", b"")
    for name in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base64_data, "_vector_decode", partial(WAYS.get, name))
            patch.setattr(base64_data, "_SLICE", slices)
            patch.setattr(base64_data, "_DECODED", slices)
            patch.setattr(base64_data, "_WORTH", 0)
            found = [checked(data, kind) for kind in (bytes, memoryview)]
        assert found == [plain if PLAIN.fullmatch(plain) else None] * 2


@pytest.mark.parametrize("at", [0, 1, 262_143, 262_144, 262_145, 524_287, 999_999])
@pytest.mark.parametrize("wrong", [b"-", b"=", b" ", b"\x80"])
def test_one_wrong_character_in_a_large_image_is_found(way: str, at: int, wrong: bytes) -> None:
    data = bytearray(b"abc/" * 250_000)
    assert checked(bytes(data)) == bytes(data)
    data[at : at + 1] = wrong
    if wrong == b"\x80":
        with pytest.raises(UnicodeDecodeError):
            checked(bytes(data))
    elif (at, wrong) == (999_999, b"="):
        assert checked(bytes(data)) == bytes(data)  # padding
    else:
        assert checked(bytes(data)) is None


@pytest.mark.parametrize("size", [1, 2, 3, 1_023, 1_025, 262_143, 262_145, 524_289])
def test_data_of_an_impossible_length_is_refused(way: str, size: int) -> None:
    data = b"A" * size
    assert checked(data) == (data if size % 4 == 0 else None)


def test_the_extra_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    base64_data._vector_decode.cache_clear()
    assert base64_data._vector_decode() is pybase64.b64decode
    base64_data._vector_decode.cache_clear()
    monkeypatch.setitem(sys.modules, "pybase64", None)
    assert base64_data._vector_decode() is None
    base64_data._vector_decode.cache_clear()
