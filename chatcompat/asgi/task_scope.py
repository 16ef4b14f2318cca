"""A timeout for the inner app, and tasks beside it.

An `anyio` task group with a deadline does both. On asyncio it costs about 40 µs a request, more than the rest of the
middleware. So asyncio has its own implementation (`asyncio_task_scope.py`), and other event loops use anyio's.
"""

import sys
from collections.abc import Callable, Coroutine
from functools import cache
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

Beside = Callable[[], Coroutine[Any, Any, None]]


class TaskScope(Protocol):
    """Runs a block with a timeout, and tasks beside it. Cancelling the block raises nothing.

    At the end of the block its tasks are cancelled and awaited. If a task raises, the block is cancelled and the
    exception is raised in an exception group.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None: ...

    @property
    def cancelled(self) -> bool:
        """Whether this scope cancelled the block, even if the block swallowed that."""

    def is_of_block(self, error: BaseException, /) -> bool:
        """Whether a cancellation comes from within the block: it awaited something that was cancelled."""

    def start(self, task: Beside) -> None:
        """Start a task beside the block."""

    def cancel(self) -> None:
        """Cancel the block."""

    def set_timeout(self, seconds: float) -> None:
        """Cancel the block in `seconds`, in place of an earlier timeout. `math.inf` turns the timeout off."""


async def call_within(
    task_scope: TaskScope, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> tuple[BaseException | None, bool]:
    """Call an app within a scope that was entered, and leave that. Returns what the app raised, and if its time was up.

    Not by `async with`: compiled, that loses an exception while `__aexit__` waits.
    """
    failure: BaseException | None = None
    ended_by: BaseException | None = None
    try:
        await app(scope, receive, send)
    except BaseException as error:  # noqa: BLE001 - raised once the tasks beside it have ended
        if isinstance(error, Exception) or task_scope.is_of_block(error):
            failure = error
        else:
            ended_by = error
    timed_out = ended_by is not None or task_scope.cancelled  # the app may swallow the cancellation
    kind, traceback = (None, None) if ended_by is None else (type(ended_by), ended_by.__traceback__)
    try:
        is_own = await task_scope.__aexit__(kind, ended_by, traceback)
    except Exception:  # of a task beside the app
        if failure is None:
            raise
        is_own = True
    if not is_own and ended_by is not None:
        raise ended_by
    return failure, timed_out


def new_task_scope() -> TaskScope:
    """A scope for the running event loop."""
    asyncio = sys.modules.get("asyncio")
    try:
        task = asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # asyncio is not running
        task = None
    return _AnyioTaskScope() if task is None else _asyncio_scope()(task)


@cache
def _asyncio_scope() -> Callable[[Any], TaskScope]:
    """The scope for asyncio, imported on first use: asyncio takes longer to import than this package."""
    from chatcompat.asgi.asyncio_task_scope import AsyncioTaskScope  # noqa: PLC0415

    return AsyncioTaskScope


class _AnyioTaskScope:
    """A scope for any event loop that anyio supports."""

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

    def is_of_block(self, _: BaseException, /) -> bool:
        return False  # on trio, nothing but a scope cancels

    def start(self, task: Beside) -> None:
        self._tasks.start_soon(task)

    def cancel(self) -> None:
        self._tasks.cancel_scope.cancel()

    def set_timeout(self, seconds: float) -> None:
        self._tasks.cancel_scope.deadline = anyio.current_time() + seconds
