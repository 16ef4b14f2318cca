"""The access log of `chatcompat serve`, and the id of each request."""

import logging
import time
import uuid
from contextvars import ContextVar
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.headers import lowered, to_plain_text
from chatcompat.asgi.http import SERVER_SHUTDOWN, respond
from chatcompat.asgi.outcome import MAX_NAME
from chatcompat.cli.log import request_id
from chatcompat.record import ExchangeRecord

HEADER: Final = b"x-request-id"
_MAX_ID: Final = 128  # bytes of a client's id
_MAX_BODY: Final = 16 * 1024  # bytes of an error that are read for the log

_logger: Final = logging.getLogger("chatcompat.access")
_line: Final[ContextVar["_Line"]] = ContextVar("chatcompat_line")


class _Error(msgspec.Struct):
    type: str | None = None
    param: str | None = None
    code: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error


_decode_error = msgspec.json.Decoder(_ErrorBody).decode


def log_exchange(record: ExchangeRecord) -> None:
    """Add the record of an exchange to the log line of its request."""
    _line.get().record = record


def note_shutdown() -> None:
    """Note in the log line that the server ends the current request."""
    if (line := _line.get(None)) is not None:
        line.reason = SERVER_SHUTDOWN


def valid_id(value: bytes | None) -> str:
    """The client's request id if it is valid (at most 128 printable ASCII characters, no spaces), or a new one."""
    if value and len(value) <= _MAX_ID and all(0x20 < byte < 0x7F for byte in value):  # noqa: PLR2004
        return value.decode()
    return f"req_{uuid.uuid4().hex}"


class RequestLog:
    """Gives each request an id, and writes one line for it.

    The id is the client's `x-request-id`, or a new one. The app gets it in the request, and the client in the reply.
    """

    def __init__(self, app: ASGIApp, *, enabled: bool, client_address: bool) -> None:
        self._app = app
        self._enabled = enabled
        self._client_address = client_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = lowered(scope["headers"])
        line = _Line(scope, valid_id(next((value for name, value in headers if name == HEADER), None)), receive, send)
        kept = [header for header in headers if header[0] != HEADER]
        id_token, line_token = request_id.set(line.id), _line.set(line)
        try:
            await self._app({**scope, "headers": [*kept, (HEADER, line.id.encode())]}, line.receive, line.send)
        except Exception:
            await line.fail()
            raise
        finally:
            if self._enabled:
                line.write(client_address=self._client_address)
            request_id.reset(id_token)
            _line.reset(line_token)


class _Line:
    """One request, and its log line."""

    def __init__(self, scope: Scope, request: str, receive: Receive, send: Send) -> None:
        self.id = request
        self.record: ExchangeRecord | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.monotonic()
        self._first_byte: float | None = None
        self._status: int | None = None
        self._upstream_id: str | None = None
        self._error = b""
        self._complete = False
        self.reason: str | None = None

    async def receive(self) -> Message:
        """Receive a message, and note a disconnect and its reason."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self.reason = message.get("reason", "client_disconnected")
        return message

    async def send(self, message: Message) -> None:
        """Send a message, with the id in the headers of the reply."""
        if message["type"] == "http.response.start":
            headers = lowered(message.get("headers", ()))
            theirs = {name: value for name, value in headers if name in (b"request-id", HEADER)}
            other = theirs.get(b"request-id", theirs.get(HEADER, b"")).decode("latin-1")[:MAX_NAME]
            self._upstream_id = other if other != self.id else None
            kept = [header for header in headers if header[0] != HEADER]
            message = {**message, "headers": [*kept, (HEADER, self.id.encode())]}
            await self._send(message)
            self._status, self._first_byte = message["status"], time.monotonic()
            return
        body = message.get("body", b"")
        if self._status is not None and self._status >= 400 and len(self._error) + len(body) <= _MAX_BODY:  # noqa: PLR2004
            self._error += body
        await self._send(message)
        self._complete = not message.get("more_body", False)

    async def fail(self) -> None:
        """Reply for an app that raised before its reply began, so that the reply has the id."""
        if self._status is None and self.reason is None:
            error = {"type": "server_error", "message": "The server failed.", "param": None, "code": None}
            body = msgspec.json.encode({"type": "error", "error": error})
            await respond(self.send, 500, body)

    def write(self, *, client_address: bool) -> None:
        """Write the line."""
        method, path = self._scope["method"], self._scope["path"][:MAX_NAME]
        fields: dict[str, Any] = {"method": method, "path": path, "status": self._status, "request_id": self.id}
        fields |= self._outcome()
        fields["upstream_request_id"] = self._upstream_id or None
        fields["first_byte_ms"] = self._milliseconds(self._first_byte)
        fields["duration_ms"] = self._milliseconds(time.monotonic())
        if client_address:
            client = self._scope.get("client")
            fields["client"] = client[0] if client else None
        level = logging.INFO
        if fields["error_type"] is not None:
            level = logging.ERROR if self._status is not None and self._status >= 500 else logging.WARNING  # noqa: PLR2004
        _logger.log(level, "%s %s %s", method, path, self._status, extra=fields)

    def _outcome(self) -> dict[str, Any]:
        """How the request ended, from the record of its exchange, or from the reply if there is no record."""
        record = self.record
        if record is not None:
            return {
                "model": record.model,
                "streaming": record.streaming,
                "finish_reason": record.finish_reason,
                "error_type": record.error_type,
                "param": record.error_param,
                "code": record.error_code,
                "response_id": record.response_id,
                "usage": record.usage,
                "ignored": to_plain_text(record.ignored),
            }
        error = self._read_error()
        names = ("model", "streaming", "finish_reason", "error_type", "param", "code", "response_id", "usage")
        return dict.fromkeys(names) | {
            "error_type": error.type and error.type[:MAX_NAME],
            "param": error.param and error.param[:MAX_NAME],
            "code": error.code and error.code[:MAX_NAME],
            "ignored": "",
        }

    def _read_error(self) -> _Error:
        if self.reason is not None and (not self._complete or self.reason == SERVER_SHUTDOWN):
            return _Error(type=self.reason)
        if self._status is None or (self._status < 400 and self._complete):  # noqa: PLR2004
            return _Error(type=None if self._status is not None else "server_error")
        try:
            return _decode_error(self._error).error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _Error(type="incomplete" if not self._complete else "error")

    def _milliseconds(self, instant: float | None) -> float | None:
        return None if instant is None else round((instant - self._began) * 1000, 1)
