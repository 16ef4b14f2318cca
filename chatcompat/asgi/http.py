"""Small parts of HTTP over ASGI: paths, replayed bodies, hidden extensions, and whole JSON replies."""

from collections.abc import Iterable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

# Extensions of the server that would let the inner app send bytes past the middleware.
_HIDDEN_EXTENSIONS: Final = frozenset(
    {"http.response.pathsend", "http.response.zerocopysend", "http.response.trailers"}
)


async def respond(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send a whole JSON reply."""
    start = [*headers]
    if status != 304:  # noqa: PLR2004 - which has no body, and describes none
        start += ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class ClientDisconnected(Exception):
    """The client left before its request was whole."""


def route_path(scope: Scope) -> str:
    """The path below `root_path`, which servers and `Mount` leave at the front of `path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def hide_extensions(scope: Scope) -> None:
    """Leave out of `scope` the extensions that would send bytes past the middleware."""
    if "extensions" in scope:
        offered = scope["extensions"] or {}
        scope["extensions"] = {name: value for name, value in offered.items() if name not in _HIDDEN_EXTENSIONS}


def replay_body(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body in one piece, and then what `receive` gives."""
    replayed = False

    async def give() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
