"""Comments in the pauses of a stream, so that proxies keep the connection open."""

import math
import time

import anyio
from starlette.types import Message, Send

from chatcompat.asgi.client import Client
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.task_scope import TaskScope
from chatcompat.reply.chunk_writer import PING


class KeepAlive:
    """Sends the messages of one stream, with comments in its pauses. Cancels an inner app that is silent for too long.

    `send` and `run` run in two tasks and never send at the same time: `send` waits for a comment (`beat`) that is being
    sent, and `run` sends none while the client is taking a message.
    """

    __slots__ = ("_client", "_ended", "_limits", "_patience", "_send", "_task_scope", "beat", "heard_at", "sent_at")

    def __init__(self, send: Send, client: Client, task_scope: TaskScope, limits: Limits) -> None:
        self.beat: anyio.Event | None = None  # set once the comment in progress has been sent
        self.sent_at: float = 0.0  # when the client last received something
        self.heard_at: float = 0.0  # when the inner app last sent something
        self._patience = limits.idle_timeout
        self._ended = False
        self._send = send
        self._client = client
        self._task_scope = task_scope
        self._limits = limits

    async def send(self, message: Message) -> None:
        """Send a message of the stream."""
        self._ended = not message.get("more_body", True)
        if self.beat is not None:
            await self.beat.wait()
        await self._client.send(message)
        self.sent_at = self.heard_at = time.monotonic()

    def wait(self, seconds: float) -> None:
        """Allow the inner app `seconds` of silence from now on."""
        self._patience, self.heard_at = seconds, time.monotonic()

    def stop_waiting(self) -> None:
        """Stop measuring silence: the inner app has sent everything."""
        self.heard_at = math.inf

    async def run(self) -> None:
        """Send a comment after each `keep_alive` seconds without a message, until the stream ends.

        The time that a slow client takes does not count as silence. The timeout can change while this runs, since each
        part of a turn has its own.
        """
        client, interval = self._client, self._limits.keep_alive
        shortest = min(self._limits.first_byte_timeout, self._limits.idle_timeout)
        while not self._ended:
            now = time.monotonic()
            beat_in = interval if client.sending else self.sent_at + interval - now
            left = self._patience if client.sending else self.heard_at + self._patience - now
            if left <= 0:
                self._task_scope.cancel()
                return
            if beat_in > 0:
                await anyio.sleep(min(beat_in, left, shortest))
            else:
                await self._beat()

    async def _beat(self) -> None:
        self.beat, began = anyio.Event(), time.monotonic()
        try:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except Exception:  # noqa: BLE001 - the client left. The server also reports that through `receive`
            self._client.leave()
        finally:
            self.beat.set()
            self.beat = None
        self.sent_at = time.monotonic()
        self.heard_at += self.sent_at - began  # the client took this long, and the inner app may have waited for it
