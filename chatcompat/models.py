"""The list of models in the chat shape, for clients that are not native ones.

Chat: https://platform.openai.com/docs/api-reference/models. Native: https://platform.claude.com/docs/en/api/models-list
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.bounds import Limits
from chatcompat.dialect import DialectOption
from chatcompat.errors import DECODE_ERRORS, InvalidReply, to_error_body, to_native_error
from chatcompat.exchange import EVENT_STREAM, Exchange
from chatcompat.headers import Headers, is_encoded, is_json, lowered, media_type, to_fields, to_inner_headers, too_large
from chatcompat.origin import Origin
from chatcompat.respond import respond
from chatcompat.scopes import giving, hide_extensions, route_path
from chatcompat.translation import Translation

ModelsOption = Iterable[str] | Mapping[str, Mapping[str, Any]]
"""Ids of models, or their further fields by id (`created` in seconds since the epoch, `owned_by`, any other)."""

MAX_PAGES: Final = 100
_PAGE_SIZE: Final = 1000  # models; the most that the native service gives at once
_PAGING: Final = frozenset({b"", b"after_id", b"before_id", b"limit"})
_OWNER: Final = "system"  # chat clients want a name, and the native side has none
_RENAMED: Final = frozenset({"created", "created_at", "id", "object", "owned_by", "type"})

_TOO_LARGE: Final = b'{"error":{"type":"api_error","message":"The list of models is too large."}}'
_ENDLESS: Final = b'{"error":{"type":"api_error","message":"The list of models does not end."}}'

_encode = msgspec.json.Encoder().encode
_decode_model = msgspec.json.Decoder(dict[str, Any]).decode


class _Page(Struct):
    data: list[dict[str, Any]]
    has_more: bool | None = None
    last_id: str | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


# ---------------------------------------------------------------- shapes


def to_chat_model(native: Mapping[str, Any]) -> dict[str, Any]:
    """A native model, or one that has the chat shape already; what has no chat name keeps its own.

    Raises `InvalidReply` where there is no id.
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
    """Seconds since the epoch; 0 where the time is not known, as the native side says that too."""
    if type(created := native.get("created")) is int:
        return created
    try:
        instant = datetime.fromisoformat(str(native.get("created_at")))
    except ValueError:
        return 0
    return int((instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp())


def _to_list(models: Iterable[Mapping[str, Any]]) -> bytes:
    return _encode({"object": "list", "data": [to_chat_model(model) for model in models]})


def _not_found(message: str = "") -> bytes:
    message = message or "This model does not exist."
    return to_error_body(message, "invalid_request_error", param="model", code="model_not_found")


def _undecodable() -> InvalidReply:
    return InvalidReply("The messages service sent something else than models.")


class _ModelList(Translation, frozen=True):
    """A request for the list."""

    def reply(self, body: bytes) -> bytes:
        try:
            return _to_list(_decode_page(body).data)
        except DECODE_ERRORS:
            raise _undecodable() from None


class _OneModel(Translation, frozen=True):
    """A request for one model."""

    def reply(self, body: bytes) -> bytes:
        try:
            return _encode(to_chat_model(_decode_model(body)))
        except DECODE_ERRORS:
            raise _undecodable() from None

    def error(self, status: int, body: bytes) -> bytes:
        if status == 404:  # noqa: PLR2004
            return _not_found(to_native_error(body).message)
        return Translation.error(self, status, body)


# ---------------------------------------------------------------- ASGI


class ModelsApp:
    """Serves `GET path` and `GET path/{id}` in the chat shape, and passes all else on to `app`.

    A client that sends `anthropic-version` is a native one, and gets the answer of `app` untouched. With `models` the
    answer is made of them, and `app` is not asked; else `app` is, under the promises of the main endpoint. A `dialect`
    that goes by the model's id is asked with an empty one for the list. Raises `TypeError` for `models` that are one
    string, or have an id that is none.
    """

    def __init__(
        self, app: ASGIApp, *, path: str, models: ModelsOption | None, dialect: DialectOption, limits: Limits
    ) -> None:
        if isinstance(models, str):
            raise TypeError("models must be ids, or a mapping by id, not one string")
        self._app = app
        self._path = path
        self._dialect = dialect
        self._limits = limits
        self._list: bytes | None = None
        self._models: dict[str, bytes] = {}
        if models is not None:
            fields = models if isinstance(models, Mapping) else {model_id: {} for model_id in models}
            if not all(isinstance(model_id, str) for model_id in fields):
                raise TypeError("models must be ids, or a mapping by id, and ids are strings")
            known = [{**more, "id": model_id} for model_id, more in fields.items()]
            self._list = _to_list(known)
            self._models = {model["id"]: _encode(to_chat_model(model)) for model in known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or self._path not in scope["path"]:
            await self._app(scope, receive, send)
            return
        found, _, model_id = route_path(scope).partition(self._path)
        headers = lowered(scope.get("headers", ()))
        is_path = not found and (not model_id or (model_id[0] == "/" and model_id != "/"))
        if not is_path or any(name == b"anthropic-version" for name, _ in headers):
            await self._app(scope, receive, send)
        elif (refusal := too_large(headers, self._limits.max_header_bytes)) is not None:
            await respond(send, refusal.status, refusal.body)
        elif self._list is None:
            await self._ask(model_id[1:], headers, scope, receive, send)
        elif not model_id:
            await respond(send, 200, self._list)
        elif (model := self._models.get(model_id[1:])) is not None:
            await respond(send, 200, model)
        else:
            await respond(send, 404, _not_found())

    async def _ask(self, model_id: str, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what the inner app knows."""
        dialect = self._dialect(model_id) if callable(self._dialect) else self._dialect
        kind, app = (_OneModel, self._app) if model_id else (_ModelList, _Pages(self._app, self._limits))
        translation = kind(
            body=b"",
            dialect=dialect,
            version=dialect.version,
            model=model_id,
            streaming=False,
            ignored=(),
            may_pause=False,
            origin=Origin(created=0, include_usage=False),
        )
        asked = to_inner_headers(headers, to_fields(headers), translation)
        inner = {**scope, "headers": [header for header in asked if not header[0].startswith(b"content-")]}
        hide_extensions(inner)
        await Exchange(translation, receive, send, self._limits, None).run(_Plain(app), inner)


class _Plain:
    """An app whose replies are no event stream: there is none of models."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_plain(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = lowered(message.get("headers", ()))
                if media_type(to_fields(headers)) == EVENT_STREAM:
                    headers = [header for header in headers if header[0] != b"content-type"]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_plain)


class _Pages:
    """An app that reads the list of `app` page by page, and sends it as one."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, which has no body."""
        await receive()
        asked = [pair for pair in scope.get("query_string", b"").split(b"&") if pair.partition(b"=")[0] not in _PAGING]
        asked.append(b"limit=%d" % _PAGE_SIZE)
        models: list[dict[str, Any]] = []
        left = self._limits.max_reply_bytes
        last: str | None = None
        for _ in range(MAX_PAGES):
            answer = _Answer(send, left)
            more = [] if last is None else [b"after_id=" + quote(last, safe="").encode()]
            await self._app({**scope, "query_string": b"&".join([*asked, *more])}, giving(b"", receive), answer.send)
            left -= len(answer.body)
            page = answer.page()
            if page is None or (not page.has_more and not models):
                await answer.pass_on(answer.body)
                return
            models += page.data
            if not page.has_more:
                await answer.pass_on(_encode({"data": models}))
                return
            before, last = last, page.last_id or str(models[-1].get("id") if models else "")
            if last == before:
                break
        await respond(send, 502, _ENDLESS)


class _Answer:
    """Holds one page until it is whole; at most `bound` bytes of it."""

    def __init__(self, send: Send, bound: int) -> None:
        self.body = bytearray()
        self._send = send
        self._bound = bound
        self._start: Message | None = None
        self._complete = False  # it came whole, or was answered for its size

    async def send(self, message: Message) -> None:
        """Take a message of the inner app's reply."""
        if message["type"] == "http.response.start":
            self._start = self._start or message
        elif message["type"] == "http.response.body" and not self._complete:
            self.body += message.get("body", b"")
            self._complete = not message.get("more_body", False)
            if len(self.body) > self._bound:
                self._start, self._complete = None, True
                await respond(self._send, 502, _TOO_LARGE)

    def page(self) -> _Page | None:
        """The page; None where the answer is anything else, which the exchange tells the client."""
        if self._start is None or not self._complete or self._start["status"] != 200:  # noqa: PLR2004
            return None
        fields = to_fields(lowered(self._start.get("headers", ())))
        try:
            return _decode_page(self.body) if is_json(media_type(fields)) and not is_encoded(fields) else None
        except DECODE_ERRORS:
            return None

    async def pass_on(self, body: bytes | bytearray) -> None:
        """Send the answer with this body; one that ended early ends early for the exchange too."""
        if self._start is not None:
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": body, "more_body": not self._complete})
