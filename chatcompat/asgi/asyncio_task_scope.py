"""The task scope for asyncio. It cancels like `asyncio.timeout` and awaits its tasks like `asyncio.TaskGroup`.

Tasks and timers start when the block first waits, since none of them could run before. An app that replies without
waiting, for instance from a cache, does not pay for them.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

Beside = Callable[[], Coroutine[Any, Any, None]]

_PERSISTENCE: Final = 0.5
"""Seconds that a cancelled block has to clean up before it is cancelled again."""


class AsyncioTaskScope:
    """A `TaskScope` for the block that the task `host` runs."""

    def __init__(self, host: asyncio.Task[Any]) -> None:
        self._host = host
        self._cancelling = host.cancelling()  # cancellations that were pending before this block
        self._cancelled = 0
        self._over = False
        self._clock = host.get_loop()
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._first_wait: asyncio.Handle | None = None
        self._unstarted: list[Beside] = []
        self._started: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._all_ended: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._first_wait = self._clock.call_soon(self._on_first_wait)
        return self

    def _on_first_wait(self) -> None:
        self._first_wait = None
        for task in self._unstarted:
            self.start(task)
        self._unstarted.clear()
        self._set_timer()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._over = True
        if self._first_wait is not None:
            self._first_wait.cancel()
            self._unstarted.clear()  # would be a reference cycle otherwise
        self._stop_timer()
        for _ in range(self._cancelled):
            self._host.uncancel()
        own = isinstance(error, asyncio.CancelledError) and self._cancelled > 0
        own = own and self._host.cancelling() <= self._cancelling
        if self._started:
            await self._end_all()
        if self._failures:
            raise ExceptionGroup("a task beside the messages app failed", self._failures)
        return own

    async def _end_all(self) -> None:
        """Cancel the started tasks and wait for all of them, even when cancelled meanwhile."""
        cancelled: asyncio.CancelledError | None = None
        for task in self._started:
            task.cancel()
        while self._started:
            self._all_ended = self._clock.create_future()
            try:
                await self._all_ended
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    @property
    def cancelled(self) -> bool:
        """Whether this scope cancelled the block."""
        return self._cancelled > 0

    def is_of_block(self, error: BaseException, /) -> bool:
        """Whether a cancellation comes from within the block: nobody asked for one."""
        is_asked_for = self._cancelled > 0 or self._host.cancelling() > self._cancelling
        return isinstance(error, asyncio.CancelledError) and not is_asked_for

    def start(self, task: Beside) -> None:
        """Start a task beside the block, once the block first waits."""
        if self._first_wait is not None:
            self._unstarted.append(task)
            return
        started = self._clock.create_task(task())
        self._started.add(started)
        started.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._started.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._failures.append(error)
            self.cancel()
        if not self._started and self._all_ended is not None and not self._all_ended.done():
            self._all_ended.set_result(None)

    def cancel(self) -> None:
        """Cancel the block. Cancel it again if it swallows the cancellation."""
        if self._over:
            return
        self._cancelled += 1
        self._host.cancel()
        self._deadline = self._clock.time() + _PERSISTENCE
        self._set_timer()

    def set_timeout(self, seconds: float) -> None:
        """Cancel the block in `seconds`, unless it is already cancelled."""
        if self._cancelled:
            return
        self._deadline = self._clock.time() + seconds
        if self._first_wait is None:
            self._set_timer()

    def _set_timer(self) -> None:
        """Set a timer for the deadline. An earlier timer stays: it sets the next one when it fires."""
        if self._timer is not None and self._deadline < self._timer.when():
            self._stop_timer()
        if self._timer is None and self._deadline < math.inf:
            self._timer = self._clock.call_at(self._deadline, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        left = self._deadline - self._clock.time()
        if self._cancelled or left <= 0:
            self.cancel()
        else:
            self.set_timeout(left)
