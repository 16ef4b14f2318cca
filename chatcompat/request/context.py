"""The state of one request's translation."""

from typing import Any, Final, Protocol

from msgspec import Raw

from chatcompat.request.bounds import RequestBounds
from chatcompat.wire.messages import CacheControl

MAX_BREAKPOINTS: Final = 4
"""Native: "A maximum of 4 blocks with cache_control may be provided"."""


class Cacheable(Protocol):
    """A block or tool that can carry a cache breakpoint."""

    cache_control: CacheControl | None


class RequestContext:
    """The ignored fields, the cache breakpoints in prompt order, the media, and the limits of one request."""

    __slots__ = ("bounds", "breakpoints", "ignored", "media")

    def __init__(self, ignored: list[str], bounds: RequestBounds) -> None:
        self.ignored: list[str] = ignored
        self.bounds: RequestBounds = bounds
        self.breakpoints: list[Cacheable | dict[str, Any]] = []
        self.media: list[memoryview] = []

    def add_breakpoint(self, block: Cacheable, cache_control: CacheControl | None) -> None:
        """Set the breakpoint of a block, unless it has one already."""
        if cache_control is not None and block.cache_control is None:
            block.cache_control = cache_control
            self.breakpoints.append(block)

    def take_mark(self, tool: dict[str, Any]) -> None:
        """Record the breakpoint of a native tool, if it has one."""
        if tool.get("cache_control") is not None:
            self.breakpoints.append(tool)

    def splice(self, data: memoryview) -> Raw:
        """Return a placeholder for the rest of a large JSON string; `joined` replaces it after encoding."""
        self.media.append(data)
        return Raw(b'"\0%d\0' % (len(self.media) - 1))

    def keep_last_breakpoints(self) -> None:
        """Drop the first breakpoints if there are more than the native API accepts."""
        surplus = self.breakpoints[:-MAX_BREAKPOINTS]
        for block in surplus:
            if isinstance(block, dict):
                del block["cache_control"]
            else:
                block.cache_control = None
        if surplus:
            self.ignored.append("cache_control")


def joined(encoded: bytes, media: list[memoryview]) -> bytes:
    """Replace the placeholders in an encoded request by their media, so that media are copied once.

    A placeholder is a number between zero bytes, which JSON never contains.
    """
    parts: list[bytes | memoryview] = [*encoded.split(b"\0")]
    parts[1::2] = [media[int(bytes(number))] for number in parts[1::2]]
    return b"".join(parts)
