"""An ASGI app around the messages app that goes on with a paused turn, so that there is one reply."""

from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.continuation import PAUSE, StreamPart, Turn, continued_body
from chatcompat.headers import is_encoded, lowered, media_type, to_fields
from chatcompat.scopes import giving
from chatcompat.sse import EventTooLarge

_encode = msgspec.json.Encoder().encode

_FAILED: Final = (
    b'{"type":"error","error":{"type":"api_error",'
    b'"message":"The messages service did not go on with a turn that it had paused."}}'
)
_ERROR_START: Final = {
    "type": "http.response.start",
    "status": 502,
    "headers": [(b"content-type", b"application/json")],
}


class Continued:
    """Calls `app` again for as long as it pauses the turn, at most `limit` times.

    The parts of a stream are passed on as they come, as one stream. A reply in one piece is passed on when its last
    part is there.
    """

    def __init__(self, app: ASGIApp, body: bytes, *, limit: int, max_event_bytes: int) -> None:
        self._app = app
        self._body = body
        self._limit = limit
        self._max_event_bytes = max_event_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; its body is the one given at construction."""
        await receive()
        turn, body, left, paused = Turn(), self._body, self._limit, True
        while paused:
            first, last = left == self._limit, left == 0
            part = _Part(turn, send, first=first, last=last, max_event_bytes=self._max_event_bytes)
            await self._app(_with_length(scope, body), giving(body, receive), part.send)
            if paused := part.paused:
                body, left = continued_body(self._body, turn.content), left - 1


class _Part:
    """What the inner app sends for one part of the turn."""

    def __init__(self, turn: Turn, send: Send, *, first: bool, last: bool, max_event_bytes: int) -> None:
        self.paused = False
        self._turn = turn
        self._send = send
        self._first = first
        self._last = last
        self._start: Message | None = None
        self._stream: StreamPart | None = None
        self._max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take a message of the inner app's reply."""
        if message["type"] == "http.response.start":
            await self._take_start(message)
        elif message["type"] == "http.response.body" and self._start is not None:
            piece, more_body = bytes(message.get("body", b"")), bool(message.get("more_body", False))
            if self._stream is not None:
                await self._pass_on(self._stream, piece, more_body)
            else:
                self._pieces.append(piece)
                if not more_body:
                    await self._end_whole(self._start, b"".join(self._pieces))
        else:
            await self._send(message)

    async def _take_start(self, message: Message) -> None:
        self._start = message
        fields = to_fields(lowered(message.get("headers", ())))
        plain = message["status"] == 200 and not is_encoded(fields)  # noqa: PLR2004
        streams = plain and media_type(fields) == b"text/event-stream"
        if streams and self._first:
            self._turn.streams = True
            await self._send(message)
        if streams and self._turn.streams:
            self._stream = StreamPart(
                self._turn, first=self._first, last=self._last, max_event_bytes=self._max_event_bytes
            )

    async def _pass_on(self, stream: StreamPart, piece: bytes, more_body: bool) -> None:
        try:
            told = stream.feed(piece)
        except EventTooLarge:
            await self._fail(_FAILED)
            return
        self.paused = stream.paused
        if told or not self.paused:
            await self._tell(told, more_body=more_body or self.paused)

    async def _end_whole(self, start: Message, body: bytes) -> None:
        message = self._turn.take_message(body) if start["status"] == 200 else None  # noqa: PLR2004
        if self._turn.streams or (message is None and not self._first and start["status"] == 200):  # noqa: PLR2004
            await self._fail(_FAILED if start["status"] == 200 else body)  # noqa: PLR2004
        elif message is not None and message.get("stop_reason") == PAUSE and not self._last:
            self.paused = True
        else:
            await self._send(start)
            joined = message is not None and not self._first
            await self._tell(_encode(message) if joined else body, more_body=False)

    async def _fail(self, error: bytes) -> None:
        """Tell that the turn did not go on, in the form in which it began."""
        if self._turn.streams:
            lines = error.replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
            await self._tell(b"event: error\ndata: %b\n\n" % lines, more_body=False)
        else:
            await self._send(dict(_ERROR_START))
            await self._tell(error, more_body=False)

    async def _tell(self, body: bytes, *, more_body: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more_body})


def _with_length(scope: Scope, body: bytes) -> Scope:
    length = (b"content-length", b"%d" % len(body))
    headers = [length if name == b"content-length" else (name, value) for name, value in scope["headers"]]
    return {**scope, "headers": headers}
