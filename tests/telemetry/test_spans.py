"""The span of an exchange, by the conventions for generative AI."""

import json
from inspect import Parameter, signature
from typing import Any

import anyio
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ExchangeRecord
from chatcompat.otel import TracedChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, Inner, call, chat, scope, streaming
from tests.telemetry.support import Recorded

pytestmark = pytest.mark.anyio

TRACE, PARENT = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TRACEPARENT = (b"traceparent", f"00-{TRACE:032x}-{PARENT:016x}-01".encode())
JSON = (b"content-type", b"application/json")
SHARED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "server.address": "127.0.0.1",
    "server.port": 8000,
}


def attributes(recorded: Recorded) -> dict[str, Any]:
    return dict(recorded.span.attributes or {})


async def test_a_whole_exchange() -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(seed=1))
    assert attributes(recorded) == SHARED | {
        "gen_ai.request.model": "m",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.id": "chatcmpl_1",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "http.response.status_code": 200,
        "chatcompat.usage.credits_consumed": 7,
        "chatcompat.ignored": ("seed",),
    }
    span = recorded.span
    assert (span.name, span.kind, span.status.status_code) == ("chat m", SpanKind.SERVER, StatusCode.UNSET)
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.41.1"


async def test_a_count_of_tokens_is_an_operation_of_its_own() -> None:
    recorded = Recorded()
    app = recorded.around(Inner(b'{"input_tokens":31}'), count_tokens=True)
    await call(app, chat(), path="/v1/chat/completions/count_tokens")
    await call(app, b"{", path="/v1/chat/completions/count_tokens")
    counted, refused = recorded.spans
    operation = {"gen_ai.operation.name": "count_tokens"}
    assert (counted.name, refused.name) == ("count_tokens m", "count_tokens")
    found = SHARED | operation | {"gen_ai.request.model": "m", "http.response.status_code": 200}
    assert dict(counted.attributes or {}) == found
    (whole, failed) = recorded.metrics().pop("gen_ai.server.request.duration")
    assert whole.attributes["gen_ai.operation.name"] == failed.attributes["gen_ai.operation.name"] == "count_tokens"
    assert list(recorded.metrics()) == ["gen_ai.server.request.duration"]


async def test_a_stream_with_every_count() -> None:
    usage = {
        "input_tokens": 3,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 100,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    delta = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": usage}
    recorded = Recorded()
    await call(recorded.around(streaming([*HELLO[:5], delta, HELLO[6]]), provider="acme"), chat(stream=True))
    found = attributes(recorded)
    assert 0 < found.pop("gen_ai.response.time_to_first_chunk") < 10
    assert found == SHARED | {
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.response.id": "chatcmpl_1",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 123,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.cache_creation.input_tokens": 100,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "http.response.status_code": 200,
        "chatcompat.usage.credits_consumed": 7,
    }


# ---------------------------------------------------------------- its place in the trace


async def test_it_is_a_child_of_the_requests_span() -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(), headers=[JSON, TRACEPARENT])
    parent = recorded.span.parent
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.is_remote) == (TRACE, PARENT, True)
    assert recorded.span.kind is SpanKind.SERVER


async def test_below_a_span_of_this_process_it_is_that_ones_child() -> None:
    recorded = Recorded()
    with recorded.tracer.start_as_current_span("POST /v1/chat/completions") as above:
        await call(recorded.around(), chat(), headers=[JSON, TRACEPARENT])
    parent = recorded.span.parent
    assert parent is not None
    assert parent.span_id == above.get_span_context().span_id
    assert recorded.span.kind is SpanKind.INTERNAL


async def test_it_is_current_while_the_inner_app_runs_and_no_longer() -> None:
    recorded, inner = Recorded(), streaming()

    async def calling_upstream(scope: Scope, receive: Receive, send: Send) -> None:
        with recorded.tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            await inner(scope, receive, send)

    await call(recorded.around(calling_upstream), chat(stream=True))
    (upstream,) = [span for span in recorded.spans if span.name == "POST"]
    assert upstream.parent is not None
    assert upstream.parent.span_id == recorded.span.context.span_id
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_span_that_the_inner_app_leaves_behind_is_not_taken_for_it() -> None:
    recorded, inner = Recorded(), Inner()

    async def untidy(scope: Scope, receive: Receive, send: Send) -> None:
        context.attach(trace.set_span_in_context(recorded.tracer.start_span("left behind")))
        await inner(scope, receive, send)

    await call(recorded.around(untidy), chat())
    assert attributes(recorded)["gen_ai.response.id"] == "chatcmpl_1"


