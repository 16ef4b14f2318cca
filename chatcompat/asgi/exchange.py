"""One request and its reply: what the inner app receives and sends, and what the client gets.

The inner app runs in the server's own task. Context variables, tracebacks and cancellation work as without the
middleware. A child task waits for the client to leave. There is no queue: the inner app's `send` awaits the server's
`send`, so a slow client slows the inner app.
"""

import math
import time
from typing import Any, Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.answer import Answer, to_answer
from chatcompat.asgi.client import Client
from chatcompat.asgi.headers import HeaderMap, Headers, lowered, size_of, to_client_headers, to_header_map
from chatcompat.asgi.http import SERVER_SHUTDOWN, server_shutdown, to_response, wait_for_disconnect
from chatcompat.asgi.keep_alive import KeepAlive
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.outcome import MAX_NAME, bounded, to_error_fields, warn_of_invalid_reply
from chatcompat.asgi.phase import DONE, STREAMING, WAITING, Phase
from chatcompat.asgi.served_request import ServedRequest
from chatcompat.asgi.task_scope import call_within, new_task_scope
from chatcompat.asgi.thinking import ThinkingCache
from chatcompat.asgi.whole_reply import WholeReply, to_reader
from chatcompat.errors import InvalidReply, to_error_reply
from chatcompat.record import ExchangeRecord
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.turn_keys import Turn
from chatcompat.wire.invalid_reply import incomplete_reply, incomplete_stream, silent_for_too_long, too_large_reply

_NO_SUMMARY: Final = ReplySummary()
_MIN_STATUS, _MAX_STATUS = 200, 599  # of a final response (RFC 9110, section 15)


