"""The client of one exchange: what it has received, and whether it still waits for more."""

import time

import anyio
from starlette.types import Message, Send


class Client:
    """Sends messages to the client, and tracks how much of the reply it has received."""

    __slots__ = ("_over", "_send", "first_byte_at", "is_over", "left", "sending", "shutdown", "status")

    def __init__(self, send: Send) -> None:
        self.is_over: bool = False  # it has its complete reply, or left
        self.left: bool = False  # before its reply was complete
        self.shutdown: bool = False  # the server stops without waiting for the reply
        self.sending: bool = False  # messages are being sent. Stays True if sending fails
        self.status: int | None = None  # the status that it received
        self.first_byte_at: float | None = None  # when it received the status
        self._over: anyio.Event | None = None  # set at the end, if something waits for it
        self._send = send

    async def send(self, *messages: Message) -> None:
        """Send messages. An exception of the server means that the client left."""
        self.sending = True
        try:
            for message in messages:
                await self._send(message)
                if "status" in message and not self.left:
                    self.status, self.first_byte_at = message["status"], time.monotonic()
        except Exception:
            self.leave()
            raise
        self.sending = False

    def leave(self) -> None:
        """Record that the client left before its reply was complete."""
        self.left = True
        self.end()

    def end(self) -> None:
        """Record that the reply is complete or the client left."""
        self.is_over = True
        if self._over is not None:
            self._over.set()

    async def wait_for_end(self) -> None:
        """Wait until the reply is complete or the client leaves."""
        if not self.is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()
