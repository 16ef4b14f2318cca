"""Serve one request for the endpoint: read it, translate it, and run its exchange with the inner app."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.choices import Choices
from chatcompat.asgi.discovery import Discovery
from chatcompat.asgi.exchange import Exchange
from chatcompat.asgi.headers import to_betas
from chatcompat.asgi.http import SERVER_SHUTDOWN, ClientDisconnected, respond
from chatcompat.asgi.inner_calls import InnerCalls
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.options import DIALECT_FAILED, choose_dialect
from chatcompat.asgi.pause_turn import Continued
from chatcompat.asgi.received_headers import ReceivedHeaders, read_headers
from chatcompat.asgi.request_reader import check_headers, read_body
from chatcompat.asgi.routes import Route
from chatcompat.asgi.thinking import ThinkingCache
from chatcompat.dialect import DialectOption
from chatcompat.errors import InvalidReply, InvalidRequest
from chatcompat.record import ExchangeRecord, OnExchange, Operation
from chatcompat.reply.turn_keys import CREDENTIALS
from chatcompat.request import Decoded, decode_chat_request
from chatcompat.request.bounds import RequestBounds
from chatcompat.store import ThinkingStore
from chatcompat.translation import TokenCount, Translation, translate_decoded

_logger: Final = logging.getLogger(__name__)

_OWN_FAULTS: Final[dict[str | None, str]] = {SERVER_SHUTDOWN: SERVER_SHUTDOWN, DIALECT_FAILED: "server_error"}


class Endpoint:
    """Serves chat requests on top of `app`. The options are those of `ChatCompatMiddleware`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        dialect: DialectOption,
        discovery: Discovery,
        limits: Limits,
        bounds: RequestBounds,
        strict: bool,
        on_exchange: OnExchange | None,
        model_aliases: Mapping[str, str],
        store: ThinkingStore | None,
    ) -> None:
        self.discovery = discovery
        self._app = app
        self._dialect = dialect
        self._limits = limits
        self._bounds = bounds
        self._strict = strict
        self._on_exchange = on_exchange
        self._model_aliases = model_aliases
        self._store = store

    async def serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request for `route`."""
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
            return exchange, exchange.run(self._app, inner)
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
            dialect = await self.discovery.find(decoded.chat.model, dialect, headers.pairs(), headers.fields, scope)
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
            return self._app
        return Continued(InnerCalls(self._app, exchange), translation.body, self._limits)

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
