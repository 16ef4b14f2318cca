"""Blocks of a stream, assembled from their deltas and otherwise unchanged."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.wire.message_reply import NULL

Fields = dict[str, Raw]

_encode = msgspec.json.Encoder().encode
decode_fields: Final[Callable[[Raw | bytes], Fields]] = msgspec.json.Decoder(Fields).decode
_optional_list = msgspec.json.Decoder(list[Raw] | None).decode
_optional_text = msgspec.json.Decoder(str | None).decode
_text = msgspec.json.Decoder(str).decode

_STRING: Final = b'"'


class _Deltas:
    """What was added to a block."""

    __slots__ = ("citations", "fields", "input", "texts")

    def __init__(self) -> None:
        self.fields: Fields = {}
        self.texts: dict[str, list[str]] = {}
        self.citations: list[Raw] = []
        self.input: list[str] = []


class GrowingBlock:
    """A block, and the deltas since its start. Many blocks have none."""

    __slots__ = ("_deltas", "_raw")

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._deltas: _Deltas | None = None

    @property
    def deltas(self) -> _Deltas:
        """The deltas so far, to add to them."""
        if self._deltas is None:
            self._deltas = _Deltas()
        return self._deltas

    def add_text(self, name: str, piece: str) -> None:
        """Add a piece to the text of a field."""
        self.deltas.texts.setdefault(name, []).append(piece)

    def add_citation(self, citation: Raw) -> None:
        """Add a citation."""
        self.deltas.citations.append(citation)

    def add_input(self, partial_json: str) -> None:
        """Add a piece of the input of a tool."""
        self.deltas.input.append(partial_json)

    def set_field(self, name: str, value: Raw) -> None:
        """Replace a field."""
        self.deltas.fields[name] = value

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
        deltas = self._deltas
        if deltas is None:
            return self._raw
        raw = "".join(deltas.input).encode()
        if not (raw or deltas.fields or deltas.texts or deltas.citations):
            return self._raw
        known = decode_fields(self._raw) | deltas.fields
        block: dict[str, Raw | str | list[Raw]] = {**known}  # encoded once, since a block may be large
        for name, pieces in deltas.texts.items():
            block[name] = "".join([_optional_text(known.get(name, NULL)) or "", *pieces])
        if deltas.citations:
            before = _optional_list(_encode(block.get("citations")))
            block["citations"] = [*(before or ()), *deltas.citations]
        if raw:
            decode_fields(raw)
            block["input"] = Raw(raw)
        return Raw(_encode(block))
