"""The routes of the middleware, and where the inner app serves the native ones."""

from urllib.parse import quote

from starlette.types import Scope

from chatcompat.asgi.headers import Headers
from chatcompat.asgi.http import hide_extensions
from chatcompat.record import Operation


class Route:
    """A path for chat clients, and the path of its native counterpart in the inner app. Both are below `root_path`."""

    __slots__ = ("_inner_path", "_path", "_raw_inner_path", "operation")

    def __init__(self, path: str, inner_path: str, operation: Operation) -> None:
        self.operation: Operation = operation
        self._path = path
        self._inner_path = inner_path
        self._raw_inner_path = quote(inner_path).encode()

    def inner_scope(self, scope: Scope, headers: Headers) -> Scope:
        """The scope for the inner app."""
        path = scope["path"].removesuffix(self._path) + self._inner_path
        inner = {**scope, "path": path, "headers": headers}
        if inner.get("raw_path") is not None:
            inner["raw_path"] = quote(path).encode() if path != self._inner_path else self._raw_inner_path
        hide_extensions(inner)
        return inner


def to_routes(path: str, messages_path: str, *, count_tokens: bool) -> dict[str, Route]:
    """The routes by path."""
    routes = {path: Route(path, messages_path, "chat")}
    if count_tokens:
        below = to_count_path(path)
        routes[below] = Route(below, to_count_path(messages_path), "count_tokens")
    return routes


def to_count_path(path: str) -> str:
    """The path for counting tokens, below that of an endpoint. It ends with a slash if `path` does."""
    return f"{path.rstrip('/')}/count_tokens{'/' * path.endswith('/')}"
