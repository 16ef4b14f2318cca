"""One run: a chat request through the middleware, with everything that both sides send as a stream of frames.

A frame is a JSON object with `side`, the microseconds `t` since the start, and what was sent. Nothing is queued: a slow
browser slows the inner app, like any client.
"""

import time
from contextvars import ContextVar
from typing import Any, Final

import anyio
import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat._telemetry import amount
from chatcompat.asgi.headers import EVENT_STREAM, lowered, media_type, to_header_map
from chatcompat.record import ExchangeRecord
from chatcompat.wire.sse import EventDecoder, EventTooLarge, encode_data

MAX_FRAME: Final = 256 * 1024  # bytes of one event or piece that are shown

current: Final[ContextVar["Run | None"]] = ContextVar("chatcompat_run", default=None)
"""The run that the current task serves."""

_encode = msgspec.json.Encoder().encode


class Run:
    """Sends the frames of one request while the middleware serves it."""

    def __init__(self, send: Send) -> None:
        self.record: ExchangeRecord | None = None
        self._send = send
        self._lock = anyio.Lock()
        self._began = time.perf_counter()
        self._received = self._began  # when the request was complete
        self._translated: float | None = None  # seconds from then to the first call of the inner app
        self._inside = 0.0  # seconds in the middleware, while it handled what the inner app sent
        self._outside = 0.0  # seconds of these in which it waited for the browser
        self._calls = 0  # of the inner app
        self._open = 0  # calls that have not returned
        self._shared = False  # whether several were open at once, so that their seconds cannot be separated
        self._pieces = 0  # messages from the inner app with a body. One may hold several events
        self._chat = _Pieces()

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Send the frames of a request. `app` is the server with the middleware."""

        async def receive_body() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._received = time.perf_counter()
            return message

        token = current.set(self)
        try:
            await app(scope, receive_body, self._take_reply)
        finally:
            current.reset(token)
            await self._emit({"side": "end", **self._summary()}, more_body=False)

    # ------------------------------------------------------------ the inner app's side

    async def call(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the inner app, and show what it sends before the middleware gets it."""
        if self._translated is None:
            self._translated = time.perf_counter() - self._received
        self._shared = self._shared or bool(self._open)
        self._calls += 1
        self._open += 1
        number, pieces = self._calls, _Pieces()

        async def show(message: Message) -> None:
            frames = pieces.read(message)
            self._pieces += bool(frames)
            piece = self._pieces
            for frame in frames:
                await self._emit({"side": "native", "call": number, "piece": piece, **frame})
            began, outside = time.perf_counter(), self._outside
            await send(message)
            self._inside += time.perf_counter() - began - (self._outside - outside)

        try:
            await app(scope, receive, show)
        finally:
            self._open -= 1

    # ------------------------------------------------------------ the client's side

    async def _take_reply(self, message: Message) -> None:
        began = time.perf_counter()
        for frame in self._chat.read(message):
            await self._emit({"side": "chat", "piece": self._pieces, **frame})
        self._outside += time.perf_counter() - began

    async def _emit(self, frame: dict[str, Any], *, more_body: bool = True) -> None:
        stamped = {"t": round((time.perf_counter() - self._began) * 1e6), **frame}
        body = encode_data(_encode(stamped))
        async with self._lock:
            await self._send({"type": "http.response.body", "body": body, "more_body": more_body})

    def _summary(self) -> dict[str, Any]:
        record = self.record
        return {
            "request_us": None if self._translated is None else round(self._translated * 1e6, 1),
            "reply_us": None if self._shared or self._translated is None else round(self._inside * 1e6, 1),
            "record": None if record is None else to_entry(record),
        }


class _Pieces:
    """Turns the messages of a reply into frames: one for its start, and one for each event or piece of the body."""

    def __init__(self) -> None:
        self._decoder: EventDecoder | None = None

    def read(self, message: Message) -> list[dict[str, Any]]:
        """The frames of one message."""
        if message["type"] == "http.response.start":
            fields = to_header_map(lowered(message.get("headers", ())))
            self._decoder = EventDecoder() if media_type(fields) == EVENT_STREAM else None
            ignored = fields.get(b"x-chatcompat-ignored", b"").decode("latin-1")
            return [{"status": message["status"], "stream": self._decoder is not None, "ignored": ignored}]
        piece = bytes(message.get("body", b"")) if message["type"] == "http.response.body" else b""
        if not piece:
            return []
        if self._decoder is None:
            return [_shown(piece)]
        try:
            events = self._decoder.feed(piece)
        except EventTooLarge as error:
            events, self._decoder = error.events, EventDecoder()
        return [_shown(event) for event in events]


def _shown(data: bytes) -> dict[str, Any]:
    return {"data": data[:MAX_FRAME].decode("utf-8", "replace"), "cut": max(len(data) - MAX_FRAME, 0)}


def to_entry(record: ExchangeRecord) -> dict[str, Any]:
    """A record as JSON, with derived values. Unknown values are None."""
    usage = record.usage or {}
    written, first = amount(usage, "completion_tokens"), record.time_to_first_token
    seconds = record.duration - (first or 0.0)
    return {
        "model": record.model,
        "streaming": record.streaming,
        "status": record.status,
        "finish_reason": record.finish_reason,
        "error_type": record.error_type,
        "error_code": record.error_code,
        "ignored": record.ignored,
        "first_byte": record.time_to_first_byte,
        "first_token": first,
        "duration": record.duration,
        "prompt_tokens": amount(usage, "prompt_tokens"),
        "cached_tokens": amount(usage, "prompt_tokens_details", "cached_tokens"),
        "completion_tokens": written,
        "reasoning_tokens": amount(usage, "completion_tokens_details", "reasoning_tokens"),
        "credits": amount(usage, "credits_consumed"),
        "tokens_per_second": written / seconds if written and seconds > 0 else None,
    }


def tapped(inner: ASGIApp) -> ASGIApp:
    """Wrap the inner app, so that a run shows what it sends."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        run = current.get()
        if run is None or scope["type"] != "http":
            await inner(scope, receive, send)
        else:
            await run.call(inner, scope, receive, send)

    return call
