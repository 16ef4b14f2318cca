"""The client of one exchange: what it received, and whether it still waits."""

import time

import anyio
from starlette.types import Message, Send


class Client:
    """Sends messages to the client and tracks how far the reply got."""

    __slots__ = ("_over", "_send", "first_byte_at", "is_over", "left", "sending", "shutdown", "status")

    def __init__(self, send: Send) -> None:
        self.is_over: bool = False  # it has its whole reply, or left
        self.left: bool = False  # before its reply was whole
        self.shutdown: bool = False  # the server stops without waiting for the reply
        self.sending: bool = False  # a message that it has not taken; for good, if sending it failed
        self.status: int | None = None  # that it got,
        self.first_byte_at: float | None = None  # and when
        self._over: anyio.Event | None = None  # what waits for the end, if anything does
        self._send = send

    async def send(self, message: Message) -> None:
        """Send a message. An exception of the server means that the client left."""
        self.sending = True
        try:
            await self._send(message)
        except Exception:
            self.leave()
            raise
        self.sending = False
        if "status" in message and not self.left:
            self.status, self.first_byte_at = message["status"], time.monotonic()

    def leave(self) -> None:
        """Record that the client left before its reply was complete."""
        self.left = True
        self.end()

    def end(self) -> None:
        """Record that the client waits for nothing more."""
        self.is_over = True
        if self._over is not None:
            self._over.set()

    async def wait_for_end(self) -> None:
        """Wait until the client waits for nothing more."""
        if not self.is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()
