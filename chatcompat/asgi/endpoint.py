"""The endpoints of the middleware, and where the inner app serves the native ones."""

from urllib.parse import quote

from starlette.types import Scope

from chatcompat.asgi.headers import Headers
from chatcompat.asgi.http import hide_extensions
from chatcompat.record import Operation


class Endpoint:
    """An endpoint for chat clients. Both paths are below `root_path`."""

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


def to_endpoints(path: str, messages_path: str, *, count_tokens: bool) -> dict[str, Endpoint]:
    """The endpoints by path."""
    endpoints = {path: Endpoint(path, messages_path, "chat")}
    if count_tokens:
        below = to_count_path(path)
        endpoints[below] = Endpoint(below, to_count_path(messages_path), "count_tokens")
    return endpoints


def to_count_path(path: str) -> str:
    """The path that counts tokens, below that of an endpoint. It ends with a slash if `path` does."""
    return f"{path.rstrip('/')}/count_tokens{'/' * path.endswith('/')}"
