"""Comments in the pauses of a client's stream, so that no proxy closes the connection."""

import time
from collections.abc import Callable

import anyio
from starlette.types import Message, Send

from chatcompat.bounds import Limits
from chatcompat.chunks import PING
from chatcompat.guard import Guard


class KeepAlive:
    """Sends the messages of one stream, and comments between them.

    `send` and `run` are called in two tasks and never send at once: `send` waits for the `beat` that is on its way, and
    `run` sends none while `sending` is set.
    """

    __slots__ = ("_ended", "_guard", "_limits", "_send", "beat", "heard_at", "sending", "sent_at")

    def __init__(self, send: Send, guard: Guard, limits: Limits) -> None:
        self.beat: anyio.Event | None = None  # set when the comment that is being sent has been sent
        self.sending = False
        self.sent_at = 0.0  # when the client took something last
        self.heard_at = 0.0  # when the inner app sent something last
        self._ended = False
        self._send = send
        self._guard = guard
        self._limits = limits

    async def send(self, message: Message) -> None:
        """Send a message of the stream."""
        self._ended = not message.get("more_body", True)
        if self.beat is not None:
            await self.beat.wait()
        self.sending = True
        await self._send(message)
        self.sending = False
        self.sent_at = self.heard_at = time.monotonic()

    async def run(self, on_leave: Callable[[], None]) -> None:
        """Send a comment whenever nothing was sent for a while, until the stream has ended.

        An inner app that says nothing for too long is given up. A slow client is no silence. `on_leave` is called if
        a comment finds that the client has left; it is not kept, since that would tie a knot for the collector.
        """
        interval, patience = self._limits.keep_alive, self._limits.idle_timeout
        while not self._ended:
            now = time.monotonic()
            beat_in = interval if self.sending else self.sent_at + interval - now
            left = patience if self.sending else self.heard_at + patience - now
            if left <= 0:
                self._guard.cancel()
                return
            if beat_in > 0:
                await anyio.sleep(min(beat_in, left))
            else:
                await self._beat(on_leave)

    async def _beat(self, on_leave: Callable[[], None]) -> None:
        self.beat, began = anyio.Event(), time.monotonic()
        try:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except OSError:  # the client left; the server tells the watcher too
            on_leave()
        finally:
            self.beat.set()
            self.beat = None
        self.sent_at = time.monotonic()
        self.heard_at += self.sent_at - began  # the client took that long, and the inner app may wait behind it
