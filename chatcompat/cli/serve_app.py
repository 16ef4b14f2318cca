"""The app that each process of `chatcompat serve` creates."""

import math
import sys
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.http import respond, route_path
from chatcompat.asgi.middleware import MIB, ChatCompatMiddleware
from chatcompat.asgi.path_hints import PathHints
from chatcompat.cli.open_requests import OpenRequests, Stoppable
from chatcompat.cli.patience import PatientApp
from chatcompat.cli.request_log import RequestLog, log_exchange
from chatcompat.cli.start_page import StartPage
from chatcompat.dialect import PRESETS, Dialect
from chatcompat.record import OnExchange, combine_observers
from chatcompat.request.bounds import RequestBounds
from chatcompat.simulator import create_app as create_simulator
from chatcompat.store import MemoryStore
from chatcompat.upstream import Upstream

if TYPE_CHECKING:
    from chatcompat.inspector import Inspector

HEALTH_PATH: Final = "/healthz"
ENDPOINT: Final = "/v1/chat/completions"

# The headers that scripts of a web page may read.
_EXPOSED: Final = ("retry-after", "x-chatcompat-ignored", "x-request-id", "request-id")


class Settings(Struct, frozen=True, kw_only=True):
    """The options of `chatcompat serve` that its app needs."""

    upstream: str | None = None
    dialect: str = "native"
    store: str | None = None
    choices: int = 1
    strict: bool = False
    api_key_header: bool = False
    access_log: bool = True
    log_client: bool = False
    metrics: bool = False
    otel: bool = False
    count_tokens: bool = False
    path_hints: bool = True
    request_timeout: float = 60.0
    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0
    max_body_bytes: int = 32 * MIB
    max_reply_bytes: int = 32 * MIB
    models: tuple[str, ...] = ()
    model_aliases: dict[str, str] = {}
    cors: tuple[str, ...] = ()
    inspect: bool = False
    inspect_anywhere: bool = False


def create_app(settings: Settings, requests: OpenRequests) -> ASGIApp:
    """Create the app of one process."""
    inspector = _create_inspector(settings) if settings.inspect else None
    app = _create_middleware(settings, inspector)
    if settings.path_hints:
        app = PathHints(app, ENDPOINT, from_root=True, count_tokens=settings.count_tokens)
    app = Healthy(StartPage(PatientApp(app, settings.request_timeout)))
    if settings.cors:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            allow_private_network=True,
        )
    app = Stoppable(app, requests)
    app = RequestLog(app, enabled=settings.access_log, client_address=settings.log_client)
    if inspector is None:
        return app
    return InspectorBeside(app, PatientApp(inspector.pages(app), settings.request_timeout), inspector.path)


def _create_inspector(settings: Settings) -> "Inspector":
    inspector: Inspector = load("chatcompat.inspector").Inspector(
        dialect=_to_dialect(settings),
        bounds=RequestBounds(choices=settings.choices),
        strict=settings.strict,
        model_aliases=settings.model_aliases,
        max_body_bytes=settings.max_body_bytes,
        endpoint=ENDPOINT,
        anywhere=settings.inspect_anywhere,
    )
    return inspector


def _to_dialect(settings: Settings) -> Dialect:
    dialect = PRESETS[settings.dialect]
    return replace(dialect, api_key_header=True) if settings.api_key_header else dialect


def _create_middleware(settings: Settings, inspector: "Inspector | None") -> ASGIApp:
    dialect = _to_dialect(settings)
    inner: ASGIApp = create_simulator()
    if settings.upstream is not None:
        inner = Upstream(
            settings.upstream,
            connect_timeout=settings.connect_timeout,
            upload_timeout=math.inf,  # `PatientApp` enforces the timeout
            first_byte_timeout=settings.first_byte_timeout,
            idle_timeout=settings.idle_timeout,
            reuse_connections=dialect.keeps_connections,
        )
    observers: list[OnExchange] = [log_exchange]
    if inspector is not None:
        inner = inspector.tap(inner)
        observers.append(inspector.observe)
    metrics = load("chatcompat.prometheus").PrometheusMetrics() if settings.metrics else None
    if metrics is not None:
        observers.append(metrics)
    middleware = load("chatcompat.otel").TracedChatCompatMiddleware if settings.otel else ChatCompatMiddleware
    app: ASGIApp = middleware(
        inner,
        dialect=dialect,
        bounds=RequestBounds(choices=settings.choices),
        store=MemoryStore() if settings.store is None else load("chatcompat.redis").RedisStore(settings.store),
        strict=settings.strict,
        models=settings.models or None,
        model_aliases=settings.model_aliases,
        count_tokens=settings.count_tokens,
        path_hints=False,  # `create_app` adds hints for more paths
        max_body_bytes=settings.max_body_bytes,
        max_reply_bytes=settings.max_reply_bytes,
        first_byte_timeout=settings.first_byte_timeout,
        idle_timeout=settings.idle_timeout,
        on_exchange=combine_observers(*observers),
    )
    return app if metrics is None else metrics.beside(app)


def load(module: str) -> Any:
    """Import a module of this package that needs an extra. Exit with an installation hint if it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        sys.exit(f"chatcompat: {error}")


class InspectorBeside:
    """Serves the inspector's pages. Passes all other requests to the app."""

    def __init__(self, app: ASGIApp, pages: ASGIApp, path: str) -> None:
        self._app = app
        self._pages = pages
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Requests for pages are not logged, but the chat requests that they run are."""
        path = route_path(scope) if scope["type"] == "http" else ""
        is_page = path == self._path or path.startswith(f"{self._path}/")
        await (self._pages if is_page else self._app)(scope, receive, send)


class Healthy:
    """Answers `GET /healthz` without calling the upstream. Passes all other requests to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a health check, or call the app."""
        if scope["type"] == "http" and route_path(scope) == HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
            await respond(send, 200, b'{"status":"ok"}')
        else:
            await self._app(scope, receive, send)
