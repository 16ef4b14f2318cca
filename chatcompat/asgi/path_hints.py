"""Explain a 404 at a path that a client with a wrong base URL requests."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.headers import HOP_BY_HOP, REPRESENTATION_HEADERS, lowered
from chatcompat.asgi.http import respond, route_path
from chatcompat.asgi.routes import to_count_path
from chatcompat.errors import to_error_body

_REPLACED: Final = REPRESENTATION_HEADERS | HOP_BY_HOP  # others are kept, such as those of CORS
_ENDPOINT: Final = "/chat/completions"
_SERVED: Final = (_ENDPOINT, f"{_ENDPOINT}/count_tokens", "/models")

# Endpoints of https://platform.openai.com/docs/api-reference that have no native counterpart.
_NOT_SERVED: Final = (
    "/assistants",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/batches",
    "/completions",
    "/conversations",
    "/embeddings",
    "/files",
    "/fine_tuning/jobs",
    "/images/edits",
    "/images/generations",
    "/images/variations",
    "/moderations",
    "/realtime/sessions",
    "/responses",
    "/threads",
    "/vector_stores",
    "/videos",
)


class PathHints:
    """Calls `app`, and replaces a 404 at a likely wrong path with a chat error that names the endpoint.

    Any other reply passes unchanged, so no path of `app` is hidden. Only paths below the prefix of `path` get a hint.
    With `from_root`, paths above it do too: in a mounted service these belong to the host app. With `count_tokens`,
    `app` counts tokens itself, and its own 404 there says what is missing.
    """

    def __init__(self, app: ASGIApp, path: str, *, from_root: bool = False, count_tokens: bool = False) -> None:
        self._app = app
        self._path = path
        self._from_root = from_root
        self._known = set(_to_hints(path, "", from_root=from_root))
        if count_tokens:
            self._known.remove(to_count_path(path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or (wrong := route_path(scope)) not in self._known:
            await self._app(scope, receive, send)
            return
        hints = _to_hints(self._path, scope.get("root_path", "").rstrip("/"), from_root=self._from_root)
        body = to_error_body(hints[wrong], "invalid_request_error", code="unknown_url")
        await self._app(scope, receive, _Hinting(send, body).send)


class _Hinting:
    """Sends the reply of the app, or `body` in place of a 404."""

    def __init__(self, send: Send, body: bytes) -> None:
        self._send = send
        self._body = body
        self._replaced = False

    async def send(self, message: Message) -> None:
        """Handle a message of the app's reply."""
        if message["type"] == "http.response.start" and message["status"] == 404:  # noqa: PLR2004
            self._replaced = True
            kept = [header for header in lowered(message.get("headers", ())) if header[0] not in _REPLACED]
            await respond(self._send, 404, self._body, kept)
        elif not self._replaced:
            await self._send(message)


def _to_hints(path: str, root: str, *, from_root: bool) -> dict[str, str]:
    """The hint for each wrong path below `root`."""
    trimmed = path.rstrip("/")
    prefix = trimmed.removesuffix(_ENDPOINT) if trimmed.endswith(_ENDPOINT) else trimmed.rpartition("/")[0]
    last = f"/{prefix.rpartition('/')[2]}"
    there = f"The endpoint is POST {root}{path}"
    base = f"Set the client's base URL to one that ends with {root}{prefix}" if prefix else "Change the base URL"
    hints = {
        f"{trimmed}/": f"{there}, without a slash at its end.",
        f"{prefix}/{_ENDPOINT}": f"{there}. This URL has two slashes in a row. {base}, without a slash at its end.",
    }
    hints[to_count_path(path)] = (
        f"Counting tokens is not turned on here. {there}. The operator can set count_tokens=True, or start "
        "`chatcompat serve` with --count-tokens."
    )
    for tail in (*_SERVED, *_NOT_SERVED):
        for doubled in (tail, f"{prefix}{tail}"):
            hints[f"{trimmed}{doubled}"] = f"{there}. The base URL already names the whole endpoint. {base}."
        if prefix:
            hints[f"{prefix}{last}{tail}"] = f"{there}. This URL has {last} twice. {base}, once."
        if prefix and from_root:
            hints[tail] = f"{there}. This URL lacks {prefix}. {base}."
    for tail in _NOT_SERVED:
        hints[f"{prefix}{tail}"] = f"{tail} is not served here. {there}. Configure the client to use chat completions."
    hints.pop(path, None)
    return hints
