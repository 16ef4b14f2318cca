"""The page at `/inspect` of `chatcompat serve --inspect`: how a chat request and its reply are translated."""

import math
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat.asgi.headers import HeaderMap, Headers, lowered, to_header_map
from chatcompat.asgi.http import ClientDisconnected, respond, route_path
from chatcompat.asgi.request_reader import read_body
from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidReply, InvalidRequest
from chatcompat.inspector.guard import HEADERS, check_host, check_json, check_origin
from chatcompat.inspector.report import to_header_lines, to_refusal, to_report
from chatcompat.inspector.run import Run, current, tapped, to_entry
from chatcompat.record import ExchangeRecord
from chatcompat.request import Decoded, decode_chat_request
from chatcompat.request.bounds import RequestBounds
from chatcompat.translation import Translation, translate_decoded

PATH: Final = "/inspect"
MAX_RECENT: Final = 100  # exchanges that are listed
_TIMES: Final = 5  # translations of one request. The fastest counts
_TIME: Final = 0.02  # seconds that they may take together

_MEDIA_TYPES: Final = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "json": b"application/json",
    "svg": b"image/svg+xml",
}
# The headers of the page's request that a run passes on. Browsers add others, which no chat client sends.
_PASSED: Final = frozenset(
    {b"accept", b"anthropic-beta", b"anthropic-version", b"authorization", b"content-length", b"content-type", b"host"}
)

_encode = msgspec.json.Encoder().encode


class Inspector:
    """The inspector of one server process.

    Args:
        dialect: The dialect of the inner app.
        bounds: The limits of the middleware on one request.
        strict: Whether the middleware is strict.
        model_aliases: Native model ids by the names that clients use.
        max_body_bytes: The largest request.
        endpoint: The path of chat completions.
        anywhere: Answer at any host name, not only at those of this machine.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        bounds: RequestBounds,
        strict: bool,
        model_aliases: Mapping[str, str],
        max_body_bytes: int,
        endpoint: str,
        anywhere: bool,
    ) -> None:
        self._dialect = dialect
        self._bounds = bounds
        self._strict = strict
        self._model_aliases = model_aliases
        self._max_body_bytes = max_body_bytes
        self._endpoint = endpoint
        self._anywhere = anywhere
        self.path: str = PATH
        self._count = 0
        self._recent: deque[dict[str, Any]] = deque(maxlen=MAX_RECENT)
        self._files = {file.name: file.read_bytes() for file in (files(__name__) / "static").iterdir()}

    def tap(self, inner: ASGIApp) -> ASGIApp:
        """Put the inspector between the middleware and the inner app."""
        return tapped(inner)

    def observe(self, record: ExchangeRecord) -> None:
        """Keep a record for the list of exchanges. Use it as an `on_exchange`."""
        self._count += 1
        self._recent.append({"number": self._count, "at": time.time(), **to_entry(record)})
        if (run := current.get()) is not None:
            run.record = record

    def pages(self, server: ASGIApp) -> ASGIApp:
        """An app that serves the page and its API. `server` serves the chat request of a run."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            headers = lowered(scope["headers"])
            with suppress(ClientDisconnected):
                try:
                    await self._serve(server, {**scope, "headers": headers}, to_header_map(headers), receive, send)
                except (InvalidRequest, InvalidReply) as error:  # an `InvalidReply` if the server stops
                    await respond(send, error.status, error.body, HEADERS)

        return serve

    async def _serve(self, server: ASGIApp, scope: Scope, fields: HeaderMap, receive: Receive, send: Send) -> None:
        if not self._anywhere:
            check_host(fields)
        page = route_path(scope).removeprefix(PATH).removeprefix("/") or (
            "index.html" if scope["path"].endswith(PATH) else ""
        )
        is_post = page in ("translate", "run")
        if scope["method"] not in (("POST",) if is_post else ("GET", "HEAD")):
            raise InvalidRequest(f"Use {'POST' if is_post else 'GET'} here.", code="method_not_allowed", status=405)
        if is_post or page == "recent":
            check_origin(fields)
        if is_post:
            check_json(fields)
        if page == "translate":
            await respond(send, 200, self.translate(await read_body(receive, self._max_body_bytes)), HEADERS)
        elif page == "run":
            await self._run(server, scope, receive, send)
        elif page == "recent":
            await respond(send, 200, _encode({"exchanges": [*self._recent]}), HEADERS)
        else:
            await self._send_file(page, scope, send)

    async def _run(self, server: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removesuffix(f"{PATH}/run") + self._endpoint
        headers: Headers = [header for header in scope["headers"] if header[0] in _PASSED]
        inner = {**scope, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
        start = [*HEADERS, (b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await Run(send).serve(server, inner, receive)

    async def _send_file(self, name: str, scope: Scope, send: Send) -> None:
        body = self._files.get(name)
        if body is None:
            raise InvalidRequest(f"There is no such page. The inspector is at {PATH}.", code="not_found", status=404)
        headers = [
            *HEADERS,
            (b"content-type", _MEDIA_TYPES[name.rpartition(".")[2]]),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    def translate(self, body: bytes) -> bytes:
        """Translate a chat request like the middleware, without stored thinking. Returns a report as JSON."""
        try:
            seconds, decoded, translation = self._timed(body)
        except InvalidRequest as error:
            return _encode({"refusal": to_refusal(error)})
        report = to_report(body, translation.body, translation.ignored, decoded.unknown)
        report.lines = [*to_header_lines(translation.version, translation.betas), *report.lines]
        request = {
            "bytes": len(translation.body),
            "microseconds": round(seconds * 1e6, 1),
            "streaming": translation.streaming,
            "choices": translation.choices,
        }
        return _encode({"refusal": None, "request": request, "report": report})

    def _timed(self, body: bytes) -> tuple[float, Decoded, Translation]:
        """Translate a request, several times if it is small, and return the shortest time."""
        began = now = time.perf_counter()
        seconds = math.inf
        for _ in range(_TIMES):
            decoded, translation = self._translate(body)
            before, now = now, time.perf_counter()
            seconds = min(seconds, now - before)
            if now - began > _TIME:
                break
        return seconds, decoded, translation

    def _translate(self, body: bytes) -> tuple[Decoded, Translation]:
        decoded = decode_chat_request(body, self._bounds)
        decoded.chat.model = self._model_aliases.get(decoded.chat.model, decoded.chat.model)
        return decoded, translate_decoded(decoded, dialect=self._dialect, strict=self._strict, bounds=self._bounds)
