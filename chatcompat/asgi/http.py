"""Small ASGI helpers: JSON responses, route paths, extensions and replayed bodies."""

import logging
from collections.abc import Iterable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from chatcompat.asgi.headers import Headers
from chatcompat.errors import InvalidReply

_logger: Final = logging.getLogger(__name__)

# With these server extensions the inner app could send bytes that bypass the middleware.
_HIDDEN_EXTENSIONS: Final = frozenset(
    {"http.response.pathsend", "http.response.zerocopysend", "http.response.trailers"}
)


def to_response(status: int, body: bytes, headers: Headers) -> tuple[Message, Message]:
    """The messages of a complete JSON response. The headers of the body are added to `headers`."""
    if status != 304:  # noqa: PLR2004 - a 304 has no body
        headers += ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body, "more_body": False}


async def respond(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send a complete JSON response."""
    for message in to_response(status, body, [*headers]):
        await send(message)


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete."""


SERVER_SHUTDOWN: Final = "server_shutdown"
"""The `reason` of the `http.disconnect` with which `chatcompat serve` stops an exchange. The client is still connected,
and gets an error with this `code`."""


def server_shutdown() -> InvalidReply:
    """The error for a client whose exchange the server stops."""
    return InvalidReply("The server is shutting down. Send the request again.", code=SERVER_SHUTDOWN, status=503)


async def wait_for_disconnect(receive: Receive) -> Message:
    """Wait until the client disconnects or the server stops, and return the `http.disconnect`."""
    message: Message = {"type": ""}
    try:
        while message["type"] != "http.disconnect":
            message = await receive()
    except Exception as error:  # noqa: BLE001 - Ray Serve raises when the client left
        _logger.debug("receive failed, so the client is assumed to have left: %s", type(error).__name__)
        message = {"type": "http.disconnect"}
    return message


def route_path(scope: Scope) -> str:
    """The path below `root_path`. Servers and `Mount` keep `root_path` as the prefix of `path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def with_list(scope: Scope) -> Scope:
    """The scope with headers that can be read more than once. ASGI allows an iterator, which cannot."""
    headers = scope.get("headers", ())
    return scope if isinstance(headers, list | tuple) else {**scope, "headers": [*headers]}


def hide_extensions(scope: Scope) -> None:
    """Remove the extensions from `scope` that would bypass the middleware."""
    if "extensions" in scope:
        offered = scope["extensions"] or {}
        scope["extensions"] = {name: value for name, value in offered.items() if name not in _HIDDEN_EXTENSIONS}


def replay_body(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns `body` in one message, then what `receive` returns. It does not keep the body."""
    left = [body]

    async def receive_body() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_body
