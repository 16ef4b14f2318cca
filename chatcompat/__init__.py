"""Let chat-completions clients talk to native messages services.

`ChatCompatMiddleware` puts the endpoint in front of an ASGI app that serves `POST /v1/messages`; `translate` is the
same translation without ASGI, for custom gateways.
"""

from typing import TYPE_CHECKING, Any

from chatcompat.bounds import RequestBounds
from chatcompat.dialect import Dialect
from chatcompat.errors import ChatCompatError, InvalidReply, InvalidRequest
from chatcompat.record import ExchangeRecord
from chatcompat.store import MemoryStore, ThinkingStore
from chatcompat.translation import Translation, translate

if TYPE_CHECKING:
    from chatcompat.middleware import ChatCompatMiddleware

__all__ = [
    "ChatCompatError",
    "ChatCompatMiddleware",
    "Dialect",
    "ExchangeRecord",
    "InvalidReply",
    "InvalidRequest",
    "MemoryStore",
    "RequestBounds",
    "ThinkingStore",
    "Translation",
    "translate",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`ChatCompatMiddleware`, imported when it is asked for: who only translates needs no ASGI (PEP 562)."""
    if name != "ChatCompatMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chatcompat.middleware import ChatCompatMiddleware  # noqa: PLC0415

    globals()[name] = ChatCompatMiddleware
    return ChatCompatMiddleware
