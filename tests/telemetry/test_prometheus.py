"""The metrics page."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message

from chatcompat import ChatCompatMiddleware, ExchangeRecord
from chatcompat.prometheus import PrometheusMetrics
from tests.asgi.driver import REPLY, Inner, call, chat, streaming
from tests.telemetry.support import get

pytestmark = pytest.mark.anyio


def told(**fields: Any) -> ExchangeRecord:
    record: dict[str, Any] = {
        "model": "m",
        "streaming": True,
        "status": 200,
        "finish_reason": "stop",
        "usage": None,
        "ignored": (),
        "time_to_first_byte": 0.5,
        "duration": 3.0,
        "error_type": None,
    }
    return ExchangeRecord(**record | fields)


def samples(page: str) -> dict[tuple[str, ...], float]:
    """The value of each sample, by its name and the values of its labels in the order of their names."""
    families = list(text_string_to_metric_families(page))
    return {
        (
            sample.name.removeprefix("chatcompat_"),
            *(sample.labels[name] for name in sorted(sample.labels)),
        ): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


async def page_of(metrics: PrometheusMetrics) -> dict[tuple[str, ...], float]:
    return samples((await get(metrics.beside(Inner())))[1])


async def test_everything_that_is_counted() -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 20,
        "total_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
        "credits_consumed": 1.5,
    }
    for _ in range(2):
        metrics(told(usage=usage, ignored=("seed", "messages[2].name"), time_to_first_token=0.7))
    metrics(told(status=429, finish_reason=None, streaming=False, error_type="rate_limit_error"))
    metrics(
        told(model=None, status=None, finish_reason=None, time_to_first_byte=None, error_type="client_disconnected")
    )
    assert await page_of(metrics) == {
        ("requests_total", "stop", "m", "200", "true"): 2,
        ("requests_total", "none", "m", "429", "false"): 1,
        ("requests_total", "none", "other", "none", "true"): 1,
        ("errors_total", "m", "rate_limit_error"): 1,
        ("errors_total", "other", "client_disconnected"): 1,
        ("tokens_total", "m", "input"): 60,
        ("tokens_total", "m", "output"): 40,
        ("cached_tokens_total", "m", "read"): 20,
        ("cached_tokens_total", "m", "write"): 10,
        ("credits_total", "m"): 3,
        ("ignored_fields_total", "seed"): 2,
        ("ignored_fields_total", "messages[].name"): 2,
        ("time_to_first_byte_seconds_count", "m", "true"): 2,
        ("time_to_first_byte_seconds_sum", "m", "true"): 1,
        ("time_to_first_byte_seconds_count", "m", "false"): 1,
        ("time_to_first_byte_seconds_sum", "m", "false"): 0.5,
        ("time_to_first_token_seconds_count", "m"): 2,
        ("time_to_first_token_seconds_sum", "m"): 1.4,
        ("request_duration_seconds_count", "m", "true"): 2,
        ("request_duration_seconds_sum", "m", "true"): 6,
        ("request_duration_seconds_count", "m", "false"): 1,
        ("request_duration_seconds_sum", "m", "false"): 3,
        ("request_duration_seconds_count", "other", "true"): 1,
        ("request_duration_seconds_sum", "other", "true"): 3,
    }


async def test_an_exchange_through_the_middleware() -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    app = metrics.beside(ChatCompatMiddleware(streaming(), on_exchange=metrics))
    assert (await call(app, chat(stream=True, seed=1))).text() == "Hello"
    assert (await call(app, b"no JSON")).status == 400
    headers, page = await get(app)
    assert headers["content-type"].startswith("text/plain")
    found = samples(page)
    assert found["requests_total", "stop", "m", "200", "true"] == 1
    assert found["requests_total", "none", "other", "400", "false"] == 1
    assert found["credits_total", "m"] == 7
    assert found["time_to_first_token_seconds_count", "m"] == 1


async def test_a_count_of_tokens_is_counted_apart() -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    metrics(told())
    before = await page_of(metrics)
    for status in (200, 200, 404, None):
        metrics(told(operation="count_tokens", finish_reason=None, status=status, error_type="x", ignored=("seed",)))
    added = {key: value for key, value in (await page_of(metrics)).items() if before.get(key) != value}
    assert added == {
        ("token_counts_total", "m", "200"): 2,
        ("token_counts_total", "m", "404"): 1,
        ("token_counts_total", "m", "none"): 1,
    }


async def test_models_and_fields_are_bounded() -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry(), max_models=2, max_fields=3)
    for number in range(20):
        metrics(told(model=f"made-up-{number}", finish_reason=None, status=404, error_type="invalid_request_error"))
        metrics(told(model=f"m{number}", ignored=(f"field_{number}", f"a text {number}")))
    found = await page_of(metrics)
    requests = {key[2]: value for key, value in found.items() if key[0] == "requests_total" and key[1] == "stop"}
    assert requests == {"m0": 1, "m1": 1, "other": 18}
    assert found["errors_total", "other", "invalid_request_error"] == 20
    fields = {key[1]: value for key, value in found.items() if key[0] == "ignored_fields_total"}
    assert fields == {"field_0": 1, "*": 20, "field_1": 1, "other": 18}


@pytest.mark.parametrize("odd", ["many", -5, {"a": 1}, None, True, 10**40])
async def test_a_usage_that_cannot_be_added_up_costs_no_other_count(odd: Any) -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    usage = {**REPLY["usage"], "credits_consumed": odd}
    app = ChatCompatMiddleware(Inner(json.dumps(REPLY | {"usage": usage}).encode()), on_exchange=metrics)
    await call(app, chat())
    found = await page_of(metrics)
    assert found["tokens_total", "m", "output"] == 2
    assert ("credits_total", "m") not in found


async def test_the_page_stands_beside_the_app_and_hides_nothing_else_of_it() -> None:
    metrics, inner = PrometheusMetrics(registry=CollectorRegistry()), Inner(b"the app's")
    app = metrics.beside(inner, "/internal/metrics")
    for more in ({}, {"method": "HEAD"}, {"path": "/api/internal/metrics", "root_path": "/api"}):
        assert "chatcompat_requests" in (await get(app, **{"path": "/internal/metrics"} | more))[1]
    for more in ({"path": "/metrics"}, {"path": "/internal/metrics/"}, {"method": "POST"}):
        assert (await get(app, **{"path": "/internal/metrics"} | more))[1] == "the app's"
    inner.scopes.clear()
    await app({"type": "websocket", "path": "/internal/metrics"}, _nothing, _ignore)
    assert [scope["type"] for scope in inner.scopes] == ["websocket"]


async def test_it_can_be_mounted() -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    app = Starlette(routes=[Mount("/metrics", metrics.endpoint)])
    assert "chatcompat_requests" in (await get(app, "/metrics/"))[1]


async def _nothing() -> Message:
    raise AssertionError


async def _ignore(message: Message) -> None:
    return None


ONE_WORKER = """
import anyio
from chatcompat import ChatCompatMiddleware
from chatcompat.prometheus import PrometheusMetrics
from tests.asgi.driver import call, chat, streaming

metrics = PrometheusMetrics()
app = metrics.beside(ChatCompatMiddleware(streaming(), on_exchange=metrics))
anyio.run(lambda: call(app, chat(stream=True)))
"""
THE_PAGE = """
import anyio
from chatcompat.prometheus import PrometheusMetrics
from tests.telemetry.support import get

print(anyio.run(get, PrometheusMetrics().endpoint)[1])
"""


def test_one_page_counts_for_all_workers(tmp_path: Path) -> None:
    pages = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for program in (ONE_WORKER, ONE_WORKER, THE_PAGE)
    ]
    found = samples(pages[2])
    assert found["requests_total", "stop", "m", "200", "true"] == 2
    assert found["tokens_total", "m", "output"] == 4
    assert found["time_to_first_token_seconds_count", "m"] == 2


async def test_a_page_for_all_workers_is_made_of_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    metrics(told())
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert (await get(metrics.endpoint))[1] == ""  # no worker has written a file
