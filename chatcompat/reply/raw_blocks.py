"""Blocks of a stream, assembled from their deltas and otherwise unchanged."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

Fields = dict[str, Raw]

NULL: Final = Raw(b"null")

_encode = msgspec.json.Encoder().encode
decode_fields: Final[Callable[[Raw | bytes], Fields]] = msgspec.json.Decoder(Fields).decode
_optional_list = msgspec.json.Decoder(list[Raw] | None).decode
_optional_text = msgspec.json.Decoder(str | None).decode
_text = msgspec.json.Decoder(str).decode

_STRING: Final = b'"'


class GrowingBlock:
    """A block, and the deltas since its start."""

    __slots__ = ("_citations", "_input", "_raw", "_set", "_texts")

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._set: Fields = {}
        self._texts: dict[str, list[str]] = {}
        self._citations: list[Raw] = []
        self._input: list[str] = []

    def add_text(self, name: str, piece: str) -> None:
        """Add a piece to the text of a field."""
        self._texts.setdefault(name, []).append(piece)

    def add_citation(self, citation: Raw) -> None:
        """Add a citation."""
        self._citations.append(citation)

    def add_input(self, partial_json: str) -> None:
        """Add a piece of the input of a tool."""
        self._input.append(partial_json)

    def set_field(self, name: str, value: Raw) -> None:
        """Replace a field."""
        self._set[name] = value

    def add_unknown(self, delta: Fields) -> None:
        """Add a delta of an unknown type. Raises `DECODE_ERRORS`.

        As in most known deltas, a string is added to the field of the same name, and any other value replaces it.
        """
        for name, value in delta.items():
            if name == "type" or value == NULL:
                continue
            if bytes(memoryview(value)[:1]) == _STRING:
                self.add_text(name, _text(value))
            else:
                self.set_field(name, value)

    def built(self) -> Raw:
        """Return the whole block, byte for byte if there were no deltas; raises `DECODE_ERRORS`."""
        raw = "".join(self._input).encode() if self._input else b""
        if not (raw or self._set or self._texts or self._citations):
            return self._raw
        block = decode_fields(self._raw) | self._set
        for name, pieces in self._texts.items():
            block[name] = Raw(_encode("".join([_optional_text(block.get(name, NULL)) or "", *pieces])))
        if self._citations:
            before = _optional_list(block.get("citations", NULL))
            block["citations"] = Raw(_encode([*(before or ()), *self._citations]))
        if raw:
            decode_fields(raw)
            block["input"] = Raw(raw)
        return Raw(_encode(block))
