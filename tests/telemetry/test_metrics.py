"""OpenTelemetry's metrics of an exchange, and how many series they can become."""

import json
from typing import Any

import pytest

from tests.asgi.driver import HELLO, REPLY, Inner, call, chat, streaming
from tests.telemetry.support import Recorded

pytestmark = pytest.mark.anyio

SHARED = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic"}
MODELS = {"gen_ai.request.model": "m", "gen_ai.response.model": "m"}
CLIENT_TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


def reply(**fields: Any) -> bytes:
    return json.dumps(REPLY | fields).encode()


def series(points: Any) -> list[dict[str, Any]]:
    return [dict(point.attributes) for point in points]


async def test_a_stream_is_measured_in_four_ways() -> None:
    recorded = Recorded()
    await call(recorded.around(streaming()), chat(stream=True))
    metrics = recorded.metrics()
    assert {name: series(points) for name, points in metrics.items()} == {
        "gen_ai.server.request.duration": [SHARED | MODELS],
        "gen_ai.server.time_to_first_token": [SHARED | MODELS],
        "gen_ai.server.time_per_output_token": [SHARED | MODELS],
        "gen_ai.client.token.usage": [
            SHARED | MODELS | {"gen_ai.token.type": "input"},
            SHARED | MODELS | {"gen_ai.token.type": "output"},
        ],
    }
    assert [point.sum for point in metrics["gen_ai.client.token.usage"]] == [3, 2]
    (duration,), (first,) = metrics["gen_ai.server.request.duration"], metrics["gen_ai.server.time_to_first_token"]
    (each,) = metrics["gen_ai.server.time_per_output_token"]
    assert 0 < first.sum <= duration.sum < 10
    assert each.sum == pytest.approx(duration.sum - first.sum)  # one token behind the first


async def test_buckets_are_those_of_the_conventions() -> None:
    recorded = Recorded()
    await call(recorded.around(streaming()), chat(stream=True))
    bounds = {name: points[0].explicit_bounds for name, points in recorded.metrics().items()}
    assert bounds == {
        "gen_ai.server.request.duration": tuple(2**power / 100 for power in range(14)),
        "gen_ai.server.time_to_first_token": (
            *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
        ),
        "gen_ai.server.time_per_output_token": (
            *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
        ),
        "gen_ai.client.token.usage": CLIENT_TOKEN_BUCKETS,
    }


async def test_names_are_those_of_the_conventions() -> None:
    attributes = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    metrics = pytest.importorskip("opentelemetry.semconv._incubating.metrics.gen_ai_metrics")
    recorded = Recorded()
    usage = {"input_tokens": 1, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 1, "output_tokens": 2}
    thought = {"output_tokens_details": {"thinking_tokens": 1}}
    await call(recorded.around(Inner(reply(usage=usage | thought))), chat(stream=True))
    used = {name for points in recorded.metrics().values() for point in series(points) for name in point}
    used |= set(recorded.span.attributes or {})
    known = {value for value in vars(attributes).values() if isinstance(value, str)}
    assert len([name for name in used if name.startswith("gen_ai.")]) == 14
    assert {name for name in used if name.startswith("gen_ai.")} - known == set()
    assert set(recorded.metrics()) - {value for value in vars(metrics).values() if isinstance(value, str)} == set()


async def test_first_token_needs_a_stream_and_token_rate_two_tokens() -> None:
    recorded = Recorded()
    await call(recorded.around(), chat())
    assert set(recorded.metrics()) == {"gen_ai.server.request.duration", "gen_ai.client.token.usage"}
    recorded = Recorded()
    await call(recorded.around(Inner(reply(usage={"input_tokens": 1, "output_tokens": 1}))), chat(stream=True))
    assert "gen_ai.server.time_per_output_token" not in recorded.metrics()
    assert "gen_ai.server.time_to_first_token" in recorded.metrics()


async def test_a_stream_that_fails_after_its_first_token_is_a_duration_only() -> None:
    recorded = Recorded()
    await call(recorded.around(streaming(HELLO[:4])), chat(stream=True))
    assert set(recorded.metrics()) == {"gen_ai.server.request.duration"}


async def test_models_are_bounded_and_made_up_ones_take_no_room() -> None:
    recorded = Recorded()
    inner = Inner()
    app = recorded.around(inner, max_models=2)
    failing = recorded.around(Inner(b"{}", status=404), max_models=2)
    for number in range(4):
        await call(failing, chat(model=f"made-up-{number}"))
        inner.pieces = [reply(model=f"answer-{number}")]
        await call(app, chat(model=f"asked-{number}"))
    points = series(recorded.metrics()["gen_ai.server.request.duration"])
    assert [point.get("gen_ai.request.model") for point in points] == [None, "asked-0", "asked-1", None]
    assert [point.get("gen_ai.response.model") for point in points] == [None, "answer-0", "answer-1", None]
    assert points[0]["error.type"] == "invalid_request_error"
    await call(app, chat(model="asked-1", temperature=9))
    inner.start["status"] = 500
    await call(app, chat(model="asked-1"))
    points = series(recorded.metrics()["gen_ai.server.request.duration"])
    known = [point.get("gen_ai.request.model") for point in points if point.get("error.type") == "server_error"]
    assert known == ["asked-1"], "a model that was met before keeps its name when it fails"