class Exchange:
    """Stands between the server and the inner app for one translated request.

    The phase only moves forward. A stream goes from WAITING to STREAMING with its first chunk (`_begin_stream`), and
    to DONE with its last (`_send_body`). A whole reply or an error goes from WAITING to DONE at once (`_reply`). In
    DONE, messages of the inner app are dropped. When the client leaves, the exchange ends in its current phase.
    """

    def __init__(
        self, served: ServedRequest, receive: Receive, send: Send, limits: Limits, thinking_cache: ThinkingCache | None
    ) -> None:
        self._served = served
        self._receive = receive
        self._send = send
        self._limits = limits
        self._thinking_cache = thinking_cache
        self._task_scope = new_task_scope()
        self._client = Client(send)
        self._keep_alive: KeepAlive  # of a stream, once it has begun
        self._phase: Phase = WAITING
        self._body_sent = False
        self._status = 0  # of the inner reply; 0 before it starts
        self._headers: Headers = []
        self._fields: HeaderMap = {}
        self._stream: ChunkStream | None = None  # reads the body piece by piece,
        self._live: ChunkStream | None = None  # the same, between its first content and its end
        self._whole: WholeReply | None = None  # or this collects it
        self._size = 0
        self._in_parts = False  # whether the inner app is called more than once; then `hear` counts the bytes
        self.spent: dict[str, Any] | None = None  # chat usage of the completed parts, until the reply has its own
        self._stopped = False  # whether the server cancelled the exchange
        self._first_token_at: float | None = None  # when a stream's first content was sent
        self._summary = _NO_SUMMARY

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Call the inner app and complete its reply. The inner app's own exception is raised again unchanged."""
        failure: BaseException | None = None
        try:
            await self._task_scope.__aenter__()  # `call_within` leaves it
            self._task_scope.set_timeout(self._limits.first_byte_timeout)
            self._task_scope.start(self._watch)
            failure, timed_out = await call_within(self._task_scope, app, scope, self.receive, self.send)
            if not self.is_over:
                await self._end(failure, timed_out=timed_out)
        except BaseException as error:
            self._stopped = not isinstance(error, Exception)
            if failure is None or self._stopped:
                raise
        finally:
            if self._summary.error is not None:
                warn_of_invalid_reply(self._summary.error, self._served.model)
        if failure is not None:
            raise failure

    def record(self, began: float) -> ExchangeRecord:
        """How the exchange ended. `began` is its start, by `time.monotonic()`."""
        served, summary, client = self._served, self._summary, self._client
        is_whole = self._phase is DONE and not client.sending and not client.left
        return ExchangeRecord(
            model=served.model[:MAX_NAME],
            streaming=served.streaming,
            status=client.status,
            finish_reason=(summary.finish_reason or None) if is_whole else None,
            usage=summary.usage if summary.finish_reason or self.spent is None else self.spent,
            ignored=bounded(served.ignored),
            time_to_first_byte=None if client.first_byte_at is None else client.first_byte_at - began,
            duration=time.monotonic() - began,
            **to_error_fields(summary, client, is_whole=is_whole, stopped=self._stopped),
            response_id=summary.id or None,
            response_model=summary.model or None,
            time_to_first_token=None if self._first_token_at is None else self._first_token_at - began,
            operation=served.operation,
        )

    # ------------------------------------------------------------ the inner app's side

    async def receive(self) -> Message:
        """Return the translated request once, then `http.disconnect` when the client is gone."""
        if not self._body_sent:
            self._body_sent = True
            return {"type": "http.request", "body": self._served.body, "more_body": False}
        await self._client.wait_for_end()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Handle a message of the inner app's reply."""
        kind, live = message["type"], self._live
        if live is not None and kind == "http.response.body" and message.get("more_body"):
            # The hot path, without the calls below: each costs as much as the translation.
            piece = message.get("body", b"")
            out = live.feed(piece if type(piece) is bytes else bytes(piece))
            alive = self._keep_alive
            if live.ended or alive.beat is not None:
                await self._forward(live, out, more_body=True)
            elif out:
                client = self._client
                client.sending = True
                try:
                    await self._send({"type": "http.response.body", "body": out, "more_body": True})
                except Exception:
                    client.leave()
                    raise
                client.sending = False
                alive.sent_at = alive.heard_at = time.monotonic()
            else:
                alive.heard_at = time.monotonic()
        elif kind == "http.response.body":
            piece, more_body = bytes(message.get("body", b"")), bool(message.get("more_body", False))
            stream = self._stream
            if stream is None:
                if (answer := self._collect(piece, more_body)) is not None:
                    await self._answer(answer)
            elif not stream.ended:  # anything behind the reply is dropped
                await self._forward(stream, stream.feed(piece), more_body)
        elif kind == "http.response.start":
            if (refusal := self._take_start(message)) is not None:
                await self._answer(refusal)
        elif kind != "http.response.trailers":  # trailers describe the original body
            await self._client.send(message)

    def _take_start(self, message: Message) -> Answer | None:
        """Choose how to read the body, by its actual type. A second start is dropped, an invalid one answered."""
        if self._status or self._phase is DONE:
            return None
        status, headers = message["status"], lowered(message.get("headers", ()))
        is_status = isinstance(status, int) and _MIN_STATUS <= status <= _MAX_STATUS
        if not is_status or size_of(headers) > self._limits.max_header_bytes:
            problem = "headers that are too large" if is_status else "an invalid status"
            return to_answer(InvalidReply(f"The messages service sent {problem}.").reply)
        self._status = int(status)
        self._headers, self._fields = headers, to_header_map(headers)
        reader = to_reader(self._served, self._limits, self._status, self._fields)
        if isinstance(reader, WholeReply):
            self._whole = reader
        else:
            self._stream = reader
        return None

    def _collect(self, piece: bytes, more_body: bool) -> Answer | None:
        """Collect a piece of a reply that is sent when it is complete, and return that. Later pieces are dropped."""
        if self._phase is DONE:
            return None
        whole = self._whole
        if whole is None:
            return to_answer(InvalidReply("The messages service sent a body before its start.").reply)
        self._size += 0 if self._in_parts else len(piece)
        if self._size > self._limits.max_reply_bytes:
            return whole.refuse(too_large_reply())
        is_heard = self._in_parts and whole.started  # then `hear` has set the timeout
        answer = whole.feed(piece, more_body)
        if answer is None and whole.started and not is_heard:
            self._task_scope.set_timeout(self._limits.idle_timeout)
        return answer

    # ------------------------------------------------------------ several calls of the inner app

    @property
    def is_over(self) -> bool:
        """Whether the client left or has its complete reply, so that another call is pointless."""
        return self._client.is_over or self._phase is DONE

    def expect_part(self) -> None:
        """Restart `first_byte_timeout` for the next call of the inner app."""
        self._in_parts = True
        if self._phase is STREAMING:
            self._keep_alive.wait(self._limits.first_byte_timeout)
        else:
            self._task_scope.set_timeout(self._limits.first_byte_timeout)

    def hear(self, piece: bytes | bytearray | memoryview) -> bool:
        """Count a piece that the inner app sent, even if it is held back. Returns whether the reply is too large."""
        if self._phase is not WAITING:
            if piece and self._phase is STREAMING:
                self._keep_alive.wait(self._limits.idle_timeout)
            return False
        reader = self._stream or (None if self._whole is None else self._whole.collector)
        if piece and (bytes(piece).strip() if reader is None else reader.started):
            self._task_scope.set_timeout(self._limits.idle_timeout)
        self._size += len(piece)
        return self._size > self._limits.max_reply_bytes and self._stream is None

    async def fail(self, error: InvalidReply) -> None:
        """End the reply with an error: an error frame once the stream has begun, an error reply before."""
        if self._phase is STREAMING and self._stream is not None:
            await self._send_body(self._stream, self._stream.fail(error))
        else:
            await self._answer(to_answer(error.reply))

    # ------------------------------------------------------------ the client's side

    async def _forward(self, stream: ChunkStream, out: bytes, more_body: bool) -> None:
        """Send the chunks of a piece of a stream. The start waits for the first chunk."""
        if not more_body:
            out += stream.close()
        if self._phase is WAITING:
            if stream.error is not None and not stream.started:
                await self._answer(to_answer(stream.error))
                return
            if not out:  # only pings so far
                return
            await self._begin_stream(stream)
        if stream.ended:
            await self._finish(Answer(200, out, stream.summary, stream))
        elif out:
            await self._send_body(stream, out)
        else:
            self._keep_alive.heard_at = time.monotonic()

    async def _answer(self, answer: Answer) -> None:
        """Send a complete reply."""
        if answer.stream is not None:
            await self._begin_stream(answer.stream)
        if answer.stream is None and answer.summary.said is None:  # nothing to keep
            await self._reply(answer)
        else:
            await self._finish(answer)

    async def _finish(self, answer: Answer) -> None:
        """Keep the thinking, then send the reply or the end of the stream.

        In this order, since the client may send its next request at once.
        """
        try:
            if self._thinking_cache is not None and (turn := answer.summary.thinking) is not None:
                await self._keep(self._thinking_cache, turn)
        except BaseException:  # a failing store must not cost the reply
            await self._send_end(answer)
            raise
        await self._send_end(answer)

    async def _send_end(self, answer: Answer) -> None:
        if answer.stream is None:
            await self._reply(answer)
        else:
            await self._send_body(answer.stream, answer.body)

    async def _keep(self, thinking_cache: ThinkingCache, turn: Turn) -> None:
        self._task_scope.set_timeout(math.inf)
        if self._phase is STREAMING:
            self._keep_alive.stop_waiting()
        await thinking_cache.keep(turn, self._served.body)

    async def _end(self, failure: BaseException | None, *, timed_out: bool) -> None:
        """The inner app ended before its reply did: send an error."""
        if self._client.shutdown or timed_out:
            await self.fail(server_shutdown() if self._client.shutdown else silent_for_too_long())
        elif self._phase is STREAMING:
            await self.fail(incomplete_stream())
        elif failure is None or isinstance(failure, InvalidReply):  # an inner app may raise one itself
            await self.fail(failure or incomplete_reply())
        else:
            await self._answer(to_answer(to_error_reply(500, "The messages service failed.", "server_error")))

    async def _reply(self, answer: Answer) -> None:
        self._task_scope.set_timeout(math.inf)
        self._phase, self._summary = DONE, answer.summary
        self._stream = None  # further pieces are not read
        await self._client.send(*to_response(answer.status, answer.body, self._client_headers()))
        self._client.end()

    async def _begin_stream(self, stream: ChunkStream) -> None:
        self._phase = STREAMING
        self._stream, self._summary = stream, stream.summary
        self._task_scope.set_timeout(math.inf)  # from now on `KeepAlive.run` checks the time
        self._keep_alive = KeepAlive(self._send, self._client, self._task_scope, self._limits)
        self._keep_alive.wait(self._limits.idle_timeout)
        headers = self._client_headers()
        names = {name for name, _ in headers}
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-cache"))
        if b"x-accel-buffering" not in names:
            headers.append((b"x-accel-buffering", b"no"))
        headers.append((b"content-type", b"text/event-stream; charset=utf-8"))
        await self._keep_alive.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._task_scope.start(self._keep_alive.run)

    def _client_headers(self) -> Headers:
        return to_client_headers(self._headers, self._fields, self._served.ignored, time.time())

    async def _send_body(self, stream: ChunkStream, body: bytes) -> None:
        if self._first_token_at is None and stream.has_content:
            self._first_token_at = time.monotonic()
        if stream.ended:
            self._phase, self._live = DONE, None
        elif self._first_token_at is not None:
            self._live = stream
        await self._keep_alive.send({"type": "http.response.body", "body": body, "more_body": not stream.ended})
        if stream.ended:
            self._client.end()

    # ------------------------------------------------------------ beside the inner app

    async def _watch(self) -> None:
        """Notify the inner app when the client leaves, and cancel it after `disconnect_grace`."""
        message = await wait_for_disconnect(self._receive)
        if self._phase is DONE:  # the inner app may go on working after a complete reply
            self._client.end()
        elif message.get("reason") == SERVER_SHUTDOWN:
            self._client.shutdown = True
            self._task_scope.cancel()
        else:
            self._client.leave()
            await anyio.sleep(self._limits.disconnect_grace)
            self._task_scope.cancel()
