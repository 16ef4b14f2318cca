"""An inner app that is called more than once to make one reply."""

from typing import Final

from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.exchange import Exchange

_ROUNDS: Final = 8
"""Turns of the event loop in which other tasks run: an app that never waits would let none."""


class InnerCalls:
    """Keeps the promises of an exchange for each call of `app`, whatever its caller holds back.

    Each part has the time of a reply to begin, and is silent for as long as nothing comes, not for as long as nothing
    is passed on. The bound of a reply is one for all parts together.
    """

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self.exchange = exchange
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app once."""
        exchange = self.exchange

        async def hear(message: Message) -> None:
            await exchange.hear(bytes(message.get("body", b"")))
            if not exchange.is_over:
                await send(message)

        exchange.expect_part()
        await self._app(scope, receive, hear)

    async def is_wanted(self) -> bool:
        """Whether anybody waits for another part; a server has time to say that the client left."""
        for _ in range(_ROUNDS):
            await checkpoint()
        return not self.exchange.is_over
