"""Proof of a client's free JSON: tool schemas and arguments are sent on as the bytes that came.

So that key order and digits stay as they are, these bytes are never rebuilt. Instead they are proven: the whole
body is known to be UTF-8, one typed scan shows valid JSON of the right kind, and the depth is bounded.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

MAX_DEPTH: Final = 128
"""How deep free JSON may be nested; schemas that people write stay under 20."""

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])

decode_object = _object.decode
decode_array = _array.decode

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[{]|[\]}]")


def is_too_deep(proven: bytes) -> bool:
    """Whether valid JSON is nested deeper than `MAX_DEPTH`; few brackets need no look at their order."""
    if proven.count(b"{") + proven.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", proven)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False
