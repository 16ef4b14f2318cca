"""The ASGI middleware: serves the one endpoint and passes every other request through unchanged."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import EllipsisType
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.choices import Choices
from chatcompat.asgi.discovery import Discovery
from chatcompat.asgi.exchange import Exchange
from chatcompat.asgi.headers import to_betas
from chatcompat.asgi.http import (
    SERVER_SHUTDOWN,
    ClientDisconnected,
    respond,
    route_path,
)
from chatcompat.asgi.inner_calls import InnerCalls
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.models import ModelsApp, ModelsOption
from chatcompat.asgi.options import DIALECT_FAILED, check_options, choose_dialect
from chatcompat.asgi.path_hints import PathHints
from chatcompat.asgi.pause_turn import Continued
from chatcompat.asgi.received_headers import ReceivedHeaders, read_headers
from chatcompat.asgi.request_reader import check_headers, read_body
from chatcompat.asgi.routes import Route, to_routes
from chatcompat.asgi.thinking import ThinkingCache
from chatcompat.dialect import DEFAULT_DIALECT, DialectOption
from chatcompat.errors import InvalidReply, InvalidRequest
from chatcompat.record import ExchangeRecord, OnExchange, Operation
from chatcompat.reply.turn_keys import CREDENTIALS
from chatcompat.request import Decoded, decode_chat_request
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds
from chatcompat.store import MemoryStore, ThinkingStore
from chatcompat.translation import TokenCount, Translation, translate_decoded
from chatcompat.wire.sse import MAX_EVENT_BYTES

_logger: Final = logging.getLogger(__name__)

_OWN_FAULTS: Final[dict[str | None, str]] = {SERVER_SHUTDOWN: SERVER_SHUTDOWN, DIALECT_FAILED: "server_error"}
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
        check_options(
            app=app,
            dialect=dialect,
            path=path,
            messages_path=messages_path,
            models_path=models_path,
            models=models,
            model_aliases=model_aliases,
            path_hints=path_hints,
            count_tokens=count_tokens,
            bounds=bounds,
            strict=strict,
            on_exchange=on_exchange,
            store=store,
        )
        self.app = app
        self._dialect = dialect
        self._discovery = Discovery(app, path, messages_path)
        self._routes = to_routes(path, messages_path, count_tokens=count_tokens)
        self._paths = tuple(self._routes)
        self._bounds = bounds
        self._strict = strict
        self._on_exchange = on_exchange
        self._model_aliases = dict(model_aliases or {})
        self._store = MemoryStore() if store is ... else store
        self._limits = Limits(
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
        self._other = PathHints(app, path) if path_hints else app
        if models_path is not None:
            self._other = ModelsApp(self._other, path=models_path, models=models, dialect=dialect, limits=self._limits)

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

    async def _serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        headers = read_headers(scope.get("headers", ()), self._limits.max_header_bytes)
        try:
            if scope["method"] != "POST":
                raise InvalidRequest("Use POST for this endpoint.", code="method_not_allowed", status=405)  # noqa: TRY301
            translation, thinking_cache = await self._translate(headers, scope, receive)
        except ClientDisconnected:
            self._report(_unread(began, route.operation, None, "client_disconnected"))
            return
        except (InvalidRequest, InvalidReply) as error:
            await self._refuse(error, send, partial(_unread, began, route.operation))
            return
        except OSError:  # raised by `receive`
            self._report(_unread(began, route.operation, None, "client_disconnected"))
            raise
        except Exception:  # raised by `receive`; the server turns it into a 500
            self._report(_unread(began, route.operation, 500, "server_error"))
            raise
        except BaseException:
            self._report(_unread(began, route.operation, None, "cancelled"))
            raise
        served = translation if route.operation == "chat" else translation.token_count()
        inner_headers = headers.to_inner(
            dialect=served.dialect, version=served.version, length=len(served.body), betas=served.betas
        )
        inner = route.inner_scope(scope, inner_headers)
        exchange, running = self._start(served, thinking_cache, inner, receive, send)
        try:
            await running
        finally:
            if self._on_exchange is not None:
                self._report(exchange.record(began))

    def _start(
        self,
        served: Translation | TokenCount,
        thinking_cache: ThinkingCache | None,
        inner: Scope,
        receive: Receive,
        send: Send,
    ) -> tuple[Exchange | Choices, Coroutine[Any, Any, None]]:
        """Return the exchange for a translated request, and the coroutine that runs it."""
        if isinstance(served, TokenCount):
            exchange = Exchange(served, receive, send, self._limits, None)
            return exchange, exchange.run(self.app, inner)
        if served.choices == 1:
            exchange = Exchange(served, receive, send, self._limits, thinking_cache)
            return exchange, exchange.run(self._inner_app(served, exchange), inner)
        choices = Choices(served, receive, send, self._limits, thinking_cache)
        return choices, choices.run(partial(self._inner_app, served), inner)

    async def _translate(
        self, headers: ReceivedHeaders, scope: Scope, receive: Receive
    ) -> tuple[Translation, ThinkingCache | None]:
        """Read the request and translate it. The thinking cache is None if no thinking is to be kept."""
        check_headers(headers, self._limits)
        body = await read_body(receive, self._limits.max_body_bytes)
        version = headers.fields.get(b"anthropic-version")
        decoded = decode_chat_request(body, self._bounds)
        if self._model_aliases:
            decoded.chat.model = self._model_aliases.get(decoded.chat.model, decoded.chat.model)
        dialect = choose_dialect(self._dialect, decoded.chat.model)
        if dialect.discover:
            dialect = await self._discovery.find(decoded.chat.model, dialect, headers.pairs(), headers.fields, scope)
        thinking_cache = self._thinking_cache(headers, decoded) if dialect.reasoning != "none" else None
        if thinking_cache is not None and thinking_cache.lost:
            await thinking_cache.restore()
        translation = translate_decoded(
            decoded,
            dialect=dialect,
            version=version.decode("latin-1") if version is not None else None,
            strict=self._strict,
            bounds=self._bounds,
            betas=to_betas(headers.pairs()) if b"anthropic-beta" in headers.fields else (),
        )
        return translation, thinking_cache

    async def _refuse(
        self, error: InvalidRequest | InvalidReply, send: Send, unread: Callable[..., ExchangeRecord]
    ) -> None:
        """Answer a refused request, or one that the server's shutdown interrupts."""
        record = unread(None, "cancelled")
        try:
            await respond(send, error.status, error.body, [(b"allow", b"POST")] * (error.status == 405))  # noqa: PLR2004
            error_type = _OWN_FAULTS.get(error.code, "invalid_request_error")
            record = unread(error.status, error_type, error)
        except Exception:  # raised by `send`: the client left
            record = unread(None, "client_disconnected")
            raise
        finally:
            self._report(record)

    def _inner_app(self, translation: Translation, exchange: Exchange) -> ASGIApp:
        if not (translation.may_pause and self._limits.max_continuations):
            return self.app
        return Continued(InnerCalls(self.app, exchange), translation.body, self._limits)

    def _thinking_cache(self, headers: ReceivedHeaders, decoded: Decoded) -> ThinkingCache | None:
        """The thinking cache of this client. None without a credential, since nothing would tell clients apart."""
        if self._store is None or not any(map(headers.fields.get, CREDENTIALS)):
            return None
        return ThinkingCache(self._store, self._limits.store_timeout, headers.credentials, decoded)

    def _report(self, record: ExchangeRecord) -> None:
        if self._on_exchange is None:
            return
        try:
            self._on_exchange(record)
        except Exception:  # a failing observer must not affect the client
            _logger.exception("on_exchange failed")


def _unread(
    began: float,
    operation: Operation,
    status: int | None,
    error_type: str,
    error: InvalidRequest | InvalidReply | None = None,
) -> ExchangeRecord:
    """The record of a request that never reached the inner app. `status` is None if the client left."""
    duration = time.monotonic() - began
    return ExchangeRecord(
        model=None,
        streaming=False,
        status=status,
        finish_reason=None,
        usage=None,
        ignored=(),
        time_to_first_byte=None if status is None else duration,
        duration=duration,
        error_type=error_type,
        error_param=error.param if isinstance(error, InvalidRequest) else None,
        error_code=None if error is None else error.code,
        operation=operation,
    )
