"""Time that stands still while anything can run, and jumps to the next timer when nothing can.

A test of a timeout then depends on the order of timers alone, not on how busy the machine is, and waits for nothing.
"""

import asyncio
import selectors
import time
from typing import Any

import pytest
from trio.testing import MockClock

_START = 1_000.0  # as of a process that has run for a while: no time is zero


class _Selector(selectors.DefaultSelector):
    """Asyncio's wait for the next timer, which passes at once."""

    now = _START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if timeout is not None and not ready:
            self.now += max(timeout, 0)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def to_backend(name: str, patch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """The `anyio_backend` of this name whose time is virtual. `time.monotonic` tells the same time."""
    if name == "trio":
        clock = MockClock(autojump_threshold=0)
        clock.jump(_START)
        patch.setattr(time, "monotonic", clock.current_time)
        return name, {"clock": clock}

    def new_loop() -> _Loop:
        loop = _Loop()
        patch.setattr(time, "monotonic", loop.time)
        return loop

    return name, {"loop_factory": new_loop}
