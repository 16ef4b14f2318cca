"""The list of models in the chat format, for chat clients.

Chat: https://platform.openai.com/docs/api-reference/models. Native: https://platform.claude.com/docs/en/api/models-list
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.exchange import Exchange
from chatcompat.asgi.headers import (
    Headers,
    is_encoded,
    is_json,
    lowered,
    media_type,
    size_of,
    to_header_map,
    to_inner_headers,
    too_large,
)
from chatcompat.asgi.http import hide_extensions, replay_body, respond, route_path, with_list
from chatcompat.asgi.inner_calls import InnerCalls
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.options import choose_dialect
from chatcompat.dialect import DialectOption
from chatcompat.errors import DECODE_ERRORS, ErrorReply, InvalidReply, InvalidRequest, to_error_body
from chatcompat.reply.errors import to_chat_error
from chatcompat.reply.summary import ReplySummary
from chatcompat.wire.decode import place_of, to_native_error

ModelsOption = Iterable[str] | Mapping[str, Mapping[str, Any]]
"""Model ids, or a mapping from id to further fields (`created` in seconds since the epoch, `owned_by`, any other)."""

MAX_PAGES: Final = 100
_PAGE_SIZE: Final = 1000  # models; the maximum of the native API
_PAGING: Final = frozenset({b"", b"after_id", b"before_id", b"limit"})
_OWNER: Final = "system"  # chat clients require `owned_by`, which the native API lacks
_CONDITIONS: Final = frozenset({b"if-modified-since", b"if-none-match"})
_RANGES: Final = frozenset({b"if-range", b"range"})  # byte ranges would apply to the native body
_VARY: Final = b"anthropic-version"
_RENAMED: Final = frozenset({"created", "created_at", "id", "object", "owned_by", "type"})

_encode = msgspec.json.Encoder().encode
_decode_model = msgspec.json.Decoder(dict[str, Any]).decode


class _Page(Struct):
    data: list[dict[str, Any]]
    has_more: bool | None = None
    last_id: str | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


# ---------------------------------------------------------------- shapes


def to_chat_model(native: Mapping[str, Any]) -> dict[str, Any]:
    """A model in the chat format. A model in that format stays as it is, and unknown fields are kept.

    Raises `InvalidReply` if the model has no id.
    """
    if not isinstance(native.get("id"), str):
        raise InvalidReply("The messages service sent a model without an id.")
    owner = native.get("owned_by")
    chat = {
        "id": native["id"],
        "object": "model",
        "created": _created(native),
        "owned_by": owner if isinstance(owner, str) else _OWNER,
    }
    return chat | {name: value for name, value in native.items() if name not in _RENAMED}


def _created(native: Mapping[str, Any]) -> int:
    """Seconds since the epoch. 0 if the time is unknown, as in the native API."""
    if type(created := native.get("created")) is int:
        return created
    created_at = native.get("created_at")
    try:
        instant = datetime.fromisoformat(created_at if isinstance(created_at, str) else "")
    except ValueError:
        return 0
    return int((instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp())


def _to_list(models: Iterable[Mapping[str, Any]]) -> bytes:
    return _encode({"object": "list", "data": [to_chat_model(model) for model in models]})


def _not_found(message: str = "") -> ErrorReply:
    error_type = "invalid_request_error"
    body = to_error_body(message or "This model does not exist.", error_type, param="model", code="model_not_found")
    return ErrorReply(404, body, error_type, param="model", code="model_not_found")


class _ModelList:
    """A `ServedRequest` for the list of models."""

    body = b""
    streaming = False
    ignored = ()
    operation: Final = "chat"  # not used: its exchange has no record

    def __init__(self, model: str, *, may_be_unchanged: bool) -> None:
        self.model = model
        self.may_be_unchanged = may_be_unchanged

    def whole_reply(self, body: bytes) -> tuple[bytes, ReplySummary]:
        try:
            return self._to_chat(body), ReplySummary()
        except DECODE_ERRORS as error:
            message = "The messages service sent an invalid list of models."
            raise InvalidReply(message, place=place_of(error)) from None

    def _to_chat(self, body: bytes) -> bytes:
        return _to_list(_decode_page(body).data)

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        return to_chat_error(to_native_error(body), status)

    def event_reader(self, *, max_event_bytes: int, max_held_bytes: int) -> None:
        """Return None: models are never sent as an event stream."""


class _OneModel(_ModelList):
    """A `ServedRequest` for one model."""

    def _to_chat(self, body: bytes) -> bytes:
        return _encode(to_chat_model(_decode_model(body)))

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        if status == 404:  # noqa: PLR2004
            return _not_found(to_native_error(body).message)
        return super().error_reply(status, body)


# ---------------------------------------------------------------- ASGI


class ModelsApp:
    """Serves `GET` and `HEAD` of `path` and `path/{id}` in the chat format, and passes other requests to `app`.

    A client that sends `anthropic-version` is a native one, and gets the reply of `app` unchanged. `vary` names that
    header for caches. With `models`, replies are built from these, without `app`. Otherwise `app` is called, with the
    timeouts and limits of the main endpoint. For the list, a `dialect` function is called with an empty model id.
    Raises `TypeError` if an id is not a string.
    """

    def __init__(
        self, app: ASGIApp, *, path: str, models: ModelsOption | None, dialect: DialectOption, limits: Limits
    ) -> None:
        self._app = app
        self._path = path
        self._dialect = dialect
        self._limits = limits
        self._list: bytes | None = None
        self._models: dict[str, bytes] = {}
        if models is not None:
            fields = models if isinstance(models, Mapping) else {model_id: {} for model_id in models}
            if not all(isinstance(model_id, str) for model_id in fields):
                raise TypeError("models must be a list of ids or a mapping by id, and each id must be a string")
            known = [{**more, "id": model_id} for model_id, more in fields.items()]
            self._list = _to_list(known)
            self._models = {model["id"]: _encode(to_chat_model(model)) for model in known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or self._path not in scope["path"]:
            await self._app(scope, receive, send)
            return
        prefix, _, model_id = route_path(scope).partition(self._path)
        scope = with_list(scope)
        headers = lowered(scope.get("headers", ()))
        is_path = not prefix and (not model_id or (model_id[0] == "/" and model_id != "/"))
        if not is_path:
            await self._app(scope, receive, send)
            return
        send = _varied(send)
        if any(name == _VARY for name, _ in headers):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            send = _without_body(send)
        if (refusal := too_large(size_of(headers), self._limits.max_header_bytes)) is not None:
            await respond(send, refusal.status, refusal.body)
        elif self._list is None:
            await self._ask(model_id[1:], headers, scope, receive, send)
        elif not model_id:
            await respond(send, 200, self._list)
        elif (model := self._models.get(model_id[1:])) is not None:
            await respond(send, 200, model)
        else:
            await respond(send, 404, _not_found().body)

    async def _ask(self, model_id: str, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        """Reply with the models of the inner app."""
        try:
            dialect = choose_dialect(self._dialect, model_id)
        except (InvalidRequest, InvalidReply) as error:
            await respond(send, error.status, error.body)
            return
        is_conditional = any(name in _CONDITIONS for name, _ in headers)
        served = (_OneModel if model_id else _ModelList)(model_id, may_be_unchanged=is_conditional)
        inner_headers = [
            (name, value)
            for name, value in to_inner_headers(
                headers, to_header_map(headers), dialect=dialect, version=dialect.version, length=0
            )
            if name not in _CONDITIONS | _RANGES and not name.startswith(b"content-")
        ]
        inner_headers += [header for header in headers if header[0] in _CONDITIONS]
        inner = {**scope, "method": "GET", "headers": inner_headers}
        hide_extensions(inner)
        exchange = Exchange(served, receive, send, self._limits, None)
        await exchange.run(self._app if model_id else _Pages(InnerCalls(self._app, exchange)), inner)


def _varied(send: Send) -> Send:
    """A `send` that adds `anthropic-version` to `vary`, for caches."""

    async def send_varied(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = lowered(message.get("headers", ()))
            names = [value for name, value in headers if name == b"vary"]
            if _VARY not in b",".join(names).lower().replace(b" ", b"").split(b","):
                names.append(_VARY)
            headers = [header for header in headers if header[0] != b"vary"]
            message = {**message, "headers": [*headers, (b"vary", b", ".join(names))]}
        await send(message)

    return send_varied


def _without_body(send: Send) -> Send:
    """A `send` for `HEAD`: the headers of `GET`, `content-length` included, and no body."""

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


class _Pages:
    """An app that reads all pages of the list from `app`, and sends one list."""

    def __init__(self, app: InnerCalls) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await receive()
        asked = [pair for pair in scope.get("query_string", b"").split(b"&") if pair.partition(b"=")[0] not in _PAGING]
        asked.append(b"limit=%d" % _PAGE_SIZE)
        models: list[dict[str, Any]] = []
        last: str | None = None
        for _ in range(MAX_PAGES):
            answer = _PageReply(send)
            inner = {**scope, "query_string": b"&".join(asked)}
            if last is not None:
                inner["query_string"] += b"&after_id=" + quote(last, safe="").encode()
                inner["headers"] = [header for header in scope["headers"] if header[0] not in _CONDITIONS]
            await self._app(inner, replay_body(b"", receive), answer.send)
            page = answer.page()
            if page is None or (not page.has_more and not models):
                await answer.pass_on(answer.body)
                return
            models += page.data
            if not page.has_more:
                await answer.pass_on(_encode({"data": models}))
                return
            before, last = last, page.last_id or _id_of(models)
            if last == before:
                break
            if not await self._app.is_wanted():
                return
        await self._app.exchange.fail(InvalidReply("The list of models has too many pages, or repeats one."))


def _id_of(models: list[dict[str, Any]]) -> str:
    """The id of the last model; empty if there is none."""
    last = models[-1].get("id") if models else None
    return last if isinstance(last, str) else ""


class _PageReply:
    """Collects one page."""

    def __init__(self, send: Send) -> None:
        self.body = bytearray()
        self._send = send
        self._start: Message | None = None
        self._complete = False

    async def send(self, message: Message) -> None:
        """Handle a message of the inner app's reply."""
        if message["type"] == "http.response.start":
            # An iterator of headers can be read only once.
            self._start = self._start or {**message, "headers": lowered(message.get("headers", ()))}
        elif message["type"] == "http.response.body" and not self._complete:
            self.body += message.get("body", b"")
            self._complete = not message.get("more_body", False)

    def page(self) -> _Page | None:
        """The page, or None for any other reply, which the exchange then handles."""
        if self._start is None or not self._complete or self._start["status"] != 200:  # noqa: PLR2004
            return None
        fields = to_header_map(self._start["headers"])
        try:
            return _decode_page(self.body) if is_json(media_type(fields)) and not is_encoded(fields) else None
        except DECODE_ERRORS:
            return None

    async def pass_on(self, body: bytes | bytearray) -> None:
        """Send the reply with `body`. A reply that ended early stays incomplete."""
        if self._start is not None:
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": body, "more_body": not self._complete})
