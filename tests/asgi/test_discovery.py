"""`dialect="discover"`: the inner app is asked what each model can do."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, RequestBounds, translate
from chatcompat.asgi.discovery import (
    Discovery,
)
from chatcompat.dialect import DEFAULT_DIALECT, LLAMA_CPP
from chatcompat.simulator import create_app
from tests.asgi.driver import Inner, call, chat

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
    paths = ("/v1/chat/completions", "/v1/messages")
    app._endpoint.discovery = Discovery(inner, *paths, clock=clock or Clock(), timeout=timeout)
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


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat/", "/count_tokens"])
@pytest.mark.parametrize("mounted", ["", "/below"])
async def test_a_count_asks_what_its_completion_would(path: str, mounted: str) -> None:
    inner = Service()
    app = ChatCompatMiddleware(inner, path=path, dialect="discover", count_tokens=True)
    counted = f"{path.rstrip('/')}/count_tokens{'/' * path.endswith('/')}"
    for each in (counted, path):
        await call(app, chat(reasoning_effort="high"), path=mounted + each, root_path=mounted, headers=KEY)
    assert inner.asked == [f"{mounted}/v1/models/m"]  # the second knows
    assert inner.efforts() == ["high", "high"]
