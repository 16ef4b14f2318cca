"""Both task scopes end their block, and the tasks beside it, in the same way."""

import asyncio
import math
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat.asgi.task_scope import call_within, new_task_scope

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


async def test_a_block_that_ends_takes_its_tasks_along() -> None:
    beside, unbegun = Beside(), Beside()
    async with new_task_scope() as task_scope:
        task_scope.start(beside)
        await beside.begun.wait()
        task_scope.start(unbegun)
    assert beside.ended
    await anyio.lowlevel.checkpoint()  # nothing is left to be thrown here


@pytest.mark.parametrize("raises", [False, True])
async def test_a_task_that_fails_beside_an_app_does_not_hide_the_apps_failure(raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task_scope.start(fail)
        with suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep(0.1)
        if raises:
            raise LookupError("app")

    task_scope = new_task_scope()
    await task_scope.__aenter__()
    called = call_within(task_scope, app, {}, _no_receive, _no_send)
    if raises:
        failure, _ = await called
        assert isinstance(failure, LookupError)
    else:
        with pytest.raises((ValueError, ExceptionGroup)):
            await called


async def _no_receive() -> Message:
    return {}


async def _no_send(message: Message) -> None:
    pass


async def test_time_ends_a_block_and_no_sooner() -> None:
    async with new_task_scope() as task_scope:
        task_scope.set_timeout(10)
        task_scope.set_timeout(0.01)
        task_scope.set_timeout(math.inf)
        task_scope.set_timeout(0.05)
        began = anyio.current_time()
        await anyio.sleep_forever()
    assert anyio.current_time() - began >= 0.04
    await anyio.lowlevel.checkpoint()


async def test_time_that_is_given_again_does_not_end() -> None:
    whole = False
    async with new_task_scope() as task_scope:
        for _ in range(5):
            task_scope.set_timeout(0.2)
            await anyio.sleep(0.08)
        task_scope.set_timeout(math.inf)
        await anyio.sleep(0.3)
        whole = True
    assert whole


async def test_a_task_beside_can_end_the_block() -> None:
    async with new_task_scope() as task_scope:

        async def end() -> None:
            task_scope.cancel()

        task_scope.start(end)
        await anyio.sleep_forever()
    task_scope.cancel()  # nothing is left to be cancelled
    await anyio.lowlevel.checkpoint()


async def test_a_block_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed = 0
    async with new_task_scope() as task_scope:
        task_scope.set_timeout(0.01)
        while swallowed < 2:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                swallowed += 1
                task_scope.set_timeout(math.inf)
    assert swallowed == 2
    await anyio.lowlevel.checkpoint()


async def test_what_a_task_raises_ends_the_block_and_is_raised() -> None:
    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.start(fail)
            await anyio.sleep_forever()

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
            await begun.wait()

    with pytest.raises(ExceptionGroup):
        await serve()
    await anyio.lowlevel.checkpoint()


async def test_a_cancellation_from_outside_goes_through() -> None:
    beside = Beside()
    with anyio.move_on_after(0.05) as scope:
        async with new_task_scope() as task_scope:
            task_scope.start(beside)
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert beside.ended


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancellation_goes_through_even_behind_one_of_ours() -> None:
    async def serve() -> None:
        async with new_task_scope() as task_scope:
            task_scope.set_timeout(0)
            try:
                await anyio.sleep_forever()
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
            await asyncio.sleep(0.01)

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
        await asyncio.sleep(0)
        assert made == []
        async with new_task_scope() as task_scope:
            task_scope.set_timeout(10)
            task_scope.start(Beside())
            await asyncio.sleep(0)
        assert sorted(made) == ["task", "timer"]
    finally:
        loop.set_task_factory(None)


async def test_a_task_beside_has_a_context_of_its_own() -> None:
    """What the block sets does not reach what waits for the client, nor what one task sets another."""
    variable: ContextVar[str] = ContextVar("variable", default="outside")
    seen: list[str] = []
    begun = [anyio.Event(), anyio.Event()]

    def beside(number: int) -> Any:
        async def task() -> None:
            seen.append(variable.get())
            variable.set(f"task {number}")
            begun[number].set()
            await anyio.sleep_forever()

        return task

    async with new_task_scope() as task_scope:
        task_scope.start(beside(0))
        task_scope.start(beside(1))
        variable.set("within the block")
        for event in begun:
            await event.wait()
    assert seen == ["outside"] * 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_factory_of_two_arguments_is_enough() -> None:
    loop = asyncio.get_running_loop()
    beside = Beside()
    loop.set_task_factory(lambda loop, task: asyncio.Task(task, loop=loop))
    try:
        async with new_task_scope() as task_scope:
            task_scope.start(beside)
            await beside.begun.wait()
    finally:
        loop.set_task_factory(None)
    assert beside.ended
