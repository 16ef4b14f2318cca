"""A span and metrics for each exchange, by OpenTelemetry's conventions for generative AI. Content is never recorded.

The names are from semantic conventions 1.41, the last release with them
(https://github.com/open-telemetry/semantic-conventions/tree/v1.41.1/docs/gen-ai). The extra `otel` installs the API
only. Nothing is recorded until the service sets up an SDK.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from types import EllipsisType
from typing import Final, TypedDict, Unpack

from starlette.types import ASGIApp, Receive, Scope, Send

import chatcompat
from chatcompat._options import check_number, check_type
from chatcompat._telemetry import (
    DURATION_BUCKETS,
    FIRST_TOKEN_BUCKETS,
    BoundedLabels,
    amount,
    count,
    label_model,
    to_name,
    to_place,
)
from chatcompat.asgi.headers import lowered
from chatcompat.asgi.http import with_list
from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.asgi.models import ModelsOption
from chatcompat.asgi.routes import Route
from chatcompat.dialect import DialectOption
from chatcompat.record import ExchangeRecord, OnExchange, Operation, check_observer, combine_observers
from chatcompat.request.bounds import RequestBounds
from chatcompat.store import ThinkingStore

try:
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.trace import Span, SpanKind, StatusCode
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{_error}. Install it with: pip install 'chatcompat[otel]', or in a clone: pip install -e '.[otel]'"
    ) from _error

__all__ = ["TracedChatCompatMiddleware"]

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"

_TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
_OUTPUT_TOKEN_BUCKETS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_MAX_IGNORED: Final = 32

# The span of the exchange, even if the inner app leaves another span as the current one.
_span: Final[ContextVar[Span]] = ContextVar("chatcompat_span")

_Attributes = dict[str, str | bool | int | float | list[str]]


class _Options(TypedDict, total=False):
    """The options of `ChatCompatMiddleware`, so that type checkers reject a misspelt one."""

    dialect: DialectOption
    path: str
    messages_path: str
    models_path: str | None
    models: ModelsOption | None
    model_aliases: Mapping[str, str] | None
    count_tokens: bool
    path_hints: bool
    max_body_bytes: int
    max_reply_bytes: int
    max_event_bytes: int
    max_header_bytes: int
    bounds: RequestBounds
    strict: bool
    store: ThinkingStore | None | EllipsisType
    max_continuations: int
    keep_alive: float
    first_byte_timeout: float
    idle_timeout: float
    disconnect_grace: float
    store_timeout: float


class TracedChatCompatMiddleware(ChatCompatMiddleware):
    """`ChatCompatMiddleware` with a span and metrics for each exchange.

    The span is a child of the current span, such as that of an instrumented server, or else of the request's
    `traceparent`. It is the current span while the inner app runs. Its kind is `INTERNAL` below a span of this process
    and `SERVER` otherwise. Metrics are those of servers (`gen_ai.server.*`). Tokens are counted in
    `gen_ai.client.token.usage`, since the conventions have no such metric for servers.

    Args:
        app: The ASGI app that serves the native messages API ("the inner app").
        provider: The value of `gen_ai.provider.name` (`anthropic`).
        on_exchange: Called with an `ExchangeRecord` after each exchange, in addition to the telemetry.
        tracer_provider: Where spans go. By default the global provider.
        meter_provider: Where metrics go. By default the global provider.
        max_models: How many distinct models metrics may have (50). Later ones have no model attribute.
        options: The options of `ChatCompatMiddleware`.

    Raises:
        TypeError: As for `ChatCompatMiddleware`.
        ValueError: As for `ChatCompatMiddleware`.
    """

    def __init__(
        self,
        app: ASGIApp,
        /,  # type checkers then accept the class as a Starlette middleware
        *,
        provider: str = "anthropic",
        on_exchange: OnExchange | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        max_models: int = 50,
        **options: Unpack[_Options],
    ) -> None:
        check_type("provider", provider, str)
        check_number("max_models", max_models, int, least=0)
        for name, provided, kind in (
            ("tracer_provider", tracer_provider, trace.TracerProvider),
            ("meter_provider", meter_provider, metrics.MeterProvider),
        ):
            check_type(name, provided, kind | None)
        if on_exchange is not None:
            check_observer("on_exchange", on_exchange)
        observer = self._observe if on_exchange is None else combine_observers(self._observe, on_exchange)
        super().__init__(app, on_exchange=observer, **options)
        self._serve = self._trace
        version = chatcompat.__version__
        self._shared: _Attributes = {"gen_ai.provider.name": provider}
        self._tracer = trace.get_tracer("chatcompat", version, tracer_provider, SCHEMA_URL)
        self._metrics = _Metrics(metrics.get_meter("chatcompat", version, meter_provider, SCHEMA_URL), max_models)

    async def _trace(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        scope = with_list(scope)
        has_parent = trace.get_current_span().get_span_context().is_valid
        with self._tracer.start_as_current_span(
            route.operation,
            context=None if has_parent else propagate.extract(_carrier(scope)),
            kind=SpanKind.INTERNAL if has_parent else SpanKind.SERVER,
            attributes=self._shared | _operation(route.operation) | _server(scope),
            record_exception=False,  # the text of an exception may contain content
            set_status_on_exception=False,
        ) as span:
            token = _span.set(span)
            try:
                await self._endpoint.serve(route, scope, receive, send)
            finally:
                _span.reset(token)

    def _observe(self, record: ExchangeRecord) -> None:
        span = _span.get()
        if span.is_recording():
            if record.model is not None:
                span.update_name(f"{record.operation} {to_name(record.model)}")
            span.set_attributes(_to_attributes(record))
            if record.error_type is not None:
                span.set_status(StatusCode.ERROR)
        self._metrics.record(record, self._shared | _operation(record.operation))


class _Metrics:
    def __init__(self, meter: metrics.Meter, max_models: int) -> None:
        self._requested, self._responding = BoundedLabels(max_models), BoundedLabels(max_models)
        self._duration = meter.create_histogram(
            "gen_ai.server.request.duration",
            "s",
            "Generative AI server request duration such as time-to-last byte or last output token.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self._first_token = meter.create_histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "Time to generate first token for successful responses.",
            explicit_bucket_boundaries_advisory=FIRST_TOKEN_BUCKETS,
        )
        self._output_token = meter.create_histogram(
            "gen_ai.server.time_per_output_token",
            "s",
            "Time per output token generated after the first token for successful responses.",
            explicit_bucket_boundaries_advisory=_OUTPUT_TOKEN_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )

    def record(self, record: ExchangeRecord, shared: _Attributes) -> None:
        attributes = shared | _known(
            {
                "gen_ai.request.model": label_model(self._requested, record.model, record),
                "gen_ai.response.model": label_model(self._responding, record.response_model, record),
            }
        )
        failed = _known({"error.type": record.error_type})
        self._duration.record(record.duration, attributes | failed)
        output = count(record.usage, "completion_tokens")
        for kind, tokens in {"input": count(record.usage, "prompt_tokens"), "output": output}.items():
            if tokens is not None:
                self._tokens.record(tokens, attributes | {"gen_ai.token.type": kind})
        if record.time_to_first_token is not None and not failed:
            self._first_token.record(record.time_to_first_token, attributes)
            if output is not None and output > 1:
                spent = record.duration - record.time_to_first_token
                self._output_token.record(spent / (output - 1), attributes)


def _to_attributes(record: ExchangeRecord) -> _Attributes:
    """The attributes of a span at the end of its exchange."""
    usage = record.usage
    return _known(
        {
            "gen_ai.request.model": None if record.model is None else to_name(record.model),
            "gen_ai.request.stream": record.streaming or None,
            "gen_ai.response.id": None if record.response_id is None else to_name(record.response_id),
            "gen_ai.response.model": None if record.response_model is None else to_name(record.response_model),
            "gen_ai.response.finish_reasons": None if record.finish_reason is None else [record.finish_reason],
            "gen_ai.response.time_to_first_chunk": record.time_to_first_byte if record.streaming else None,
            "gen_ai.usage.input_tokens": count(usage, "prompt_tokens"),
            "gen_ai.usage.output_tokens": count(usage, "completion_tokens"),
            "gen_ai.usage.cache_read.input_tokens": count(usage, "prompt_tokens_details", "cached_tokens"),
            "gen_ai.usage.cache_creation.input_tokens": count(usage, "prompt_tokens_details", "cache_write_tokens"),
            "gen_ai.usage.reasoning.output_tokens": count(usage, "completion_tokens_details", "reasoning_tokens"),
            "error.type": record.error_type,
            "http.response.status_code": record.status,
            "chatcompat.usage.credits_consumed": amount(usage, "credits_consumed"),
            "chatcompat.ignored": [to_place(path) for path in record.ignored[:_MAX_IGNORED]] or None,
        }
    )


def _known(values: Mapping[str, str | bool | int | float | list[str] | None]) -> _Attributes:
    return {name: value for name, value in values.items() if value is not None}


def _operation(operation: Operation) -> _Attributes:
    return {"gen_ai.operation.name": operation}


def _carrier(scope: Scope) -> dict[str, list[str]]:
    """The request's headers in the form that propagators read."""
    carrier: dict[str, list[str]] = {}
    for name, value in lowered(scope.get("headers", ())):
        carrier.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return carrier


def _server(scope: Scope) -> _Attributes:
    """Where the server listens. The `host` header is not used, since the client chooses it."""
    host, port = scope.get("server") or (None, None)
    return _known({"server.address": host, "server.port": port})
