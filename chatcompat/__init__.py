"""Let chat-completions clients talk to native messages services.

`ChatCompatMiddleware` adds the endpoint `/v1/chat/completions` to an ASGI app that serves `POST /v1/messages`.
`translate` is the same translation without ASGI, for custom gateways.
"""

from typing import TYPE_CHECKING, Final

__all__ = [
    "ChatCompatError",
    "ChatCompatMiddleware",
    "ChunkStream",
    "Dialect",
    "DialectOption",
    "ExchangeRecord",
    "InvalidReply",
    "InvalidRequest",
    "MemoryStore",
    "OnExchange",
    "RequestBounds",
    "StreamError",
    "ThinkingStore",
    "Translation",
    "translate",
]

__version__ = "0.1.0"

if TYPE_CHECKING:  # with `__getattr__`, a type checker accepts any name, even a misspelt one
    from chatcompat.asgi.middleware import ChatCompatMiddleware
    from chatcompat.dialect import Dialect, DialectOption
    from chatcompat.errors import ChatCompatError, InvalidReply, InvalidRequest
    from chatcompat.record import ExchangeRecord, OnExchange
    from chatcompat.reply.stream import ChunkStream, StreamError
    from chatcompat.request.bounds import RequestBounds
    from chatcompat.store import MemoryStore, ThinkingStore
    from chatcompat.translation import Translation, translate
else:
    _MODULES: Final = {
        "ChatCompatError": "errors",
        "ChatCompatMiddleware": "asgi.middleware",
        "ChunkStream": "reply.stream",
        "Dialect": "dialect",
        "DialectOption": "dialect",
        "ExchangeRecord": "record",
        "InvalidReply": "errors",
        "InvalidRequest": "errors",
        "MemoryStore": "store",
        "OnExchange": "record",
        "RequestBounds": "request.bounds",
        "StreamError": "reply.stream",
        "ThinkingStore": "store",
        "Translation": "translation",
        "translate": "translation",
    }
    _PARTS: Final = {module.partition(".")[0] for module in _MODULES.values()} | {"capabilities", "wire"}

    def __getattr__(name: str) -> object:
        """Import a name, or a module of the package, on first use (PEP 562). `translate` needs no ASGI library."""
        from importlib import import_module  # noqa: PLC0415

        if name in _PARTS:
            return import_module(f"chatcompat.{name}")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"chatcompat.{_MODULES[name]}"), name)
        return found


def __dir__() -> list[str]:
    """List all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