async def test_exchanges_at_once_have_their_own() -> None:
    recorded, arrived = Recorded(), anyio.Event()
    waiting = 0

    async def meeting(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal waiting
        body = json.loads((await receive())["body"])
        waiting += 1
        if waiting == 5:
            arrived.set()
        await arrived.wait()
        reply = json.dumps(REPLY | {"id": f"msg_{body['model']}"}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": reply})

    app = recorded.around(meeting)
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(call, app, chat(model=str(number)))
    ids = {span.name: (span.attributes or {})["gen_ai.response.id"] for span in recorded.spans}
    assert ids == {f"chat {number}": f"chatcmpl_{number}" for number in range(5)}


@pytest.mark.parametrize("more", [{"path": "/v1/messages"}, {"method": "OPTIONS"}])
async def test_other_traffic_has_none(more: dict[str, Any]) -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(), **more)
    assert recorded.spans == []


# ---------------------------------------------------------------- failures


def failed(recorded: Recorded) -> tuple[Any, Any]:
    """The error and the status; what an exception says is nowhere."""
    span = recorded.span
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert span.events == ()
    assert (
        recorded.metrics()["gen_ai.server.request.duration"][0].attributes["error.type"]
        == attributes(recorded)["error.type"]
    )
    assert "SECRET" not in recorded.everything()
    return attributes(recorded)["error.type"], attributes(recorded).get("http.response.status_code")


async def test_a_refused_request() -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(temperature="SECRET"))
    assert failed(recorded) == ("invalid_request_error", 400)
    assert recorded.span.name == "chat"
    assert "gen_ai.request.model" not in attributes(recorded)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_of_the_inner_app(stream: bool) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "SECRET"}}
    recorded = Recorded()
    await call(recorded.around(Inner(json.dumps(body).encode(), status=529)), chat(stream=stream))
    assert failed(recorded) == ("server_error", 529)
    assert recorded.span.name == "chat m"


async def test_an_error_in_mid_stream_keeps_the_id() -> None:
    error = {"type": "error", "error": {"type": "SECRET", "message": "SECRET"}}
    recorded = Recorded()
    await call(recorded.around(streaming([*HELLO[:3], error])), chat(stream=True))
    assert failed(recorded) == ("server_error", 200)
    assert attributes(recorded)["gen_ai.response.id"] == "chatcmpl_1"
    assert "gen_ai.response.finish_reasons" not in attributes(recorded)


async def test_an_inner_app_and_a_dialect_that_raise() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("SECRET")

    def dialect(model: str) -> Any:
        raise RuntimeError("SECRET")

    recorded = Recorded()
    with pytest.raises(RuntimeError, match="SECRET"):
        await call(recorded.around(inner), chat())
    assert failed(recorded) == ("server_error", 500)
    recorded = Recorded()
    assert (await call(recorded.around(dialect=dialect), chat())).status == 500
    assert failed(recorded) == ("server_error", 500)


async def test_a_client_that_leaves_while_it_sends_and_while_it_waits() -> None:
    leave = anyio.Event()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        leave.set()
        await receive()

    recorded = Recorded()
    await call(recorded.around(inner), chat(), leave=leave)
    assert failed(recorded) == ("client_disconnected", None)

    async def left() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    recorded = Recorded()
    await recorded.around()(scope(), left, send)
    assert failed(recorded) == ("client_disconnected", None)


async def test_a_name_that_the_client_made_is_bounded_and_plain() -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(model="m\r\n\0\x1b[31m\u202e" + "x" * 5000))
    assert recorded.span.name == "chat m___" + "_[31m_" + "x" * 90
    assert attributes(recorded)["gen_ai.request.model"] == recorded.span.name.removeprefix("chat ")


@pytest.mark.parametrize(
    ("server", "told"), [(None, {}), (("/run/app.sock", None), {"server.address": "/run/app.sock"})]
)
async def test_a_server_without_a_port(server: Any, told: dict[str, str]) -> None:
    recorded = Recorded()
    await call(recorded.around(), chat(), server=server)
    assert {name: value for name, value in attributes(recorded).items() if name.startswith("server.")} == told


# ---------------------------------------------------------------- coexistence


async def test_without_an_sdk_nothing_is_recorded_and_the_context_goes_on() -> None:
    seen: list[SpanContext] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(trace.get_current_span().get_span_context())
        await streaming()(scope, receive, send)

    records: list[ExchangeRecord] = []
    app = TracedChatCompatMiddleware(inner, on_exchange=records.append)
    reply = await call(app, chat(stream=True), headers=[JSON, TRACEPARENT])
    assert reply.text() == "Hello"
    assert (seen[0].trace_id, seen[0].span_id, seen[0].trace_flags) == (TRACE, PARENT, TraceFlags.SAMPLED)
    assert [record.finish_reason for record in records] == ["stop"]


async def test_a_trace_that_is_not_sampled_is_measured_all_the_same() -> None:
    recorded = Recorded(ALWAYS_OFF)
    await call(recorded.around(), chat())
    assert recorded.spans == []
    assert recorded.metrics()["gen_ai.server.request.duration"][0].count == 1


async def test_options_are_the_middlewares_and_its_observer_is_told_too() -> None:
    recorded, records = Recorded(), list[ExchangeRecord]()
    app = recorded.around(path="/chat", strict=True, on_exchange=records.append)
    assert (await call(app, chat(seed=1), path="/chat")).status == 400
    assert [record.error_type for record in records] == ["invalid_request_error"]
    assert attributes(recorded)["error.type"] == "invalid_request_error"
    with pytest.raises(TypeError, match="wrong"):
        recorded.around(wrong=1)


async def test_the_app_is_positional_as_starlettes_types_require() -> None:
    app = signature(TracedChatCompatMiddleware).parameters["app"]
    assert app.kind is Parameter.POSITIONAL_ONLY
