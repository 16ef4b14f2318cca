"""Digests of the prefix of a turn in a messages request: the model, `system`, `tools` and the earlier blocks.

Newer models bind their thinking to this prefix, and refuse it after any other. A digest is stored with the thinking, so
that it is only restored after the same prefix. Cache breakpoints do not count: clients move them from turn to turn, and
the model does not see them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.request.json_objects import NULL
from chatcompat.wire import digests

Place = tuple[int, int]
"""The index of a native message, and the number of its blocks before the turn."""

_MARK: Final = b'"cache_control"'


class _Message(Struct):
    role: str
    content: Raw


class _Request(Struct):
    model: Raw
    messages: list[_Message]
    system: Raw = NULL
    tools: Raw = NULL


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_block = msgspec.json.Decoder(dict[str, Any], float_hook=lambda digits: Raw(digits.encode())).decode
_encode = msgspec.json.Encoder().encode


def digest_of_request(body: bytes) -> bytes:
    """Return the digest of the prefix of a reply to this request."""
    *_, digest = _digests(body, frozenset())
    return digest


def follows(body: bytes, kept: Mapping[Place, bytes]) -> bool:
    """Whether the prefix of each place in the request has the stored digest."""
    digests = _digests(body, kept.keys())
    return all(digest == kept[place] for place, digest in zip(sorted(kept), digests, strict=False))


def _digests(body: bytes, places: Iterable[Place]) -> Iterator[bytes]:
    """Yield the digest of the prefix of each place, in order, then that of the whole request, in one pass."""
    request, wanted = _decode_request(body), frozenset(places)
    digest = digests.blake2b(digest_size=32)
    for content in (request.model, request.system, request.tools):
        digest.update(b"\0")
        for block in _blocks(content):
            digest.update(b"%d:" % len(block))
            digest.update(block)
    for index, message in enumerate(request.messages):
        if (index, 0) in wanted:
            yield digest.digest()
        digest.update(b"\0" + message.role.encode())
        for number, block in enumerate(_blocks(message.content)):
            if number and (index, number) in wanted:
                yield digest.digest()
            digest.update(b"%d:" % len(block))
            digest.update(block)
    yield digest.digest()


def _blocks(content: Raw) -> Iterator[bytes]:
    """Yield the blocks of a content, as JSON. A string counts as one text block."""
    start = bytes(memoryview(content)[:1])
    if start == b"[":
        for block in _decode_list(content):
            yield _without_marks(block)
    else:
        yield b'{"type":"text","text":%b}' % bytes(content) if start == b'"' else bytes(content)


def _without_marks(block: Raw) -> bytes:
    encoded = bytes(block)
    if encoded.find(_MARK) < 0:  # `in` for bytes takes 0.2 µs more
        return encoded
    decoded = _decode_block(encoded)
    holders = [decoded]
    for holder in holders:  # grows during the loop
        holder.pop("cache_control", None)
        for inner in (holder.get("source"), holder.get("content")):
            holders += [part for part in (inner if isinstance(inner, list) else [inner]) if isinstance(part, dict)]
    return _encode(decoded)
