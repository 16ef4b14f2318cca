"""What is said stays out of spans, metrics and logs, whatever becomes of the exchange."""

import json
import logging
from contextlib import suppress
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from chatcompat.prometheus import PrometheusMetrics
from tests.asgi.driver import HELLO, REPLY, Inner, call, chat, frame, streaming
from tests.telemetry.support import Recorded, get

MARK = "sk-PRIVATE"
ERROR = {"type": "error", "error": {"type": MARK, "message": MARK}}


def inner_apps(secret: str) -> dict[str, Any]:
    said = [*HELLO[:2], {**HELLO[2], "delta": {"type": "text_delta", "text": secret}}, *HELLO[4:]]
    usage = {"input_tokens": 1, "output_tokens": 1, secret: secret, "credits_consumed": secret}
    odd = {
        **REPLY,
        "content": [{"type": "text", "text": secret}],
        "usage": usage,
        "stop_reason": secret,
        "stop_sequence": secret,
    }

    async def raising(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError(secret)

    return {
        "stream": streaming(said),
        "cut": streaming(said[:3]),
        "error": Inner(json.dumps(ERROR).encode(), status=418),
        "error first": streaming([ERROR]),
        "error behind": streaming([*said[:3], ERROR]),
        "broken event": Inner([frame(HELLO[0]), b"data: {" + secret.encode() + b"\n\n"], media="text/event-stream"),
        "odd": Inner(json.dumps(odd).encode()),
        "text": Inner(secret.encode(), status=500, media=f"text/{MARK}"),
        "raises": raising,
    }


def request(secret: str, **fields: Any) -> bytes:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": secret},
        {"role": "user", "content": [{"type": "text", "text": secret, secret: 1}], "name": secret},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": secret})}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": secret},
    ]
    tool = {"type": "function", "function": {"name": "f", "description": secret, "parameters": {"type": "object"}}}
    metadata = {"user": secret, "metadata": {secret: secret}, secret: secret, "prompt_cache_key": secret}
    return chat(**{"messages": messages, "tools": [tool]} | metadata | fields)


HEADERS = ("authorization", "x-api-key", "cookie", "user-agent", "host", "x-request-id", "baggage", "tracestate")


@pytest.mark.parametrize("app", inner_apps(MARK))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.tuples(st.text(max_size=8), st.booleans(), st.booleans()), model=st.text("\0\n\u202e\x7fab", min_size=1))
def test_nothing_that_is_said_is_told(
    caplog: pytest.LogCaptureFixture, app: str, said: tuple[str, bool, bool], model: str
) -> None:
    text, stream, refused = said
    secret = f"{MARK} {text}"
    recorded, metrics = Recorded(), PrometheusMetrics(registry=CollectorRegistry())
    traced = metrics.beside(recorded.around(inner_apps(secret)[app], on_exchange=metrics))
    headers = [(name.encode(), f"k={MARK}".encode()) for name in HEADERS]
    fields = {"temperature": secret} if refused else {}

    async def run() -> str:
        with suppress(RuntimeError):
            body = request(secret, stream=stream, model=model, **fields)
            await call(
                traced, body, headers=[(b"content-type", b"application/json"), *headers], query_string=MARK.encode()
            )
        return (await get(traced))[1]

    with caplog.at_level(logging.DEBUG):
        page = anyio.run(run)
    name = recorded.span.name
    assert name == "chat" if refused else name.startswith("chat ")
    assert name.isprintable()
    assert MARK not in recorded.everything()
    assert MARK not in page
    assert not [record for record in caplog.records if MARK in record.getMessage()]
    assert "chatcompat_requests_total{" in page
