"""One request and its reply: what the inner app receives and sends, and what of it the client gets.

The inner app runs in the task that the server started, so that its context variables, its tracebacks and the
server's cancellation stay its own. A child task waits for the client to leave. There is no queue: the server's `send`
is awaited inside the inner app's, so a slow client slows the inner app.
"""

import logging
import math
import time
from typing import Any, Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.bounds import Limits
from chatcompat.chunks import says_something
from chatcompat.collect import CompletionCollector
from chatcompat.errors import ERROR_TYPES, InvalidReply, status_of, to_chat_error, to_error_body, to_native_error
from chatcompat.events import incomplete_stream, too_large_reply
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
from chatcompat.keeper import Keeper
from chatcompat.record import MAX_NAME, ExchangeRecord, bounded, to_usage, told_by
from chatcompat.respond import respond
from chatcompat.stream import PING, ChunkStream
from chatcompat.translation import Translation
from chatcompat.turns import thinking_in

_logger: Final = logging.getLogger(__name__)
EVENT_STREAM: Final = b"text/event-stream"
_NOT_WHOLE: Final = "The messages service ended without a whole reply."
_MIN_STATUS, _MAX_STATUS = 200, 599  # of a whole reply (RFC 9110, section 15)


class Exchange:
    """Stands between the server and the inner app for one translated request."""

    def __init__(
        self, translation: Translation, receive: Receive, send: Send, limits: Limits, keeper: Keeper | None
    ) -> None:
        self._translation = translation
        self._receive = receive
        self._send = send
        self._limits = limits
        self._keeper = keeper
        self._guard = new_guard()
        self._body_given = False
        self._is_over = False  # the reply is complete, or nobody is there to read it
        self._over: anyio.Event | None = None  # what the inner app waits for, if it does
        self._begun = False  # the client has got the start of its reply
        self._complete = False
        self._left = False  # the client, before its reply was whole
        self._stopped = False  # by the server
        self._status = 0  # of the inner reply; 0: it has not begun
        self._headers: Headers = []
        self._fields: Fields = {}
        self._stream: ChunkStream | None = None
        self._collector: CompletionCollector | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._has_begun = False  # a collected reply; blanks and pings before it are no sign of life
        self._in_parts = False  # the inner app is called more than once, and `hear` counts the bytes
        self.spent: dict[str, Any] | None = None  # chat usage of the parts that ended, while there is no other
        self._sending = False
        self._sent_at = 0.0  # when the client took something last
        self._heard_at = 0.0  # when the inner app sent something last
        self._patience = limits.idle_timeout
        self._beating: anyio.Event | None = None
        self._sent_status: int | None = None  # what the client got,
        self._first_byte_at: float | None = None  # when,
        self._first_token_at: float | None = None  # when the first piece of a streamed one,
        self._told: bytes | None = None  # and the body, if it was one in one piece

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the inner app and see its reply through; its own exception is raised again unchanged."""
        failure: Exception | None = None
        given_up = True  # what else ends the app's task is the end of its time
        try:
            async with self._guard as guard:
                guard.allow(self._limits.first_byte_timeout)
                guard.start(self._watch)
                try:
                    await app(scope, self.receive, self.send)
                except Exception as error:  # noqa: BLE001 - raised below, where no task group wraps it
                    failure = error
                given_up = guard.cancelled  # and it made something else of that
            if not self._complete and not self._is_over:
                await self._end(failure, given_up=given_up)
        except BaseException as error:
            self._stopped = not isinstance(error, Exception)
            if failure is None or self._stopped:
                raise
        if failure is not None:
            raise failure

    def record(self, began: float) -> ExchangeRecord:
        """How the exchange ended; `began` is when it did, as `time.monotonic` tells."""
        told = told_by(self._told, self._stream if self._begun else None)
        is_whole = self._complete and not self._sending and not self._left
        cut_off = "cancelled" if self._stopped and not self._left else "client_disconnected"
        return ExchangeRecord(
            model=self._translation.model[:MAX_NAME],
            streaming=self._translation.streaming,
            status=self._sent_status,
            finish_reason=told.finish_reason if is_whole else None,
            usage=to_usage(told.usage) if told.finish_reason or self.spent is None else self.spent,
            ignored=bounded(self._translation.ignored),
            time_to_first_byte=None if self._first_byte_at is None else self._first_byte_at - began,
            duration=time.monotonic() - began,
            error_type=told.error_type if is_whole else cut_off,
            response_id=told.id,
            response_model=told.model,
            time_to_first_token=None if self._first_token_at is None else self._first_token_at - began,
        )

    # ------------------------------------------------------------ the inner app's side

    async def receive(self) -> Message:
        """The translated request once; then, when it is so, that the client is gone."""
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": self._translation.body, "more_body": False}
        if not self._is_over:
            self._over = self._over or anyio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    def _end_waiting(self) -> None:
        self._is_over = True
        if self._over is not None:
            self._over.set()

    def _lose_client(self) -> None:
        self._left = True
        self._end_waiting()

    async def send(self, message: Message) -> None:
        """Take a message of the inner app's reply."""
        kind = message["type"]
        if kind == "http.response.body":
            if self._complete:
                return  # the rest of a reply that has been answered is of no account
            piece, more_body = bytes(message.get("body", b"")), message.get("more_body", False)
            stream = self._stream
            if stream is None:
                await self._collect(piece, more_body)
                return
            out = stream.feed(piece)
            if self._first_token_at and more_body and out and not stream.ended and self._beating is None:
                # Nearly all pieces. Sent from here, since every call between costs as much as the translation.
                self._sending = True
                try:
                    await self._send({"type": "http.response.body", "body": out, "more_body": True})
                except Exception:
                    self._lose_client()
                    raise
                self._sending = False
                self._sent_at = self._heard_at = time.monotonic()
            else:
                await self._forward(stream, out, more_body)
        elif kind == "http.response.start":
            await self._take_start(message)
        elif kind != "http.response.trailers":  # trailers would belong to the bytes that are not sent
            await self._give(message)

    async def _take_start(self, message: Message) -> None:
        """Choose how the body is read, by what it is and not by what was asked for; a second start says nothing."""
        if self._status or self._complete:
            return
        status, headers = message["status"], lowered(message.get("headers", ()))
        is_status = isinstance(status, int) and _MIN_STATUS <= status <= _MAX_STATUS
        if not is_status or size_of(headers) > self._limits.max_header_bytes:
            what = "headers that are too large" if is_status else "a status that is none of a reply"
            error = InvalidReply(f"The messages service sent {what}.")
            await self._reply(error.status, error.body)
            return
        self._status = int(status)
        self._headers, self._fields = headers, to_fields(headers)
        if self._status != 200 or is_encoded(self._fields):  # noqa: PLR2004
            return
        if media_type(self._fields) == EVENT_STREAM:
            bound = self._limits.max_event_bytes
            if self._translation.streaming:
                held = self._limits.max_reply_bytes
                self._stream = self._translation.stream(max_event_bytes=bound, max_held_bytes=held)
            else:
                self._collector = self._translation.collector(max_event_bytes=bound)

    async def _collect(self, piece: bytes, more_body: bool) -> None:
        """Take a piece of a reply that is answered when it is whole."""
        self._size += 0 if self._in_parts else len(piece)
        try:
            if not self._status:
                raise InvalidReply("The messages service sent a body before its start.")  # noqa: TRY301
            if self._size > self._limits.max_reply_bytes:
                raise too_large_reply()
            if self._collector is not None:
                self._collector.feed(piece)
                self._has_begun = self._collector.started
            else:
                self._pieces.append(piece)
                self._has_begun = self._has_begun or bool(piece.strip())
            if self._has_begun:
                self._guard.allow(self._limits.idle_timeout)
            if not more_body or (self._collector is not None and self._collector.ended):
                await self._reply_whole()
        except InvalidReply as error:
            native = to_native_error(b"".join(self._pieces))
            if native.type in ERROR_TYPES:  # an error that was sent as if it were a reply
                status = status_of(native)
                await self._reply(status, to_chat_error(native, status))
            else:
                await self._reply(error.status, error.body)

    # ------------------------------------------------------------ an inner app that is called more than once

    @property
    def is_over(self) -> bool:
        """Whether the client left or has its whole reply: nobody waits for what another call would give."""
        return self._is_over or self._complete

    def expect_part(self) -> None:
        """The inner app is called: it has as long to begin this part as it had for the first."""
        self._in_parts = True
        self._wait(self._limits.first_byte_timeout)

    async def hear(self, piece: bytes) -> None:
        """The inner app sent a piece of a part, whether or not it is passed on now."""
        reader = self._stream or self._collector
        if piece and (piece.strip() if reader is None else reader.started):
            self._wait(self._limits.idle_timeout)
        self._size += len(piece)
        if self._size > self._limits.max_reply_bytes and self._stream is None and not self._complete:
            await self.fail(too_large_reply())

    def _wait(self, seconds: float) -> None:
        """From now on the inner app may be silent for so long."""
        self._patience, self._heard_at = seconds, time.monotonic()
        if not (self._begun or self._complete):
            self._guard.allow(seconds)

    async def fail(self, error: InvalidReply) -> None:
        """End the reply with an error: an error frame in a stream that has begun, or else an error reply."""
        if self._begun and self._stream is not None:
            await self._send_body(self._stream.fail(error), more_body=False)
        else:
            await self._reply(error.status, error.body)

    # ------------------------------------------------------------ the client's side

    async def _forward(self, stream: ChunkStream, out: bytes, more_body: bool) -> None:
        """Send what a piece of a stream has become; the start waits for the first chunk."""
        if not more_body:
            out += stream.close()
        if not self._begun:
            if stream.error is not None and not stream.started:
                await self._reply(stream.error.status, stream.error.body)
                return
            if not out:  # the message has not begun, and pings are no sign of it
                return
            await self._begin_stream()
        if stream.ended:
            await self._finish(out, stream)
        elif out:
            await self._send_body(out, more_body=True)
        else:
            self._heard_at = time.monotonic()

    async def _reply_whole(self) -> None:
        """Answer with what the collected body becomes; raises `InvalidReply`."""
        translation, body = self._translation, b"".join(self._pieces)
        if self._collector is not None:
            if (error := self._collector.error) is not None:
                await self._reply(error.status, error.body)
            else:
                await self._finish(self._collector.close())
        elif self._status >= 400:  # noqa: PLR2004
            readable = b"" if is_encoded(self._fields) else body
            await self._reply(self._status, translation.error(self._status, readable))
        elif self._status == 304 and translation.may_be_unchanged:  # noqa: PLR2004
            await self._reply(304, b"")
        elif self._status != 200 or not is_json(media_type(self._fields)):  # noqa: PLR2004
            raise InvalidReply("The messages service sent a reply that is neither JSON nor an event stream.")
        elif is_encoded(self._fields):
            raise InvalidReply("The messages service sent a compressed reply, which was not asked for.")
        elif translation.streaming:
            chunks, self._stream = translation.stream_reply(body)
            if self._stream.error is not None:
                await self._reply(self._stream.error.status, self._stream.error.body)
            else:
                await self._finish(chunks, self._stream)
        else:
            await self._finish(translation.reply(body))

    async def _finish(self, body: bytes, stream: ChunkStream | None = None) -> None:
        """Send a completion, or the last of a stream, when its thinking is kept: then the client can call back."""
        if stream is not None and not self._begun:
            await self._begin_stream()
        try:
            if self._keeper is not None and (turn := stream.thinking if stream else thinking_in(body)):
                self._guard.allow(math.inf)  # the inner app has said all: its time is over
                self._heard_at = math.inf
                await self._keeper.keep(turn)
        finally:  # whatever the store does, the reply is whole
            await (self._reply(200, body) if stream is None else self._send_body(body, more_body=False))

    async def _end(self, failure: Exception | None, *, given_up: bool) -> None:
        """The inner app is done, and its reply is not: say so, in whatever way is still open."""
        if given_up:
            await self.fail(InvalidReply("The messages service was silent for too long.", code="timeout", status=504))
        elif self._begun:
            await self.fail(incomplete_stream())
        elif failure is None or isinstance(failure, InvalidReply):  # some inner apps say what their reply lacks
            await self.fail(failure or InvalidReply(_NOT_WHOLE))
        else:
            await self._reply(500, to_error_body("The messages service failed.", "server_error"))

    async def _reply(self, status: int, body: bytes) -> None:
        self._guard.allow(math.inf)
        self._complete, self._told = True, body
        await respond(self._give, status, body, self._client_headers())
        self._end_waiting()

    async def _begin_stream(self) -> None:
        self._begun, self._patience = True, self._limits.idle_timeout
        self._guard.allow(math.inf)  # from here on `_keep_alive` looks at the clock
        headers = self._client_headers()
        names = {name for name, _ in headers}
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-cache"))
        if b"x-accel-buffering" not in names:
            headers.append((b"x-accel-buffering", b"no"))
        headers.append((b"content-type", b"text/event-stream; charset=utf-8"))
        await self._give({"type": "http.response.start", "status": 200, "headers": headers})
        self._sent_at = self._heard_at = time.monotonic()
        self._guard.start(self._keep_alive)

    def _client_headers(self) -> Headers:
        return to_client_headers(self._headers, self._fields, self._translation.ignored, time.time())

    async def _give(self, message: Message) -> None:
        """Send a message to the client; what the server raises says that nobody takes it."""
        self._sending = True
        try:
            await self._send(message)
        except Exception:
            self._lose_client()
            raise
        self._sending = False
        if "status" in message and not self._left:
            self._sent_status, self._first_byte_at = message["status"], time.monotonic()

    async def _send_body(self, body: bytes, *, more_body: bool) -> None:
        if self._first_token_at is None and says_something(body):
            self._first_token_at = time.monotonic()
        self._complete = not more_body
        if self._beating is not None:
            await self._beating.wait()
        await self._give({"type": "http.response.body", "body": body, "more_body": more_body})
        if more_body:
            self._sent_at = self._heard_at = time.monotonic()
        else:
            self._end_waiting()

    # ------------------------------------------------------------ beside the inner app

    async def _watch(self) -> None:
        """Tell the inner app when the client leaves, and stop it if it does not stop by itself."""
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except Exception as error:  # noqa: BLE001 - how Ray Serve says it; whatever failed, nobody is there any more
            _logger.debug("taken for a client that left: %s", type(error).__name__)
        if self._complete:  # work that goes on behind a complete reply is the inner app's own
            self._end_waiting()
        else:
            self._lose_client()
            await anyio.sleep(self._limits.disconnect_grace)
            self._guard.cancel()

    async def _keep_alive(self) -> None:
        """Send a comment whenever nothing was sent for a while, so that no proxy closes the connection.

        An inner app that says nothing for too long is given up. A slow client is no silence.
        """
        interval = self._limits.keep_alive
        # The patience may change meanwhile: a later part has a time to begin, and then one between its pieces.
        shortest = min(self._limits.first_byte_timeout, self._limits.idle_timeout)
        while not self._complete:
            now = time.monotonic()
            beat_in = interval if self._sending else self._sent_at + interval - now
            left = self._patience if self._sending else self._heard_at + self._patience - now
            if left <= 0:
                self._guard.cancel()
                return
            if beat_in > 0:
                await anyio.sleep(min(beat_in, left, shortest))
            else:
                await self._beat()

    async def _beat(self) -> None:
        self._beating, began = anyio.Event(), time.monotonic()
        try:
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
        except OSError:  # the client left; the server tells the watcher too
            self._lose_client()
        finally:
            self._beating.set()
            self._beating = None
        self._sent_at = time.monotonic()
        self._heard_at += self._sent_at - began  # the client took that long, and the inner app may wait behind it
