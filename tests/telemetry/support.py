"""What an SDK recorded, and a real server in a thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import Tracer
from starlette.types import ASGIApp, Message

from chatcompat.otel import TracedChatCompatMiddleware
from tests.asgi.driver import Inner, scope

T = TypeVar("T")


class Recorded:
    """An SDK that keeps what it is given."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self._tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self._tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def around(self, app: ASGIApp | None = None, **options: Any) -> TracedChatCompatMiddleware:
        return TracedChatCompatMiddleware(
            app or Inner(), tracer_provider=self._tracers, meter_provider=self._meters, disconnect_grace=0, **options
        )

    @property
    def tracer(self) -> Tracer:
        return self._tracers.get_tracer("tests")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """The exchange's span, the only one of its kind."""
        (span,) = [span for span in self.spans if span.name.startswith("chat")]
        return span

    def metrics(self) -> dict[str, Any]:
        """The data points of each metric, by its name."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        found = [
            metric for resource in data.resource_metrics for each in resource.scope_metrics for metric in each.metrics
        ]
        return {metric.name: metric.data.data_points for metric in found}

    def everything(self) -> str:
        data = self._reader.get_metrics_data()
        return "\n".join([*(span.to_json() for span in self.spans), data.to_json() if data is not None else ""])


async def get(app: ASGIApp, path: str = "/metrics", **more: Any) -> tuple[dict[str, str], str]:
    """The headers and the text of what an app serves; the library for metrics writes its headers in title case."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope(path, **{"method": "GET"} | more), receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
    return headers, b"".join(message["body"] for message in messages[1:]).decode()


def eventually(seen: Callable[[], T], seconds: float = 20) -> T:
    """What `seen` gives once it is true: a server ends an exchange a little behind its last byte."""
    end = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """A real server on a free port, in a thread, so that the test can see what it recorded."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none")
    listener = config.bind_socket()
    listener.listen()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()
