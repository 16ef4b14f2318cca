"""`dialect="discover"`: the inner app is asked what each model can do."""

import json
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, RequestBounds, translate
from chatcompat.asgi.discovery import (
    FAILED_FOR,
    KEPT_FOR,
    MAX_ANSWER_BYTES,
    MAX_KEPT,
    QUESTIONS_PER_MINUTE,
    Discovery,
    ExpiringCache,
)
from chatcompat.dialect import DEFAULT_DIALECT, LLAMA_CPP
from chatcompat.simulator import create_app
from tests.asgi.driver import Inner, Reply, call, chat, scope

pytestmark = pytest.mark.anyio

EFFORT = {"effort": {"supported": True}, "thinking": {"types": {"adaptive": {"supported": True}}}}
MODEL = json.dumps({"type": "model", "id": "m", "capabilities": EFFORT}).encode()
JSON = [(b"content-type", b"application/json")]
KEY = [(b"authorization", b"Bearer key"), (b"host", b"h")]

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


def answers(body: bytes = MODEL, status: int = 200, headers: list[tuple[bytes, bytes]] = JSON) -> Answer:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": body[9:]})
        assert await receive() == {"type": "http.disconnect"}

    return answer


class Service(Inner):
    """A messages app with a models route."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__()
        self.questions: list[Scope] = []
        self.answer = answers() if answer is None else answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            self.questions.append(scope)
            await self.answer(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [question["path"] for question in self.questions]

    def efforts(self) -> list[Any]:
        """How each messages request asked to think: by effort where the model was discovered."""
        return [json.loads(body).get("output_config", {}).get("effort") for body in self.bodies]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def middleware(inner: Service, clock: Clock | None = None, *, timeout: float = 5.0, **more: Any) -> Any:
    """A middleware whose questions have a clock and a limit of the test's own."""
    app = ChatCompatMiddleware(inner, **({"dialect": "discover"} | more))
    app._discovery = Discovery(inner, "/v1/chat/completions", "/v1/messages", clock=clock or Clock(), timeout=timeout)
    return app


def thinking(model: str = "m", **fields: Any) -> bytes:
    return chat(model=model, max_tokens=20_000, reasoning_effort="high", **fields)


# ---------------------------------------------------------------- what is asked, and what it changes


@pytest.mark.parametrize("option", ["discover", Dialect(discover=True), lambda _: Dialect(discover=True)])
async def test_the_model_is_asked_once_and_its_answer_decides(option: Any) -> None:
    inner = Service()
    app = ChatCompatMiddleware(inner, dialect=option)
    for _ in range(3):
        assert (await call(app, thinking())).status == 200
    assert (inner.asked, inner.efforts()) == (["/v1/models/m"], ["high"] * 3)


async def test_the_question_has_the_clients_headers_and_no_body() -> None:
    inner = Service()
    headers = [*KEY, (b"content-type", b"application/json"), (b"accept", b"text/event-stream"), (b"cookie", b"c=1")]
    more: list[tuple[bytes, bytes]] = [(b"if-none-match", b"x"), (b"range", b"bytes=0-1"), (b"accept-encoding", b"br")]
    await call(middleware(inner), thinking(), headers=headers + more, query_string=b"a=1")
    (question,) = inner.questions
    assert question["headers"] == [*KEY, (b"cookie", b"c=1"), (b"anthropic-version", b"2023-06-01")]
    assert (question["method"], question["query_string"], question["type"]) == ("GET", b"", "http")


async def test_the_base_says_where_the_credential_goes_and_what_else_holds() -> None:
    inner = Service()
    base = Dialect(discover=True, api_key_header=True, version="2026-10-21", caching="off")
    await call(middleware(inner, dialect=base), thinking(messages=[{"role": "user", "content": "a" * 9_000}]))
    headers = dict(inner.questions[0]["headers"])
    assert (headers[b"x-api-key"], headers[b"anthropic-version"]) == (b"key", b"2026-10-21")
    assert b"cache_control" not in inner.bodies[0]
    assert inner.efforts() == ["high"]


