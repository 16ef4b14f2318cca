"""The state of one request's translation."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.strict_schema import StrictSchemas
from chatcompat.wire.messages import CacheControl

_SHORT: Final = 256  # bytes; up to this size, a copy is faster than a placeholder


class Cacheable(Protocol):
    """A block or tool that can carry a cache breakpoint."""

    cache_control: CacheControl | None


class RequestContext:
    """The ignored fields, the client's cache breakpoints, the media, and the limits of one request."""

    __slots__ = (
        "bounds",
        "breakpoints",
        "cites",
        "files",
        "ignored",
        "media",
        "names",
        "native_ids",
        "places",
        "strict",
    )

    def __init__(
        self,
        ignored: list[str],
        bounds: RequestBounds,
        strict: StrictSchemas,
        native_ids: Mapping[int, list[str]] = MappingProxyType({}),
    ) -> None:
        self.native_ids: Mapping[int, list[str]] = native_ids  # ids of the calls in a message, by its index
        self.ignored: list[str] = ignored
        self.bounds: RequestBounds = bounds
        self.strict: StrictSchemas = strict
        self.names: dict[str, str] = {}  # of the messages of each role: the first name
        self.breakpoints: list[Cacheable | dict[str, Any]] = []
        self.cites: bool = False  # whether the reply shall cite documents or results of a search
        self.files: int = 0
        self.places: int = 0
        self.media: list[bytes | memoryview] = []

    def take_name(self, name: str, role: str) -> None:
        """Report the name in a message where it is lost: natively, messages have none.

        Frameworks name each message. Nothing is lost where the name is the role, or where all of the assistant's
        messages, or all instructions, have the one name. A user's name tells the model who asks.
        """
        if name.lower() != role and (role == "user" or self.names.setdefault(role, name) != name):
            self.ignored.append("messages[].name")

    def add_breakpoint(self, block: Cacheable, cache_control: CacheControl | None) -> None:
        """Set the breakpoint of a block. If it has one already, the longer lifetime wins."""
        if cache_control is None:
            return
        if block.cache_control is None:
            block.cache_control = cache_control
            self.breakpoints.append(block)
        elif cache_control.ttl == "1h":
            block.cache_control = cache_control

    def take_mark(self, tool: dict[str, Any], path: str) -> None:
        """Record the breakpoint of a native tool, if it has one. Raises `InvalidRequest` if it is malformed."""
        mark = tool.get("cache_control")
        if mark is None:
            return
        try:
            msgspec.convert(mark, CacheControl)
        except msgspec.ValidationError:
            raise InvalidRequest(
                'Send {"type": "ephemeral"}, with a "ttl" of "5m" or "1h" or without.',
                param=f"{path}.cache_control",
                code="invalid_value",
            ) from None
        self.breakpoints.append(tool)

    def count_file(self, path: str) -> None:
        """Count an image, a file or a document. Raises `InvalidRequest` if there are more than the limit."""
        self.files += 1
        bound = self.bounds.files
        if self.files > bound:
            raise InvalidRequest(
                f"Send at most {bound} images, files and documents in a request.",
                param=path,
                code="array_above_max_length",
            )

    def count_places(self, count: int, path: str) -> None:
        """Count further places in the ids of entries. Raises `InvalidRequest` if there are more than the limit."""
        self.places += count
        bound = self.bounds.places
        if self.places > bound:
            raise InvalidRequest(
                f"The ids of all entries name more than {bound} further places. Leave reasoning_details out here.",
                param=path,
                code="array_above_max_length",
            )

    def splice(self, data: bytes | memoryview) -> Raw:
        """Return a placeholder for the rest of a string; `with_media` replaces it after encoding. Short ones stay."""
        if len(data) <= _SHORT and (whole := b'"' + data).isascii():
            return Raw(whole)
        self.media.append(data)
        return Raw(b'"\0%d\0' % (len(self.media) - 1))


def with_media(encoded: bytes, media: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """The pieces of an encoded request, with the media in place of their placeholders. Joined, they are copied once.

    A placeholder is a number between zero bytes, which JSON never contains.
    """
    if not media:
        return [encoded]
    pieces: list[bytes | memoryview] = [*encoded.split(b"\0")]
    pieces[1::2] = [media[int(bytes(number))] for number in pieces[1::2]]
    return pieces
