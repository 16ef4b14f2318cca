"""Discovery that fails: the request goes on with the dialect as configured."""

import logging
import math
from collections import Counter

import anyio
import pytest
from anyio.lowlevel import checkpoint
from starlette.types import Message, Receive, Scope, Send

from chatcompat import Dialect
from chatcompat.asgi.discovery import (
    FAILED_FOR,
    MAX_ANSWER_BYTES,
    Discovery,
)
from tests.asgi.driver import call, scope
from tests.asgi.test_discovery import JSON, KEY, MODEL, Answer, Clock, Service, answers, middleware, thinking
from tests.asgi.test_discovery_sharing import ask_all

pytestmark = pytest.mark.anyio


async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret")


async def stops(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": JSON})
    await send({"type": "http.response.body", "body": MODEL, "more_body": True})


async def breaks_behind_its_answer(scope: Scope, receive: Receive, send: Send) -> None:
    await answers()(scope, receive, send)
    raise RuntimeError("secret")


async def hangs_behind_its_answer(scope: Scope, receive: Receive, send: Send) -> None:
    await answers()(scope, receive, send)
    await send({"type": "http.response.body", "body": b"more"})
    await anyio.sleep_forever()


async def never_ends(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": JSON})
    while True:
        await send({"type": "http.response.body", "body": b" " * 100_000, "more_body": True})


async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
    await anyio.sleep_forever()


async def sends_nothing_for_ever(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        await send({"type": "http.response.body", "body": b"", "more_body": True})


FAILURES: dict[str, tuple[Answer, str]] = {
    "an exception": (breaks, "raised RuntimeError"),
    "half an answer": (stops, "half an answer"),
    "no end": (never_ends, f"larger than {MAX_ANSWER_BYTES}"),
    "no answer": (hangs, "within 0.2 s"),
    "empty pieces": (sends_nothing_for_ever, "within 0.2 s"),
    "401": (answers(b'{"error": "secret"}', 401), "status 401"),
    "404": (answers(b"secret", 404), "status 404"),
    "a redirect": (answers(b"", 302), "status 302"),
    "no JSON": (answers(b"secret"), "not a JSON object"),
    "a list": (answers(b"[]"), "not a JSON object"),
    "deep JSON": (answers(b'{"a":' + b"[" * 100_000), "not a JSON object"),
    "no UTF-8": (answers(b'{"a": "\xff"}'), "not a JSON object"),
    "HTML": (answers(MODEL, headers=[(b"content-type", b"text/html")]), "not JSON"),
    "no type": (answers(MODEL, headers=[]), "not JSON"),
    "gzip": (answers(MODEL, headers=[*JSON, (b"content-encoding", b"gzip")]), "not JSON"),
    "no capabilities": (answers(b'{"id": "secret"}'), "capabilities"),
    "null": (answers(b'{"capabilities": null}'), "capabilities"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.real_time if "pieces" in name else ()) for name in FAILURES],
)
async def test_a_failure_falls_back_and_is_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    answer, why = FAILURES[name]
    inner, clock = Service(answer), Clock()
    app = middleware(inner, clock, timeout=0.2 if "within" in why else math.inf)
    with caplog.at_level(logging.DEBUG, "chatcompat"):
        replies = [await call(app, thinking()) for _ in range(2)]
    assert ([reply.status for reply in replies], inner.efforts()) == ([200, 200], [None, None])
    assert len(inner.asked) == len(caplog.messages) == 1
    assert why in caplog.text
    assert "m, so" in caplog.text
    assert not {"secret", "key", "hi"} & set(caplog.text.replace(",", " ").split())
    assert "secret" not in caplog.text
    clock.now, app._endpoint.discovery._timeout = FAILED_FOR, math.inf
    inner.answer = answers()
    await call(app, thinking())
    assert (len(inner.asked), inner.efforts()[-1]) == (2, "high")


@pytest.mark.parametrize("answer", [breaks_behind_its_answer, hangs_behind_its_answer])
async def test_a_whole_answer_counts_whatever_follows(answer: Answer) -> None:
    inner = Service(answer)
    await call(middleware(inner, timeout=0.2), thinking())
    assert inner.efforts() == ["high"]


async def test_all_who_wait_for_a_hanging_route_go_on_in_time() -> None:
    inner = Service(hangs)
    with anyio.fail_after(4):
        await ask_all(middleware(inner, timeout=0.2), [thinking()] * 20)
    assert (len(inner.asked), inner.efforts()) == (1, [None] * 20)


async def test_a_request_does_not_wait_for_others_for_ever() -> None:
    inner = Service(hangs)
    app = middleware(inner, timeout=math.inf)
    discovery = app._endpoint.discovery
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, app, thinking())
        await anyio.wait_all_tasks_blocked()
        discovery._timeout = 0.1
        await call(app, thinking())
        tasks.cancel_scope.cancel()
    assert (len(inner.asked), inner.efforts()) == (1, [None])


async def test_a_failed_question_leaves_nothing_behind() -> None:
    app = middleware(Service(breaks))
    await call(app, thinking())
    assert app._endpoint.discovery._pending == {}


async def test_a_known_model_costs_no_turn_of_the_event_loop() -> None:
    inner = Service()
    discovery = Discovery(inner, "/v1/chat/completions", "/v1/messages")
    base = Dialect(discover=True)
    turns: Counter[str] = Counter()

    async def count() -> None:
        while True:
            turns["all"] += 1
            await checkpoint()

    first = await discovery.find("m", base, KEY, dict(KEY), scope())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await checkpoint()
        before = turns["all"]
        assert await discovery.find("m", base, KEY, dict(KEY), scope()) is first
        assert turns["all"] == before
        tasks.cancel_scope.cancel()


async def test_messages_that_are_neither_start_nor_body_are_skipped() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        odd: Message = {"type": "http.response.debug", "info": {}}
        await send(odd)
        await answers()(scope, receive, send)

    inner = Service(answer)
    await call(middleware(inner), thinking())
    assert inner.efforts() == ["high"]
