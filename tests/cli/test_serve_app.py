"""The app of one process, by its settings."""

import json
import logging
from typing import Any

import pytest

from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.cli import serve_app
from chatcompat.cli.open_requests import OpenRequests
from chatcompat.cli.serve_app import Settings, create_app
from chatcompat.otel import TracedChatCompatMiddleware
from chatcompat.redis import RedisStore
from chatcompat.store import MemoryStore
from chatcompat.upstream import Upstream
from tests.asgi.driver import Inner, call, chat

pytestmark = pytest.mark.anyio
ORIGIN = (b"origin", b"https://app.example")


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio."""
    return "asyncio"


def made(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """The app around an inner app of one reply, and the options of its middleware."""
    options: dict[str, Any] = {}

    class Noted(ChatCompatMiddleware):
        def __init__(self, app: Any, **given: Any) -> None:
            options.update(given, app=app)
            super().__init__(app, **given)

    monkeypatch.setattr(serve_app, "ChatCompatMiddleware", Noted)
    return create_app(Settings(**settings), OpenRequests()), options


async def test_without_an_upstream_the_simulator_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    app, options = made(monkeypatch)
    reply = await call(app, chat(model="caicaini/auto"))
    assert (reply.status, reply.headers["x-request-id"][:4]) == (200, "req_")
    assert isinstance(options["store"], MemoryStore)
    assert (await call(app, path="/healthz", method="GET")).json() == {"status": "ok"}
    assert b"Base URL for chat clients" in (await call(app, path="/", method="GET", headers=[])).body
    assert "lacks /v1" in (await call(app, path="/chat/completions")).error["message"]


async def test_the_options_reach_the_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    _, options = made(
        monkeypatch,
        upstream="http://127.0.0.1:1",
        dialect="llama-cpp",
        api_key_header=True,
        store="redis://127.0.0.1",
        choices=3,
        strict=True,
        models=("a",),
        model_aliases={"a": "b"},
        max_body_bytes=5,
        idle_timeout=7.0,
    )
    assert isinstance(options["app"], Upstream)
    assert isinstance(options["store"], RedisStore)
    assert options["dialect"].api_key_header
    assert not options["dialect"].keeps_connections
    assert (options["bounds"].choices, options["strict"], options["models"]) == (3, True, ("a",))
    assert (options["model_aliases"], options["max_body_bytes"], options["idle_timeout"]) == ({"a": "b"}, 5, 7)


async def test_without_hints_and_a_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    app, _ = made(monkeypatch, path_hints=False, access_log=False)
    with caplog.at_level(logging.INFO, "chatcompat.access"):
        reply = await call(app, path="/chat/completions")
    assert (reply.status, json.loads(reply.body)["error"]["type"]) == (404, "not_found_error")
    assert caplog.records == []


async def test_web_pages_of_an_origin_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = made(monkeypatch, cors=("https://app.example",))
    preflight = [ORIGIN, (b"access-control-request-method", b"POST"), (b"access-control-request-headers", b"x-a")]
    reply = await call(app, method="OPTIONS", headers=preflight)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert (await call(app, headers=[ORIGIN])).headers["access-control-allow-origin"] == "https://app.example"


class Metrics:
    """What `PrometheusMetrics` is to the app."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def __call__(self, record: Any) -> None:
        self.records.append(record)

    def beside(self, app: Any) -> Any:
        async def with_metrics(scope: Any, receive: Any, send: Any) -> None:
            await (Inner(b"metrics") if scope["path"] == "/metrics" else app)(scope, receive, send)

        return with_metrics


async def test_metrics_and_spans_are_there_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    monkeypatch.setattr("chatcompat.prometheus.PrometheusMetrics", lambda: metrics)
    traced: list[Any] = []
    monkeypatch.setattr(TracedChatCompatMiddleware, "_observe", lambda self, record: traced.append(record))
    app = create_app(Settings(metrics=True, otel=True), OpenRequests())
    assert (await call(app, path="/metrics", method="GET")).body == b"metrics"
    assert (await call(app, chat(model="caicaini/auto"))).status == 200
    assert [len(metrics.records), len(traced)] == [1, 1]
