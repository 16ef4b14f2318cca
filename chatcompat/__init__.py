"""Let chat-completions clients talk to native messages services.

`ChatCompatMiddleware` adds the endpoint `/v1/chat/completions` to an ASGI app that serves `POST /v1/messages`.
`translate` is the same translation without ASGI, for custom gateways.
"""

from typing import TYPE_CHECKING

from chatcompat.dialect import Dialect, DialectOption
from chatcompat.errors import ChatCompatError, InvalidReply, InvalidRequest
from chatcompat.record import ExchangeRecord, OnExchange
from chatcompat.reply.stream import ChunkStream, StreamError
from chatcompat.request.bounds import RequestBounds
from chatcompat.store import MemoryStore, ThinkingStore
from chatcompat.translation import Translation, translate

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
else:

    def __getattr__(name: str) -> type:
        """Import `ChatCompatMiddleware` on first use, so that plain translation does not import ASGI (PEP 562)."""
        if name != "ChatCompatMiddleware":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from chatcompat.asgi.middleware import ChatCompatMiddleware  # noqa: PLC0415

        globals()[name] = ChatCompatMiddleware
        return ChatCompatMiddleware


def __dir__() -> list[str]:
    """List all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
