"""Prometheus metrics of exchanges, without their content. Needs the extra `prometheus`."""

import os
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat._options import check_number, wrong_type
from chatcompat._telemetry import (
    DURATION_BUCKETS,
    FIRST_TOKEN_BUCKETS,
    BoundedLabels,
    amount,
    count,
    label_model,
    to_place,
)
from chatcompat.asgi.http import route_path
from chatcompat.record import ExchangeRecord

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, make_asgi_app
    from prometheus_client.multiprocess import MultiProcessCollector
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{_error}. Install: pip install 'chatcompat[prometheus]', or in a clone: pip install -e '.[prometheus]'"
    ) from _error

__all__ = ["PrometheusMetrics"]

OTHER: Final = "other"
NONE: Final = "none"

_LONG_BUCKETS: Final = (*DURATION_BUCKETS, 163.84, 327.68, 655.36)


class PrometheusMetrics:
    """Counts exchanges. Pass it as `on_exchange`, and serve its metrics with `endpoint` or `beside`.

    A model gets a label with its first complete reply, so that invented model names get none.

    Args:
        registry: Where the metrics are registered, once per registry. By default the global one of `prometheus_client`.
        max_models: How many distinct models may have a label (50). Later ones are counted as `other`.
        max_fields: How many distinct ignored fields may have a label (200). Later ones are counted as `other`.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: `registry` already has these metrics.
    """

    def __init__(self, *, registry: CollectorRegistry = REGISTRY, max_models: int = 50, max_fields: int = 200) -> None:
        if not isinstance(registry, CollectorRegistry):
            raise wrong_type("registry", "a CollectorRegistry", registry)
        check_number("max_models", max_models, int, least=0)
        check_number("max_fields", max_fields, int, least=0)
        self._registry = registry
        self._models, self._fields = BoundedLabels(max_models), BoundedLabels(max_fields)
        self._requests = self._counter(
            "requests", "Exchanges that ended.", "model", "status", "streaming", "finish_reason"
        )
        self._errors = self._counter("errors", "Exchanges that failed.", "model", "type")
        self._tokens = self._counter("tokens", "Tokens used. Input includes cached tokens.", "model", "type")
        self._cached = self._counter(
            "cached_tokens", "Input tokens that were read from the cache or written to it.", "model", "type"
        )
        self._credits = self._counter("credits", "Credits used, as reported by the service.", "model")
        self._counts = self._counter(
            "token_counts", "Requests that only counted tokens. The other metrics leave them out.", "model", "status"
        )
        self._ignored = self._counter("ignored_fields", "Request fields that were ignored.", "field")
        self._first_byte = self._histogram(
            "time_to_first_byte", "Time from the start of a request to the start of its reply.", "model", "streaming"
        )
        self._first_token = self._histogram(
            "time_to_first_token",
            "Time from the start of a request to the first token of a streamed reply.",
            "model",
            buckets=FIRST_TOKEN_BUCKETS,
        )
        self._duration = self._histogram(
            "request_duration", "Time from the start of a request to the end of its exchange.", "model", "streaming"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"chatcompat_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = _LONG_BUCKETS) -> Histogram:
        return Histogram(f"chatcompat_{name}_seconds", text, labels, buckets=buckets, registry=self._registry)

    def __call__(self, record: ExchangeRecord) -> None:
        """Count an exchange."""
        model = label_model(self._models, record.model, record) or OTHER
        status = NONE if record.status is None else str(record.status)
        if record.operation == "count_tokens":  # a count uses no tokens, and is faster than a completion
            self._counts.labels(model, status).inc()
            return
        streaming = "true" if record.streaming else "false"
        self._requests.labels(model, status, streaming, record.finish_reason or NONE).inc()
        if record.error_type is not None:
            self._errors.labels(model, record.error_type).inc()
        for path in record.ignored:
            self._ignored.labels(self._fields.add(to_place(path)) or OTHER).inc()
        self._duration.labels(model, streaming).observe(record.duration)
        if record.time_to_first_byte is not None:
            self._first_byte.labels(model, streaming).observe(record.time_to_first_byte)
        if record.time_to_first_token is not None:
            self._first_token.labels(model).observe(record.time_to_first_token)
        self._count_usage(model, record)

    def _count_usage(self, model: str, record: ExchangeRecord) -> None:
        details = "prompt_tokens_details"
        counted = (
            (self._tokens, "input", count(record.usage, "prompt_tokens")),
            (self._tokens, "output", count(record.usage, "completion_tokens")),
            (self._cached, "read", count(record.usage, details, "cached_tokens")),
            (self._cached, "write", count(record.usage, details, "cache_write_tokens")),
        )
        for counter, kind, tokens in counted:
            if tokens is not None:
                counter.labels(model, kind).inc(tokens)
        used = amount(record.usage, "credits_consumed")
        if used is not None:
            self._credits.labels(model).inc(used)

    @property
    def endpoint(self) -> ASGIApp:
        """An ASGI app that serves the metrics. With `PROMETHEUS_MULTIPROC_DIR`, it serves those of all workers."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        endpoint: ASGIApp = make_asgi_app(registry)
        return endpoint

    def beside(self, app: ASGIApp, path: str = "/metrics") -> ASGIApp:
        """Serve the metrics beside another app.

        Args:
            app: The ASGI app for all other requests.
            path: The path of the metrics, below `root_path`. By default `/metrics`.
        """
        endpoint = self.endpoint

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            is_metrics = scope["type"] == "http" and route_path(scope) == path and scope["method"] in ("GET", "HEAD")
            await (endpoint if is_metrics else app)(scope, receive, send)

        return serve
