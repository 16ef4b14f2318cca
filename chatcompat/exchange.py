"""One request and its reply: what the inner app receives and sends, and what of it the client gets.

The inner app runs in the task that the server started, so that its context variables, its tracebacks and the
server's cancellation stay its own. A child task waits for the client to leave. There is no queue: the server's `send`
is awaited inside the inner app's, so a slow client slows the inner app.
"""

import logging
import math
import time
from enum import Enum
from typing import Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.bounds import Limits
from chatcompat.collect import CompletionCollector
from chatcompat.errors import (
    ERROR_TYPES,
    ErrorReply,
    InvalidReply,
    status_of,
    to_chat_error,
    to_error_reply,
    to_native_error,
)
from chatcompat.guard import new_guard
from chatcompat.headers import (
    Fields,
    Headers,
    is_encoded,
    is_json,
    lowered,
    media_type,
    size_of,
    to_client_headers,
    to_fields,
)
from chatcompat.keep_alive import KeepAlive
from chatcompat.keeper import Keeper
from chatcompat.record import ExchangeRecord
from chatcompat.respond import respond
from chatcompat.served import Served
from chatcompat.stream import ChunkStream
from chatcompat.summary import ReplySummary

_logger: Final = logging.getLogger(__name__)
EVENT_STREAM: Final = b"text/event-stream"
_NOT_WHOLE: Final = "The messages service ended without a whole reply."


class Phase(Enum):
    """How far the client's reply is."""

    WAITING = "nothing was sent"
    STREAMING = "the start of a stream was sent"
    DONE = "the whole reply was sent, or its last piece is on its way"


