"""The app that each process of `chatcompat serve` creates."""

import math
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.headers import to_plain_text
from chatcompat.asgi.http import respond
from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.cli.patience import PatientApp
from chatcompat.dialect import PRESETS
from chatcompat.record import ExchangeRecord, OnExchange, combine_observers
from chatcompat.simulator import create_app as create_simulator
from chatcompat.upstream import Upstream

SETTINGS: Final = "_CHATCOMPAT_SERVE"
"""The environment variable that passes the settings to the server processes."""

HEALTH_PATH: Final = "/healthz"

_MAX_NAME: Final = 200  # characters of a model name in the log; clients choose it


class Settings(Struct, frozen=True, kw_only=True):
    """The options of `chatcompat serve` that its app needs."""

    upstream: str | None = None
    dialect: str = "native"
    strict: bool = False
    api_key_header: bool = False
    access_log: bool = True
    metrics: bool = False
    traces: bool = False
    request_timeout: float = 60.0


def create_app() -> ASGIApp:
    """Create the app from the settings in the environment."""
    settings = msgspec.json.decode(os.environ[SETTINGS], type=Settings)
    dialect = PRESETS[settings.dialect]
    if settings.api_key_header:
        dialect = replace(dialect, api_key_header=True)
    inner: ASGIApp = create_simulator()
    if settings.upstream is not None:
        inner = Upstream(
            settings.upstream,
            upload_timeout=math.inf,  # `PatientApp` enforces the timeout
            reuse_connections=dialect.keeps_connections,
        )
    observers: list[OnExchange] = [log_exchange] if settings.access_log else []
    metrics = load("chatcompat.prometheus").PrometheusMetrics() if settings.metrics else None
    if metrics is not None:
        observers.append(metrics)
    middleware = load("chatcompat.otel").TracedChatCompatMiddleware if settings.traces else ChatCompatMiddleware
    app: ASGIApp = middleware(
        inner,
        dialect=dialect,
        strict=settings.strict,
        on_exchange=combine_observers(*observers) if observers else None,
    )
    return Healthy(PatientApp(app if metrics is None else metrics.beside(app), settings.request_timeout))


def load(module: str) -> Any:
    """Import a module of this package that needs an extra. Exit with an installation hint if it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        sys.exit(f"chatcompat: {error}")


class Healthy:
    """Answers `GET /healthz` without calling the upstream. Passes all other requests to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a health check, or call the app."""
        if scope["type"] == "http" and scope["path"] == HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
            await respond(send, 200, b'{"status":"ok"}')
        else:
            await self._app(scope, receive, send)


def log_exchange(record: ExchangeRecord) -> None:
    """Write the record to stderr as one line of JSON, with bounded names and times in milliseconds."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": record.status,
        "model": None if record.model is None else record.model[:_MAX_NAME],
        "streaming": record.streaming,
        "finish_reason": record.finish_reason,
        "error_type": record.error_type,
        "usage": record.usage,
        "ignored": to_plain_text(record.ignored),
        "first_byte_ms": _milliseconds(record.time_to_first_byte),
        "duration_ms": _milliseconds(record.duration),
    }
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
