"""The ASGI middleware: serves the one endpoint and passes every other request through unchanged."""

from collections.abc import Mapping
from types import EllipsisType
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat._options import check_type
from chatcompat.asgi.discovery import Discovery
from chatcompat.asgi.endpoint import Endpoint
from chatcompat.asgi.http import route_path
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.models import ModelsApp, ModelsOption
from chatcompat.asgi.options import check_callables, check_flags, check_models, check_paths, check_store
from chatcompat.asgi.path_hints import PathHints
from chatcompat.asgi.routes import to_routes
from chatcompat.dialect import DEFAULT_DIALECT, DialectOption
from chatcompat.record import OnExchange
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds
from chatcompat.store import MemoryStore, ThinkingStore
from chatcompat.wire.sse import MAX_EVENT_BYTES

KIB: Final = 1024
MIB: Final = 1024 * KIB


class ChatCompatMiddleware:
    """Serve `POST /v1/chat/completions` on top of an app that serves `POST /v1/messages`.

    Pure ASGI: use it with `app.add_middleware(ChatCompatMiddleware)`, inside `Mount("/compat",
    ChatCompatMiddleware(app))`, or around any messages app. All other requests pass through unchanged.

    All sizes are in bytes and all times in seconds. `math.inf` turns a timeout off.

    Args:
        app: The ASGI app that serves the native messages API ("the inner app").
        dialect: What the inner app accepts: one `Dialect`, a function from a model id to its `Dialect`, or "discover"
            to ask the inner app about each model. By default the public native API at version 2023-06-01. If the
            function fails, that is logged, and is a 500.
        path: The endpoint, below `root_path`. By default `/v1/chat/completions`.
        messages_path: The path at which the inner app serves messages, below `root_path`. By default `/v1/messages`.
        models_path: The path of the list of models for chat clients, below `root_path`. By default `/v1/models`; None
            serves no list.
        models: The list of models: ids, or a mapping from id to further fields. By default the inner app's own list.
        model_aliases: Native model ids by the names that chat clients use for them, for clients with fixed names. By
            default none. They do not change the list of models, nor native requests.
        count_tokens: Serve `POST {path}/count_tokens`, which counts the tokens of a chat request by the inner app's own
            `POST {messages_path}/count_tokens` (False).
        path_hints: Explain a 404 of the inner app at a path that a wrong base URL leads to, such as
            `/v1/v1/chat/completions`, or that belongs to another API, such as `/v1/responses`. Only paths below the
            prefix of `path` are explained (True).
        max_body_bytes: The largest request (32 MiB). A larger one is a 413.
        max_reply_bytes: The largest reply that is not streamed (32 MiB). A larger one is a 502. The parts of a paused
            turn count together, and so do the pages of the list of models. In a stream it bounds what is held back: the
            content of a paused turn, and thinking and JSON until they are complete.
        max_event_bytes: The largest event of a stream (8 MiB). A larger one is a 502, or an error frame once the reply
            has begun.
        max_header_bytes: The total size of the headers of a request or a reply (64 KiB). Larger ones are a 431 for a
            request and a 502 for a reply.
        bounds: Limits on the content of one request, see `RequestBounds`. A request above them is a 400.
        strict: Refuse requests with fields that have no native form. By default these are ignored and reported.
        on_exchange: Called with an `ExchangeRecord` after each exchange. Its exceptions are logged and suppressed. By
            default nothing is called.
        store: A `ThinkingStore` for signed thinking, which most clients do not send back. None keeps nothing. By
            default a new `MemoryStore`.
        max_continuations: How many times a paused turn is resumed (5). After that the reply ends with
            `finish_reason: "length"`.
        keep_alive: How long a stream may be silent before a comment is sent (15).
        first_byte_timeout: How long the inner app may take to begin the message, or the next part of a paused turn
            (600). Headers, pings and white space do not count. After that the inner app is cancelled. The client gets a
            504, or an error frame once the reply has begun.
        idle_timeout: How long the inner app may be silent once the message has begun (300). The outcome is the same.
        disconnect_grace: How long the inner app may go on after the client left, before it is cancelled (0.5).
        store_timeout: How long a request, and the end of its reply, wait for `store` (1). After that they go on without
            it.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: A path does not begin with a slash, two paths are the same, `disconnect_grace` or
            `max_continuations` is below 0, or another size or time is not above 0.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        dialect: DialectOption = DEFAULT_DIALECT,
        path: str = "/v1/chat/completions",
        messages_path: str = "/v1/messages",
        models_path: str | None = "/v1/models",
        models: ModelsOption | None = None,
        model_aliases: Mapping[str, str] | None = None,
        count_tokens: bool = False,
        path_hints: bool = True,
        max_body_bytes: int = 32 * MIB,
        max_reply_bytes: int = 32 * MIB,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_header_bytes: int = 64 * KIB,
        bounds: RequestBounds = DEFAULT_BOUNDS,
        strict: bool = False,
        on_exchange: OnExchange | None = None,
        store: ThinkingStore | None | EllipsisType = ...,
        max_continuations: int = 5,
        keep_alive: float = 15.0,
        first_byte_timeout: float = 600.0,
        idle_timeout: float = 300.0,
        disconnect_grace: float = 0.5,
        store_timeout: float = 1.0,
    ) -> None:
        check_callables(app, dialect, on_exchange)
        check_paths(path=path, messages_path=messages_path, models_path=models_path)
        check_flags(path_hints=path_hints, count_tokens=count_tokens, strict=strict)
        check_type("bounds", bounds, RequestBounds)
        check_models(models, model_aliases)
        check_store(store)
        limits = Limits(
            max_body_bytes=max_body_bytes,
            max_reply_bytes=max_reply_bytes,
            max_event_bytes=max_event_bytes,
            max_header_bytes=max_header_bytes,
            keep_alive=keep_alive,
            first_byte_timeout=first_byte_timeout,
            idle_timeout=idle_timeout,
            disconnect_grace=disconnect_grace,
            store_timeout=store_timeout,
            max_continuations=max_continuations,
        )
        self.app = app
        self._endpoint = Endpoint(
            app,
            dialect=dialect,
            discovery=Discovery(app, path, messages_path),
            limits=limits,
            bounds=bounds,
            strict=strict,
            on_exchange=on_exchange,
            model_aliases=dict(model_aliases or {}),
            store=MemoryStore() if store is ... else store,
        )
        self._serve = self._endpoint.serve
        self._routes = to_routes(path, messages_path, count_tokens=count_tokens)
        self._paths = tuple(self._routes)
        self._other = PathHints(app, path) if path_hints else app
        if models_path is not None:
            self._other = ModelsApp(self._other, path=models_path, models=models, dialect=dialect, limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve requests for the endpoint, and pass others through unchanged."""
        if (
            scope["type"] == "http"
            and scope["path"].endswith(self._paths)
            and scope["method"] != "OPTIONS"
            and (route := self._routes.get(route_path(scope))) is not None
        ):
            await self._serve(route, scope, receive, send)
        else:
            await self._other(scope, receive, send)