@pytest.mark.parametrize(
    ("model", "raw"),
    [
        ("m", b"m"),
        ("a/b", b"a%2Fb"),
        ("a:b@c", b"a%3Ab%40c"),
        ("a.b-c_d", b"a.b-c_d"),
        ("...", b"..."),
        ("a..b", b"a..b"),
    ],
)
async def test_a_plain_model_id_is_encoded_in_the_path(model: str, raw: bytes) -> None:
    inner = Service()
    await call(middleware(inner), thinking(model))
    assert (inner.asked, inner.questions[0]["raw_path"]) == ([f"/v1/models/{model}"], b"/v1/models/" + raw)


@pytest.mark.parametrize(
    "model",
    [
        *("..", ".", "../files", "a/../b", "a/./b", "a/..", "/a", "a/", "a//b"),
        *("a b", "a?b", "a#b", "a%2e", "a\\b", "é", "\n", "a\n", "a" * 201, "a\0b"),
    ],
)
async def test_another_model_id_is_never_asked_about(model: str, caplog: pytest.LogCaptureFixture) -> None:
    inner = Service()
    assert (await call(middleware(inner), thinking(model))).status == 200
    assert (inner.asked, inner.efforts()) == ([], [None])
    assert "not plain" in caplog.text
    assert model not in caplog.messages[0] or len(model) < 3


async def test_the_native_model_of_an_alias_is_asked_about() -> None:
    inner = Service()
    await call(middleware(inner, model_aliases={"gpt-4o": "native-1"}), thinking("gpt-4o"))
    assert inner.asked == ["/v1/models/native-1"]


async def test_several_choices_are_one_question() -> None:
    inner = Service()
    reply = await call(middleware(inner, bounds=RequestBounds(choices=4)), thinking(n=4))
    assert (len(reply.json()["choices"]), len(inner.asked), inner.efforts()) == (4, 1, ["high"] * 4)


async def test_a_mounted_endpoint_asks_below_its_prefix() -> None:
    inner = Service()
    app = ChatCompatMiddleware(inner, dialect="discover", messages_path="/api/messages")
    where: dict[str, Any] = {"path": "/llm/v1/chat/completions", "root_path": "/llm", "raw_path": None}
    await call(app, thinking(), **where)
    assert (inner.asked, inner.questions[0]["raw_path"]) == (["/llm/api/models/m"], None)


async def test_native_requests_and_other_dialects_ask_nothing() -> None:
    inner = Service()
    await call(middleware(inner), b"{}", path="/v1/messages")
    for dialect in (Dialect(), LLAMA_CPP, lambda _: Dialect()):
        await call(middleware(inner, dialect=dialect), thinking())
    assert inner.asked == []


async def test_a_refused_request_asks_nothing() -> None:
    inner = Service()
    assert (await call(middleware(inner), b"{}")).status == 400
    assert inner.asked == []


async def test_the_models_of_the_simulator_are_discovered() -> None:
    app = ChatCompatMiddleware(create_app(), dialect="discover")
    by_budget, by_effort = [await call(app, thinking(model)) for model in ("sim-1", "sim-2")]
    assert (by_budget.status, by_effort.status) == (200, 200)
    refused = await call(ChatCompatMiddleware(create_app()), thinking("sim-2"))
    assert "thinking.type.enabled" in refused.error["message"]


async def test_the_list_of_models_is_served_as_before() -> None:
    inner = Inner(b'{"data": [{"id": "m"}], "has_more": false}')
    app = ChatCompatMiddleware(inner, dialect="discover")
    reply = await call(app, method="GET", path="/v1/models", headers=KEY)
    assert [model["id"] for model in reply.json()["data"]] == ["m"]


@pytest.mark.parametrize("option", ["native", "", 1, None])
async def test_another_option_is_a_type_error(option: Any) -> None:
    with pytest.raises(TypeError, match="discover"):
        ChatCompatMiddleware(Inner(), dialect=option)
    with pytest.raises(TypeError, match="discover"):
        translate(chat(), dialect=option)


async def test_without_an_inner_app_discover_is_the_default() -> None:
    assert translate(chat(), dialect="discover").body == translate(chat(), dialect=DEFAULT_DIALECT).body


# ---------------------------------------------------------------- one question, shared


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
    discovery = middleware(inner, clock)._discovery
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


# ---------------------------------------------------------------- failures


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


@pytest.mark.parametrize("name", FAILURES)
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
    clock.now = FAILED_FOR
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
    discovery = app._discovery
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
    assert app._discovery._pending == {}


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
