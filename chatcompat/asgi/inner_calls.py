"""Several calls of the inner app for one reply."""

from collections.abc import Awaitable
from typing import Final

from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.exchange import Exchange
from chatcompat.wire.invalid_reply import too_large_reply

_ROUNDS: Final = 8
"""How often other tasks get to run between two calls. An app that never awaits anything would not let them."""


async def _drop() -> None:
    """Send nothing."""


class InnerCalls:
    """Calls `app` for each part of one reply, within the timeouts and limits of its exchange.

    Each part must begin within `first_byte_timeout`. Everything that the app sends counts as activity, even if it is
    held back from the client. `max_reply_bytes` limits all parts together.
    """

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self.exchange = exchange
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app once."""
        exchange = self.exchange

        def hear(message: Message) -> Awaitable[None]:  # not `async`, which would cost one more coroutine a piece
            if exchange.hear(message.get("body", b"")):
                return exchange.fail(too_large_reply())
            return _drop() if exchange.is_over else send(message)

        exchange.expect_part()
        await self._app(scope, receive, hear)

    async def is_wanted(self) -> bool:
        """Whether the client still waits for a reply. First lets the server report a disconnect."""
        for _ in range(_ROUNDS):
            await checkpoint()
        return not self.exchange.is_over
