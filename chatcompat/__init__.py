"""Let chat-completions clients talk to native messages services.

`ChatCompatMiddleware` puts the endpoint in front of an ASGI app that serves `POST /v1/messages`; `translate` is the
same translation without ASGI, for custom gateways.
"""

from chatcompat.bounds import RequestBounds
from chatcompat.dialect import Dialect
from chatcompat.errors import ChatCompatError, InvalidReply, InvalidRequest
from chatcompat.middleware import ChatCompatMiddleware
from chatcompat.record import ExchangeRecord
from chatcompat.store import MemoryStore, ThinkingStore
from chatcompat.translation import Translation, translate

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
