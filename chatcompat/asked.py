"""An inner app that is called more than once to make one reply."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.exchange import Exchange


class Asked:
    """Keeps the promises of an exchange for each call of `app`, whatever its caller holds back.

    Each part has the time of a reply to begin, and is silent for as long as nothing comes, not for as long as nothing
    is passed on. The bound of a reply is one for all parts together. Once the exchange `is_over`, nobody needs another.
    """

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self.exchange = exchange
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app once."""
        exchange = self.exchange

        async def hear(message: Message) -> None:
            await exchange.hear(len(message.get("body", b"")))
            if not exchange.is_over:
                await send(message)

        exchange.expect_part()
        await self._app(scope, receive, hear)
