"""The inner app's time, and the tasks beside it.

`anyio` has one thing for both, a task group with a deadline. On asyncio that costs some 40 µs a request, more than all
else here together. Hence a guard by hand where asyncio runs (`asyncio_task_scope.py`), and anyio's elsewhere.
"""

import sys
from collections.abc import Callable, Coroutine
from functools import cache
from types import TracebackType
from typing import Any, Protocol, Self

import anyio

Beside = Callable[[], Coroutine[Any, Any, None]]


class TaskScope(Protocol):
    """The block under it is cancelled when its time is over or someone says so, and nothing is raised for that.

    The tasks that it started are cancelled at the end of the block, and awaited: none outlives it. What one of them
    raises cancels the block and is raised in an exception group.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None: ...

    @property
    def cancelled(self) -> bool:
        """Whether the block was cancelled here, whatever it makes of that."""

    def start(self, task: Beside) -> None:
        """Start a task beside the block."""

    def cancel(self) -> None:
        """Cancel the block."""

    def set_timeout(self, seconds: float) -> None:
        """Cancel the block so many seconds from now, and no earlier; `math.inf` for never."""


def new_task_scope() -> TaskScope:
    """A guard for the running task's event loop."""
    asyncio = sys.modules.get("asyncio")
    try:
        task = asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # no event loop of asyncio's
        task = None
    return _AnyioTaskScope() if task is None else _by_hand()(task)


@cache
def _by_hand() -> Callable[[Any], TaskScope]:
    """Imported when asyncio runs: importing asyncio takes longer than all that is here."""
    from chatcompat.asgi.asyncio_task_scope import AsyncioTaskScope  # noqa: PLC0415

    return AsyncioTaskScope


class _AnyioTaskScope:
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

    @property
    def cancelled(self) -> bool:
        return self._tasks.cancel_scope.cancel_called

    def start(self, task: Beside) -> None:
        self._tasks.start_soon(task)

    def cancel(self) -> None:
        self._tasks.cancel_scope.cancel()

    def set_timeout(self, seconds: float) -> None:
        self._tasks.cancel_scope.deadline = anyio.current_time() + seconds
