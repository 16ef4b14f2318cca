"""The text in the input of a tool that stands for something else: a custom tool, or a format."""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS


class _FreeText(Struct):
    input: str


_free_text = msgspec.json.Decoder(_FreeText).decode


def to_free_text(raw: str) -> str:
    """Return the text in a custom tool's input. Input in another form, or cut off, is returned unchanged."""
    try:
        return _free_text(raw).input
    except DECODE_ERRORS:
        return raw


class _Wrapped(Struct):
    value: Raw


_wrapped = msgspec.json.Decoder(_Wrapped).decode
_WRAPPING: Final = re.compile(r'[ \t\n\r]*+\{[ \t\n\r]*+"value"[ \t\n\r]*+:[ \t\n\r]*+')


def to_unwrapped(raw: str) -> str:
    """Return the JSON in the wrapper, byte for byte. If it was cut off, return the part that arrived."""
    try:
        return bytes(_wrapped(raw).value).decode()
    except DECODE_ERRORS:
        wrapping = _WRAPPING.match(raw)
        return raw[wrapping.end() :] if wrapping is not None else raw
