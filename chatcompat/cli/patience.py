"""Timeouts of `chatcompat serve` for clients that stall in the middle of a request. uvicorn has none.

The protocol limits the time and size of a request's head. The app limits the pauses in its body.
"""

import asyncio
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chatcompat.asgi.http import respond
from chatcompat.errors import InvalidRequest, to_native_error_body
from chatcompat.upstream.upload import too_slow

MAX_HEAD_BYTES: Final = 64 * 1024


class PatientConfig(uvicorn.Config):
    """uvicorn's configuration, plus the number of seconds a client has to send a request's head."""

    def __init__(self, app: ASGIApp | str, *, request_timeout: float, **options: Any) -> None:
        super().__init__(app, http=PatientProtocol, **options)
        self.request_timeout = request_timeout


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose next request head is late or too large.

    uvicorn closes connections that stay idle after a reply. But its timer stops at the first byte of the next
    request, it does not cover new connections, and it does not limit the size of a head.
    """

    _clock: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head, and enforce its limits."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # closed, or upgraded to a websocket
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large", f"The headers are larger than {MAX_HEAD_BYTES} bytes.")
        elif self._clock is None and not self._is_answering():
            self._start_clock()

    def on_message_begin(self) -> None:
        """Start counting the bytes of this head."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop the clock: the head is complete."""
        self._in_head = False
        self._stop_clock()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_clock(self) -> None:
        timeout = cast("PatientConfig", self.config).request_timeout
        message = f"The request's headers were not complete within {timeout:g} seconds."
        self._clock = self.loop.call_later(timeout, self._refuse, b"408 Request Timeout", message)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _refuse(self, status: bytes, message: str) -> None:
        """Close the connection. Send an error first if a request has begun and no reply is in progress."""
        self._stop_clock()
        if self._in_head and not self._is_answering():
            # The path is not known yet. Both chat and native clients can read this body.
            body = to_native_error_body("invalid_request_error", message, param=None, code=None)
            head = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(head % (status, len(body)) + body)
        self.transport.close()


class PatientApp:
    """Refuses a request whose body stalls while `app` reads it. Replies have no time limit."""

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        self._app = app
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            await _Patient(receive, send, self._timeout).run(self._app, scope)
        else:
            await self._app(scope, receive, send)


class _Patient:
    """The state of one request."""

    def __init__(self, receive: Receive, send: Send, timeout: float) -> None:
        self._receive = receive
        self._send = send
        self._timeout = timeout
        self._more = True
        self._refusal: InvalidRequest | None = None
        self._started = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the app. If it does not reply to the refusal, send a native error."""
        try:
            await app(scope, self.receive, self.send)
        except InvalidRequest as error:
            if error is not self._refusal:
                raise
        if self._refusal is not None and not self._started:
            body = to_native_error_body("invalid_request_error", self._refusal.message)
            await respond(self.send, self._refusal.status, body)

    async def receive(self) -> Message:
        """Receive the next message. Raises `InvalidRequest` if the body stalls."""
        if not self._more:
            return await self._receive()
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._receive()
        except TimeoutError:
            self._refusal = too_slow(self._timeout)
            raise self._refusal from None
        self._more = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message. After a refusal, only the reply to it passes, not another one that the app made."""
        if self._refusal is not None and not self._started:
            if message["type"] != "http.response.start" or message["status"] != self._refusal.status:
                return
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        self._started = True
        await self._send(message)
