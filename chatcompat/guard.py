"""The inner app's time, and the tasks beside it.

`anyio` has one thing for both, a task group with a deadline. On asyncio that costs some 40 µs a request, more than all
else here together; asyncio's own task group costs 5. Hence a guard made of it where it runs, and anyio's elsewhere.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self

import anyio

Beside = Callable[[], Coroutine[Any, Any, None]]


class Guard(Protocol):
    """The block under it is cancelled when its time is over or someone says so, and nothing is raised for that.

    The tasks that it started are cancelled at the end of the block, and awaited: none outlives it. What one of them
    raises cancels the block and is raised in an exception group.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None: ...

    def start(self, task: Beside) -> None:
        """Start a task beside the block."""

    def cancel(self) -> None:
        """Cancel the block."""

    def allow(self, seconds: float) -> None:
        """Cancel the block so many seconds from now, and no earlier; `math.inf` for never."""


def new_guard() -> Guard:
    """A guard for the running task's event loop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop of asyncio's
        task = None
    return _AnyioGuard() if task is None else _AsyncioGuard()


class _AnyioGuard:
    """On whatever anyio runs on."""

    def __init__(self) -> None:
        self._tasks = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, traceback)

    def start(self, task: Beside) -> None:
        self._tasks.start_soon(task)

    def cancel(self) -> None:
        self._tasks.cancel_scope.cancel()

    def allow(self, seconds: float) -> None:
        self._tasks.cancel_scope.deadline = anyio.current_time() + seconds


class _AsyncioGuard:
    """On asyncio: its own tasks; anyio's scope around the block, which also ends one that swallows a cancellation."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._tasks = asyncio.TaskGroup()
        self._started: list[asyncio.Task[None]] = []
        self._clock = asyncio.get_running_loop()
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._stop_timer()
        while self._started:  # let go of: a task holds its traceback, and with it all that it knew
            self._started.pop().cancel()
        if self._scope.__exit__(kind, error, traceback):
            kind = error = traceback = None
        await self._tasks.__aexit__(kind, error, traceback)
        return error is None

    def start(self, task: Beside) -> None:
        self._started.append(self._tasks.create_task(task()))

    def cancel(self) -> None:
        self._scope.cancel()

    def allow(self, seconds: float) -> None:
        self._deadline = deadline = self._clock.time() + seconds
        if self._timer is not None and deadline < self._timer.when():
            self._stop_timer()
        if self._timer is None and deadline < math.inf:
            self._timer = self._clock.call_at(deadline, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """A deadline that moved away is cheaper met again than set anew each time."""
        self._timer = None
        left = self._deadline - self._clock.time()
        if left > 0:
            self.allow(left)
        else:
            self._scope.cancel()