class Exchange:
    """Stands between the server and the inner app for one translated request.

    Its phase only goes forward: from WAITING to STREAMING with the first chunk (`_begin_stream`) and to DONE with the
    last (`_send_body`); or from WAITING to DONE at once, with a reply or an error in one piece (`_reply`). What the
    inner app sends in DONE is dropped. A client that leaves ends the exchange in the phase that it is in.
    """

    def __init__(self, served: Served, receive: Receive, send: Send, limits: Limits, keeper: Keeper | None) -> None:
        self._served = served
        self._receive = receive
        self._send = send
        self._limits = limits
        self._keeper = keeper
        self._guard = new_guard()
        self._body_given = False
        self._is_over = False  # the reply is complete, or nobody is there to read it
        self._over: anyio.Event | None = None  # what the inner app waits for, if it does
        self._phase = Phase.WAITING
        self._status = 0  # of the inner reply; 0: it has not begun
        self._headers: Headers = []
        self._fields: Fields = {}
        self._stream: ChunkStream | None = None
        self._collector: CompletionCollector | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._keep_alive = KeepAlive(send, self._guard, limits)
        self._sent_status: int | None = None  # what the client got,
        self._first_byte_at: float | None = None  # when,
        self._first_token_at: float | None = None  # when the first piece of a streamed one,
        self._summary = ReplySummary()  # and what it was

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the inner app and see its reply through; its own exception is raised again unchanged."""
        failure: Exception | None = None
        given_up = True  # what else ends the app's task is the end of its time
        async with self._guard as guard:
            guard.allow(self._limits.first_byte_timeout)
            guard.start(self._watch)
            try:
                await app(scope, self.receive, self.send)
            except Exception as error:  # noqa: BLE001 - raised below, where no task group wraps it
                failure = error
            given_up = False
        try:
            if self._phase is not Phase.DONE and not self._is_over:
                await self._end(failure, given_up=given_up)
        finally:
            if failure is not None:
                raise failure

    def record(self, began: float) -> ExchangeRecord:
        """How the exchange ended; `began` is when it did, as `time.monotonic` tells."""
        summary = self._summary
        return ExchangeRecord(
            model=self._served.model,
            streaming=self._served.streaming,
            status=self._sent_status,
            finish_reason=summary.finish_reason or None,
            usage=summary.usage,
            ignored=self._served.ignored,
            time_to_first_byte=None if self._first_byte_at is None else self._first_byte_at - began,
            duration=time.monotonic() - began,
            error_type=summary.error_type or (None if self._phase is Phase.DONE else "client_disconnected"),
            response_id=summary.id or None,
            response_model=summary.model or None,
            time_to_first_token=None if self._first_token_at is None else self._first_token_at - began,
        )

    # ------------------------------------------------------------ the inner app's side

    async def receive(self) -> Message:
        """The translated request once; then, when it is so, that the client is gone."""
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": self._served.body, "more_body": False}
        if not self._is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    def _end_waiting(self) -> None:
        self._is_over = True
        if self._over is not None:
            self._over.set()

    async def send(self, message: Message) -> None:
        """Take a message of the inner app's reply."""
        kind = message["type"]
        if kind == "http.response.body":
            piece, more_body = bytes(message.get("body", b"")), message.get("more_body", False)
            stream = self._stream
            if stream is None:
                await self._collect(piece, more_body)
                return
            if stream.ended:
                return  # the rest of a reply that is whole is of no account
            out = stream.feed(piece)
            alive = self._keep_alive
            if self._first_token_at and more_body and out and not stream.ended and alive.beat is None:
                # Nearly all pieces. Sent from here, since every call between costs as much as the translation.
                alive.sending = True
                await self._send({"type": "http.response.body", "body": out, "more_body": True})
                alive.sending = False
                alive.sent_at = alive.heard_at = time.monotonic()
            else:
                await self._forward(stream, out, more_body)
        elif kind == "http.response.start":
            await self._take_start(message)
        elif kind != "http.response.trailers":  # trailers would belong to the bytes that are not sent
            await self._send(message)

    async def _take_start(self, message: Message) -> None:
        """Choose how the body is read, by what it is and not by what was asked for; a second start says nothing."""
        if self._status or self._phase is Phase.DONE:
            return
        self._guard.allow(self._limits.idle_timeout)
        self._status = message["status"]
        headers = lowered(message.get("headers", ()))
        if size_of(headers) > self._limits.max_header_bytes:
            error = InvalidReply("The messages service sent headers that are too large.")
            await self._reply_error(error.reply)
            return
        self._headers, self._fields = headers, to_fields(headers)
        if self._status != 200 or is_encoded(self._fields):  # noqa: PLR2004
            return
        if media_type(self._fields) == EVENT_STREAM:
            reader = self._served.event_reader(max_event_bytes=self._limits.max_event_bytes)
            if isinstance(reader, ChunkStream):
                self._stream = reader
            else:
                self._collector = reader

    async def _collect(self, piece: bytes, more_body: bool) -> None:
        """Take a piece of a reply that is answered when it is whole; what comes behind an answer is dropped."""
        if self._phase is Phase.DONE:
            return
        self._guard.allow(self._limits.idle_timeout)
        self._size += len(piece)
        try:
            if not self._status:
                raise InvalidReply("The messages service sent a body before its start.")  # noqa: TRY301
            if self._size > self._limits.max_reply_bytes:
                raise InvalidReply("The messages service sent a reply that is too large.")  # noqa: TRY301
            if self._collector is not None:
                self._collector.feed(piece)
            else:
                self._pieces.append(piece)
            if not more_body or (self._collector is not None and self._collector.ended):
                await self._reply_whole()
        except InvalidReply as error:
            native = to_native_error(b"".join(self._pieces))
            if native.type in ERROR_TYPES:  # an error that was sent as if it were a reply
                await self._reply_error(to_chat_error(native, status_of(native)))
            else:
                await self._reply_error(error.reply)

    # ------------------------------------------------------------ the client's side

    async def _forward(self, stream: ChunkStream, out: bytes, more_body: bool) -> None:
        """Send what a piece of a stream has become; the start waits for the first chunk."""
        if not more_body:
            out += stream.close()
        if self._phase is Phase.WAITING:
            if stream.error is not None and not stream.started:
                await self._reply_error(stream.error)
                return
            if not out:
                self._guard.allow(self._limits.idle_timeout)
                return
            await self._begin_stream(stream)
        if stream.ended:
            await self._keep(stream.summary)
        if out or stream.ended:
            await self._send_body(stream, out)
        else:
            self._keep_alive.heard_at = time.monotonic()

    async def _reply_whole(self) -> None:
        """Answer with what the collected body becomes; raises `InvalidReply`."""
        served, body = self._served, b"".join(self._pieces)
        if self._collector is not None:
            completion = self._collector.close()
            if self._collector.error is not None:
                await self._reply_error(self._collector.error)
            else:
                await self._reply_completion(completion, self._collector.summary)
        elif self._status >= 400:  # noqa: PLR2004
            readable = b"" if is_encoded(self._fields) else body
            await self._reply_error(served.error_reply(self._status, readable))
        elif self._status != 200 or not is_json(media_type(self._fields)):  # noqa: PLR2004
            raise InvalidReply("The messages service sent a reply that is neither JSON nor an event stream.")
        elif is_encoded(self._fields):
            raise InvalidReply("The messages service sent a compressed reply, which was not asked for.")
        elif served.streaming:
            stream = served.event_reader(max_event_bytes=self._limits.max_event_bytes)
            assert isinstance(stream, ChunkStream)  # noqa: S101 - the client asked for one
            chunks = stream.replay(body)
            if stream.error is not None:
                await self._reply_error(stream.error)
            else:
                await self._keep(stream.summary)
                await self._begin_stream(stream)
                await self._send_body(stream, chunks)
        else:
            await self._reply_completion(*served.whole_reply(body))

    async def _keep(self, summary: ReplySummary) -> None:
        """Keep thinking before the client can call back with the results."""
        if self._keeper is not None and (thinking := summary.thinking) is not None:
            await self._keeper.keep(*thinking)

    async def _end(self, failure: Exception | None, *, given_up: bool) -> None:
        """The inner app is done, and its reply is not: say so, in whatever way is still open."""
        if given_up:
            error = InvalidReply("The messages service was silent for too long.", code="timeout", status=504)
        else:  # some inner apps say themselves what their reply lacks
            error = failure if isinstance(failure, InvalidReply) else InvalidReply(_NOT_WHOLE)
        if self._phase is Phase.STREAMING and self._stream is not None:
            out = self._stream.fail(error) if given_up else self._stream.close()
            await self._send_body(self._stream, out)
        elif failure is not None and failure is not error:
            await self._reply_error(to_error_reply(500, "The messages service failed.", "server_error"))
        else:
            await self._reply_error(error.reply)

    async def _reply_completion(self, completion: bytes, summary: ReplySummary) -> None:
        await self._keep(summary)
        await self._reply(200, completion, summary)

    async def _reply_error(self, error: ErrorReply) -> None:
        await self._reply(error.status, error.body, ReplySummary(error_type=error.type))

    async def _reply(self, status: int, body: bytes, summary: ReplySummary) -> None:
        self._guard.allow(math.inf)
        self._phase = Phase.DONE
        self._sent_status, self._first_byte_at, self._summary = status, time.monotonic(), summary
        headers = to_client_headers(self._headers, self._served.ignored, time.time())
        await respond(self._send, status, body, headers)
        self._end_waiting()

    async def _begin_stream(self, stream: ChunkStream) -> None:
        self._phase = Phase.STREAMING
        self._stream, self._summary = stream, stream.summary
        self._guard.allow(math.inf)  # from here on the keep-alive looks at the clock
        self._sent_status, self._first_byte_at = 200, time.monotonic()
        headers = to_client_headers(self._headers, self._served.ignored, time.time())
        names = {name for name, _ in headers}
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-cache"))
        if b"x-accel-buffering" not in names:
            headers.append((b"x-accel-buffering", b"no"))
        headers.append((b"content-type", b"text/event-stream; charset=utf-8"))
        await self._keep_alive.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._guard.start(lambda: self._keep_alive.run(self._end_waiting))

    async def _send_body(self, stream: ChunkStream, body: bytes) -> None:
        if self._first_token_at is None and stream.has_content:
            self._first_token_at = time.monotonic()
        if stream.ended:
            self._phase = Phase.DONE
        await self._keep_alive.send({"type": "http.response.body", "body": body, "more_body": not stream.ended})
        if stream.ended:
            self._end_waiting()

    # ------------------------------------------------------------ beside the inner app

    async def _watch(self) -> None:
        """Tell the inner app when the client leaves, and stop it if it does not stop by itself."""
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except Exception as error:  # noqa: BLE001 - how Ray Serve says it; whatever failed, nobody is there any more
            _logger.debug("taken for a client that left: %s", type(error).__name__)
        self._end_waiting()
        if self._phase is not Phase.DONE:  # work that goes on behind a complete reply is the inner app's own
            await anyio.sleep(self._limits.disconnect_grace)
            self._guard.cancel()
