"""The open requests of a process of `chatcompat serve`, and how to stop them."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.headers import EVENT_STREAM, lowered, media_type, to_header_map
from chatcompat.asgi.http import SERVER_SHUTDOWN, respond, server_shutdown
from chatcompat.cli.request_log import note_shutdown
from chatcompat.errors import to_native_error_body

_GRACE: Final = 1.0  # seconds that a stopped app has to end its reply before it is cancelled
_STOP: Final = {"type": "http.disconnect", "reason": SERVER_SHUTDOWN}

# Both chat and native clients can read it.
_ERROR: Final = to_native_error_body("api_error", server_shutdown().message, param=None, code=SERVER_SHUTDOWN)


class OpenRequests:
    """The requests that are being served."""

    def __init__(self) -> None:
        self.stopped: bool = False
        self.waiting: set[asyncio.Timeout] = set()
        self.open: set[_OpenRequest] = set()

    def stop(self) -> None:
        """End all requests: notify each app, and end incomplete replies with an error."""
        self.stopped = True
        now = asyncio.get_running_loop().time()
        for clock in self.waiting:
            clock.reschedule(now)
        for request in self.open:
            request.clock.reschedule(now + _GRACE)

    def __str__(self) -> str:
        """The open requests in words: `3 streams`, `1 stream and 2 requests`. Empty if there are none."""
        streams = sum(request.is_stream for request in self.open)
        counts = {"stream": streams, "request": len(self.open) - streams}
        return " and ".join(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count)


class Stoppable:
    """Calls `app`, and adds its requests to `requests` while they are served."""

    def __init__(self, app: ASGIApp, requests: OpenRequests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            await _OpenRequest(self._requests, receive, send).run(self._app, scope)
        else:
            await self._app(scope, receive, send)


class _OpenRequest:
    def __init__(self, requests: OpenRequests, receive: Receive, send: Send) -> None:
        self.clock = asyncio.timeout(None)
        self.is_stream = False
        self._started = False
        self._complete = False
        self._requests = requests
        self._receive = receive
        self._send = send

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the app, and end its reply if it is stopped."""
        self._requests.open.add(self)
        try:
            async with self.clock:
                await app(scope, self.receive, self.send)
        except TimeoutError:
            if not self.clock.expired():
                raise
        finally:
            self._requests.open.discard(self)
        if self._requests.stopped and not self._complete:
            await self._end()

    async def _end(self) -> None:
        note_shutdown()
        if not self._started:
            await respond(self._send, 503, _ERROR)
        elif self.is_stream:  # a chat stream has its error frame already
            event = b"\n\nevent: error\ndata: %b\n\n" % _ERROR
            await self._send({"type": "http.response.body", "body": event, "more_body": False})

    async def receive(self) -> Message:
        """Receive the next message, or a disconnect when the server stops."""
        requests = self._requests
        if requests.stopped and not self._complete:
            return _STOP
        clock = asyncio.timeout(None)
        try:
            async with clock:
                requests.waiting.add(clock)
                return await self._receive()
        except TimeoutError:
            return _STOP
        finally:
            requests.waiting.discard(clock)

    async def send(self, message: Message) -> None:
        """Send a message, and track the progress of the reply."""
        if message["type"] == "http.response.start":
            self._started = True
            self.is_stream = media_type(to_header_map(lowered(message.get("headers", ())))) == EVENT_STREAM
        elif not message.get("more_body", False):
            self._complete = True
        await self._send(message)
