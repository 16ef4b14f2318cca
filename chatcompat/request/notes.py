"""What a translation keeps beside the request that it builds."""

from typing import Final, Protocol

from chatcompat.bounds import RequestBounds
from chatcompat.messages import CacheControl

MAX_BREAKPOINTS: Final = 4
"""Native: "A maximum of 4 blocks with cache_control may be provided"."""


class Cacheable(Protocol):
    """A block or tool that can carry a cache breakpoint."""

    cache_control: CacheControl | None


class Notes:
    """The report of what is not sent on, the cache breakpoints in the order of the prompt, and what bounds both."""

    __slots__ = ("bounds", "breakpoints", "ignored")

    def __init__(self, ignored: list[str], bounds: RequestBounds) -> None:
        self.ignored = ignored
        self.bounds = bounds
        self.breakpoints: list[Cacheable] = []

    def mark(self, block: Cacheable, cache_control: CacheControl | None) -> None:
        """Put a breakpoint on a block that has none yet."""
        if cache_control is not None and block.cache_control is None:
            block.cache_control = cache_control
            self.breakpoints.append(block)

    def keep_last_breakpoints(self) -> None:
        """Drop the first breakpoints where there are more than the native side takes."""
        surplus = self.breakpoints[:-MAX_BREAKPOINTS]
        for block in surplus:
            block.cache_control = None
        if surplus:
            self.ignored.append("cache_control")
