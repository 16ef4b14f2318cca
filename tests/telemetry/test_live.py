"""A streamed exchange as an operator sees it: a real server, the official client, the simulator behind it."""

import json

import httpx2
from openai import OpenAI
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from chatcompat.prometheus import PrometheusMetrics
from chatcompat.simulator import create_app
from tests.telemetry.support import Recorded, eventually, serving

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "the prompt is private"


def test_the_trace_and_the_metrics_of_a_streamed_exchange() -> None:
    recorded, metrics, simulator = Recorded(), PrometheusMetrics(registry=CollectorRegistry()), create_app()

    async def calling_upstream(scope: Scope, receive: Receive, send: Send) -> None:
        with recorded.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            await simulator(scope, receive, send)

    app = metrics.beside(recorded.around(calling_upstream, on_exchange=metrics))
    with serving(app) as url:
        with OpenAI(base_url=f"{url}/v1", api_key="cai_api_secret", max_retries=0) as client:
            chunks = list(
                client.chat.completions.create(
                    model="caicaini/auto",
                    messages=[{"role": "user", "content": SECRET}],
                    stream=True,
                    stream_options={"include_usage": True},
                    seed=7,
                    extra_headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
                )
            )
        assert len(eventually(lambda: recorded.spans if len(recorded.spans) == 2 else [])) == 2
        page = httpx2.get(f"{url}/metrics").text

    usage = chunks[-1].usage
    assert usage is not None
    upstream, chat = recorded.spans
    attributes = dict(chat.attributes or {})
    assert attributes.pop("gen_ai.response.time_to_first_chunk") > 0  # type: ignore[operator]
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "caicaini/auto",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.id": chunks[0].id,
        "gen_ai.response.model": "caicaini/auto",
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": int(url.rpartition(":")[2]),
        "chatcompat.usage.credits_consumed": (usage.model_extra or {})["credits_consumed"],
        "chatcompat.ignored": ("seed",),
    }
    assert (chat.name, chat.kind) == ("chat caicaini/auto", SpanKind.SERVER)
    assert json.loads(chat.to_json())["context"]["trace_id"] == f"0x{TRACE}"
    assert chat.parent is not None
    assert chat.parent.span_id == int(PARENT, 16)
    assert upstream.parent is not None
    assert upstream.parent.span_id == chat.context.span_id

    model = 'model="caicaini/auto"'
    assert f'chatcompat_requests_total{{finish_reason="stop",{model},status="200",streaming="true"}} 1.0' in page
    assert f'chatcompat_tokens_total{{{model},type="output"}} {usage.completion_tokens}.0' in page
    assert 'chatcompat_ignored_fields_total{field="seed"} 1.0' in page
    assert f"chatcompat_time_to_first_token_seconds_count{{{model}}} 1.0" in page
    for secret in (SECRET, "cai_api_secret", chunks[2].choices[0].delta.content or "nothing was said"):
        assert secret not in recorded.everything() + page
