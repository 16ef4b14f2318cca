"""Both task scopes end their block, and the tasks beside it, in the same way."""

import asyncio
import math
from collections.abc import Generator
from contextlib import suppress
from contextvars import ContextVar
from types import coroutine
from typing import Any

import anyio
import pytest

from chatcompat.asgi.task_scope import new_task_scope

pytestmark = pytest.mark.anyio


class Beside:
    """A task that waits for ever, and knows what became of it."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.ended = False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.ended = True


async def fail() -> None:
    raise ValueError("beside")


async def never_waits() -> None:
    """Return at once."""


async def test_a_block_that_ends_takes_its_tasks_along() -> None:
    beside, unbegun = Beside(), Beside()
    async with new_task_scope() as task_scope:
        task_scope.start(beside)
        await task_scope.run(beside.begun.wait())
        task_scope.start(unbegun)
    assert beside.ended
    await anyio.lowlevel.checkpoint()  # nothing is left to be thrown here


async def test_time_ends_a_block_and_no_sooner() -> None:
    async with new_task_scope() as task_scope:
        task_scope.set_timeout(10)
        task_scope.set_timeout(0.01)
        task_scope.set_timeout(math.inf)
        task_scope.set_timeout(0.05)
        began = anyio.current_time()
        await task_scope.run(anyio.sleep_forever())
    assert anyio.current_time() - began >= 0.04
    await anyio.lowlevel.checkpoint()


async def test_time_that_is_given_again_does_not_end() -> None:
    whole = False
    async with new_task_scope() as task_scope:
        for _ in range(5):
            task_scope.set_timeout(0.2)
            await task_scope.run(anyio.sleep(0.08))
        task_scope.set_timeout(math.inf)
        await task_scope.run(anyio.sleep(0.3))
        whole = True
    assert whole


async def test_a_task_beside_can_end_the_block() -> None:
    async with new_task_scope() as task_scope:

        async def end() -> None:
            task_scope.cancel()

        task_scope.start(end)
        await task_scope.run(anyio.sleep_forever())
    task_scope.cancel()  # nothing is left to be cancelled
    await anyio.lowlevel.checkpoint()


async def test_a_block_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed = 0
    async with new_task_scope() as task_scope:
        task_scope.set_timeout(0.01)
        while swallowed < 2:
            try:
                await task_scope.run(anyio.sleep_forever())
            except anyio.get_cancelled_exc_class():
                swallowed += 1
                task_scope.set_timeout(math.inf)
    assert swallowed == 2
    await anyio.lowlevel.checkpoint()


async def test_what_a_task_raises_ends_the_block_and_is_raised() -> None:
    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.start(fail)
            await task_scope.run(anyio.sleep_forever())

    with pytest.raises(ExceptionGroup) as raised:
        await serve()
    assert [type(error) for error in raised.value.exceptions] == [ValueError]
    await anyio.lowlevel.checkpoint()


async def test_what_a_task_raises_when_it_is_cancelled_is_raised() -> None:
    begun = anyio.Event()

    async def stubborn() -> None:
        begun.set()
        with suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()
        raise ValueError("at its end")

    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.start(stubborn)
            await task_scope.run(begun.wait())

    with pytest.raises(ExceptionGroup):
        await serve()
    await anyio.lowlevel.checkpoint()


async def test_a_cancellation_from_outside_goes_through() -> None:
    beside = Beside()
    with anyio.move_on_after(0.05) as scope:
        async with new_task_scope() as task_scope:
            task_scope.start(beside)
            await task_scope.run(anyio.sleep_forever())
    assert scope.cancelled_caught
    assert beside.ended


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancellation_goes_through_even_behind_one_of_ours() -> None:
    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.set_timeout(0)
            try:
                await task_scope.run(anyio.sleep_forever())
            finally:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(10)

    task = asyncio.create_task(serve())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_while_its_tasks_end_waits_for_them() -> None:
    slow = anyio.Event()
    ended = False

    async def slow_to_end() -> None:
        nonlocal ended
        try:
            await anyio.sleep_forever()
        finally:
            slow.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.1)
            ended = True

    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.start(slow_to_end)
            await task_scope.run(asyncio.sleep(0.01))

    task = asyncio.create_task(serve())
    await slow.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_block_that_never_waits_has_neither_task_nor_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    made: list[str] = []
    set_timer = loop.call_at

    def call_at(*args: Any, **named: Any) -> asyncio.TimerHandle:
        made.append("timer")
        return set_timer(*args, **named)

    async def forever() -> None:
        await asyncio.Event().wait()

    def new_task(loop: asyncio.AbstractEventLoop, task: Any, **named: Any) -> asyncio.Task[Any]:
        made.append("task")
        return asyncio.Task(task, loop=loop, **named)

    monkeypatch.setattr(loop, "call_at", call_at)
    loop.set_task_factory(new_task)
    try:
        async with new_task_scope() as task_scope:
            task_scope.set_timeout(10)
            task_scope.start(fail)
            task_scope.set_timeout(5)
            await task_scope.run(never_waits())
        await asyncio.sleep(0)
        assert made == []
        async with new_task_scope() as task_scope:
            task_scope.set_timeout(10)
            task_scope.start(forever)
            await task_scope.run(asyncio.sleep(0))
        assert sorted(made) == ["task", "timer"]
    finally:
        loop.set_task_factory(None)


@pytest.mark.parametrize("first", [True, False])
async def test_what_a_call_raises_or_survives_is_as_if_it_was_awaited(first: bool) -> None:
    """A call gets what is thrown where it waits, whether for the first time or later."""
    caught: list[str] = []

    async def call() -> None:
        if not first:
            await anyio.sleep(0.001)
        for _ in range(2):
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                caught.append("cancelled")
        raise ValueError("raised by the call")

    async with new_task_scope() as task_scope:
        task_scope.set_timeout(0.01)
        with pytest.raises(ValueError, match="raised by the call"):
            await task_scope.run(call())
    assert caught == ["cancelled"] * 2
    await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_call_that_is_closed_where_it_waits_cleans_up() -> None:
    closed: list[str] = []

    async def call() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            closed.append("closed")

    async def serve() -> None:
        async with new_task_scope() as task_scope:
            await task_scope.run(call())

    serving = serve()
    serving.send(None)
    serving.close()
    assert closed == ["closed"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_any_awaitable_can_be_run() -> None:
    ended: list[str] = []

    class Call:
        def __await__(self) -> Generator[Any, Any, None]:
            yield from asyncio.sleep(0.01).__await__()
            ended.append("an object")

    @coroutine
    def old() -> Generator[Any, Any, None]:
        yield from asyncio.sleep(0.01).__await__()
        ended.append("a generator")

    async with new_task_scope() as task_scope:
        await task_scope.run(Call())
        await task_scope.run(old())
        with pytest.raises(TypeError, match="await"):
            await task_scope.run(None)  # type: ignore[arg-type]
    assert ended == ["an object", "a generator"]


async def test_tasks_beside_have_the_context_of_the_block() -> None:
    """What a call sets in its context does not reach what waits for the client."""
    variable: ContextVar[str] = ContextVar("variable", default="outside")
    seen: list[str] = []
    begun = anyio.Event()

    async def beside() -> None:
        seen.append(variable.get())
        begun.set()

    async def call() -> None:
        variable.set("within the call")
        await begun.wait()

    async with new_task_scope() as task_scope:
        task_scope.start(beside)
        await task_scope.run(call())
    assert seen == ["outside"]
