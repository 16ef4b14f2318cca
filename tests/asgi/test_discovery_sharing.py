"""Discovery asks one question for many requests, and keeps the answer for the client that asked."""

import json
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import Dialect
from chatcompat.asgi.discovery import (
    KEPT_FOR,
    MAX_KEPT,
    QUESTIONS_PER_MINUTE,
    ExpiringCache,
)
from tests.asgi.driver import Reply, call, scope
from tests.asgi.test_discovery import KEY, Answer, Clock, Service, answers, middleware, thinking

pytestmark = pytest.mark.anyio


async def ask_all(app: Any, bodies: list[bytes], **more: Any) -> list[Reply]:
    replies: list[Reply] = []

    async def ask(body: bytes) -> None:
        replies.append(await call(app, body, **more))

    async with anyio.create_task_group() as tasks:
        for body in bodies:
            tasks.start_soon(ask, body)
    return replies


def slow(release: anyio.Event) -> Answer:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await answers()(scope, receive, send)

    return answer


async def test_fifty_requests_at_once_are_one_question() -> None:
    release = anyio.Event()
    inner = Service(slow(release))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_all, middleware(inner), [thinking()] * 50)
        await anyio.wait_all_tasks_blocked()
        assert (inner.asked, inner.bodies) == (["/v1/models/m"], [])
        release.set()
    assert (len(inner.asked), inner.efforts()) == (1, ["high"] * 50)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_request_that_is_cancelled_cancels_no_other(number: int) -> None:
    release = anyio.Event()
    inner = Service(slow(release))
    app = middleware(inner)
    limits: list[anyio.CancelScope] = []

    async def ask() -> None:
        with anyio.CancelScope() as limit:
            limits.append(limit)
            await call(app, thinking())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
        limits[number].cancel()
        await anyio.wait_all_tasks_blocked()
        release.set()
    assert inner.efforts() == ["high"] * 2
    assert len(inner.asked) == 2 - number  # only the one who asked takes the question with it


async def test_a_client_that_leaves_does_not_end_the_question() -> None:
    release, leave = anyio.Event(), anyio.Event()
    inner = Service(slow(release))
    app = middleware(inner)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(app, thinking(), leave=leave))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(call, app, thinking())
        await anyio.wait_all_tasks_blocked()
        leave.set()
        await anyio.wait_all_tasks_blocked()
        release.set()
    assert len(inner.asked) == 1
    assert "high" in inner.efforts()


# ---------------------------------------------------------------- for how long, and for whom


async def test_an_answer_is_kept_for_an_hour() -> None:
    inner, clock = Service(), Clock()
    app = middleware(inner, clock)
    for now, count in ((0.0, 1), (KEPT_FOR - 1, 1), (KEPT_FOR, 2)):
        clock.now = now
        await call(app, thinking())
        assert len(inner.asked) == count


@pytest.mark.parametrize(
    "other",
    [
        [(b"authorization", b"Bearer other"), (b"host", b"h")],
        [(b"x-api-key", b"Bearer key"), (b"host", b"h")],
        [(b"authorization", b"Bearer key"), (b"host", b"i")],
        [(b"host", b"h")],
        [],
    ],
)
async def test_another_client_gets_an_answer_of_its_own(other: list[tuple[bytes, bytes]]) -> None:
    inner = Service()
    app = middleware(inner)
    for headers in (KEY, other, KEY, other):
        await call(app, thinking(), headers=headers)
    credentials = [
        [header for header in question["headers"] if header[0] != b"anthropic-version"] for question in inner.questions
    ]
    assert credentials == [KEY, other]


async def test_another_base_is_another_question() -> None:
    inner = Service()
    bases = [Dialect(discover=True, caching="off"), Dialect(discover=True)]
    app = middleware(inner, dialect=lambda _: bases.pop())
    for _ in range(2):
        await call(app, thinking(messages=[{"role": "user", "content": "a" * 9_000}]))
    assert ["cache_control" in json.loads(body) for body in inner.bodies] == [True, False]
    assert len(inner.asked) == 2


async def test_questions_and_answers_are_bounded_whatever_ids_a_client_makes_up() -> None:
    inner, clock = Service(), Clock()
    discovery = middleware(inner, clock)._endpoint.discovery
    base = Dialect(discover=True)
    where = scope()

    async def find(model: str, headers: list[tuple[bytes, bytes]] = KEY) -> Dialect:
        return await discovery.find(model, base, headers, dict(headers), where)  # type: ignore[no-any-return]

    found = [await find(f"m{number}") for number in range(2_000)]
    assert len(inner.asked) == QUESTIONS_PER_MINUTE
    assert [dialect.reasoning for dialect in found] == ["effort"] * 64 + ["budget"] * 1_936
    assert (await find("m1999", [(b"authorization", b"Bearer other")])).reasoning == "effort"
    assert (await find("m1999")).reasoning == "budget"
    assert (await find("m1999", [KEY[0], (b"host", b"other")])).reasoning == "budget"
    clock.now = 60.0
    assert (await find("m1999")).reasoning == "effort"
    assert len(inner.asked) == QUESTIONS_PER_MINUTE + 2


async def test_a_client_that_asks_too_often_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    app = middleware(Service())
    for number in range(QUESTIONS_PER_MINUTE + 9):
        await call(app, thinking(f"m{number}"))
    assert len(caplog.messages) == 1
    assert "too many" in caplog.text


async def test_of_many_answers_those_used_last_are_kept() -> None:
    kept: ExpiringCache[int] = ExpiringCache(Clock())
    for number in range(2_000):
        kept.put(b"%d" % number, number, 1.0)
        kept.get(b"0")
    assert (len(kept), kept.get(b"0"), kept.get(b"976"), kept.get(b"977")) == (MAX_KEPT, 0, None, 977)
