"""An ASGI app around the messages app that resumes a paused turn, so that the client sees one reply."""

from typing import Final

from starlette.types import Message, Receive, Scope, Send

from chatcompat.asgi.exchange import Exchange
from chatcompat.asgi.headers import EVENT_STREAM, is_encoded, lowered, media_type, to_header_map
from chatcompat.asgi.http import replay_body
from chatcompat.asgi.inner_calls import InnerCalls
from chatcompat.asgi.limits import Limits
from chatcompat.errors import InvalidReply
from chatcompat.reply.pause_turn import PausedTurn, StreamPart, continued_body, not_continued
from chatcompat.reply.usage import readable_usage
from chatcompat.wire.invalid_reply import too_large_event

_OK: Final = 200


class Continued:
    """Calls `app` again each time it pauses the turn, at most `max_continuations` times.

    Streamed parts are sent as they arrive, as one stream. Other replies are sent when the last part is complete.
    """

    def __init__(self, app: InnerCalls, body: bytes, limits: Limits) -> None:
        self._app = app
        self._body = body
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with the body from the constructor."""
        await receive()
        exchange = self._app.exchange
        turn, body = PausedTurn(max_bytes=self._limits.max_reply_bytes), self._body
        left = self._limits.max_continuations
        while True:
            first = left == self._limits.max_continuations
            part = _Part(turn, exchange, send, self._limits, first=first, last=left == 0)
            part_scope, part_receive = _with_length(scope, body), replay_body(body, receive)
            del body  # it may be as large as the reply so far
            await self._app(part_scope, part_receive, part.send)
            if not part.paused:
                return
            exchange.spent = readable_usage(turn.usage)
            if not await self._app.is_wanted():
                return
            body, left = continued_body(self._body, turn), left - 1


class _Part:
    """The inner app's reply for one part of the turn."""

    def __init__(
        self, turn: PausedTurn, exchange: Exchange, send: Send, limits: Limits, *, first: bool, last: bool
    ) -> None:
        self.paused = False
        self._turn = turn
        self._exchange = exchange
        self._send = send
        self._first = first
        self._last = last
        self._start: Message | None = None
        self._stream: StreamPart | None = None
        self._max_event_bytes = limits.max_event_bytes
        self._held: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Handle a message of the inner app's reply."""
        if message["type"] == "http.response.start":
            await self._take_start(message)
        elif message["type"] != "http.response.body" or self._start is None:
            await self._send(message)
        elif not self.paused:  # anything after a pause is dropped
            piece, more_body = message.get("body", b""), bool(message.get("more_body", False))
            piece = piece if type(piece) is bytes else bytes(piece)
            try:
                if self._stream is None:
                    await self._hold(self._start, piece, more_body)
                elif (out := self._stream.feed(piece)) is piece and more_body:  # unchanged, as most pieces are
                    await self._send(message)
                else:
                    await self._pass_on(self._stream, out, more_body)
            except InvalidReply as error:
                await self._exchange.fail(error)

    async def _take_start(self, message: Message) -> None:
        headers = lowered(message.get("headers", ()))
        self._start = message = {**message, "headers": headers}  # an iterator can be read only once
        fields = to_header_map(headers)
        plain = message["status"] == _OK and not is_encoded(fields)
        streams = plain and media_type(fields) == EVENT_STREAM
        if streams and self._first:
            self._turn.streams = True
            await self._send(message)
        if streams and self._turn.streams:
            self._stream = StreamPart(
                self._turn, first=self._first, last=self._last, max_event_bytes=self._max_event_bytes
            )

    async def _hold(self, start: Message, piece: bytes, more_body: bool) -> None:
        """Hold a piece until its part is complete, for a part that is not a stream."""
        if piece:
            self._held.append(piece)
        if not more_body:
            body = b"".join(self._held)
            self._held.clear()
            await self._end_whole(start, body)

    async def _pass_on(self, stream: StreamPart, out: bytes, more_body: bool) -> None:
        """Send a rewritten piece of a stream, and end the part if this was its last piece."""
        self.paused = stream.paused
        if out or not self.paused:
            await self._send_body(out, more_body=more_body or self.paused or stream.too_large)
        if stream.too_large and not self.paused and not self._exchange.is_over:
            raise too_large_event()

    async def _end_whole(self, start: Message, body: bytes) -> None:
        """Handle a complete part that is not a stream: a message or an error."""
        if self._turn.streams:
            if start["status"] == _OK:
                raise not_continued()
            lines = body.replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
            await self._send_body(b"event: error\ndata: %b\n\n" % lines, more_body=False)
            return
        message: bytes | None = body
        if start["status"] == _OK:
            message = self._turn.take_message(body, first=self._first, last=self._last)
        self.paused = message is None
        if message is not None:
            await self._send(start)
            await self._send_body(message, more_body=False)

    async def _send_body(self, body: bytes, *, more_body: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more_body})


def _with_length(scope: Scope, body: bytes) -> Scope:
    length = (b"content-length", b"%d" % len(body))
    headers = [length if name == b"content-length" else (name, value) for name, value in scope["headers"]]
    return {**scope, "headers": headers}
