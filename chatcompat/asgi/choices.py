"""A reply with several choices (`n`): the inner app is called once for each, at the same time.

Each call is an exchange of its own, with its own translation of the reply. This module joins the replies: the chunks of
all choices are interleaved, each with the index of its choice, and the usages are added up. If one choice fails, the
others are cancelled and the whole reply fails.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import anyio
import msgspec
from msgspec import Raw
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.exchange import Exchange
from chatcompat.asgi.http import respond, wait_for_disconnect
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.thinking import ThinkingCache
from chatcompat.record import ExchangeRecord
from chatcompat.reply.chunk_writer import DONE, escape_separators
from chatcompat.reply.usage import join_usages, sum_usages
from chatcompat.translation import Translation
from chatcompat.wire.message_reply import Usage
from chatcompat.wire.sse import encode_data

_OK: Final = 200
_DATA: Final = b"data: "
_CHOICE: Final = b',"choices":[{"index":'
_FIRST_CHOICE: Final = _CHOICE + b"0"
_NO_CHOICE: Final = b',"choices":[]'
_INDEX: Final = b'{"index":0'
_DESCRIPTIVE: Final = (b"content-length", b"content-type")  # of a choice's body

_encode = msgspec.json.Encoder().encode
_decode_raw = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class Choices:
    """Serves one request with `translation.choices` exchanges."""

    def __init__(
        self, translation: Translation, receive: Receive, send: Send, limits: Limits, cache: ThinkingCache | None
    ) -> None:
        self._translation = translation
        self._receive = receive
        self._limits = limits
        self._cache = cache
        self._reply = _Reply(send, translation.choices, self._fail)
        self._exchanges: dict[int, Exchange] = {}
        self._gone = anyio.Event()
        self._end: Message = {}  # the `http.disconnect`, once received. It says whether the server stops
        self._calls = anyio.CancelScope()
        self._failure: Exception | None = None
        self._failed = 0  # the choice whose error the client gets

    async def run(self, to_app: Callable[[Exchange], ASGIApp], scope: Scope) -> None:
        """Call the inner app for each choice. `to_app` returns the app to call for an exchange.

        The first exception of the inner app is raised again unchanged.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            with self._calls:
                async with anyio.create_task_group() as calls:
                    for index in range(self._translation.choices):
                        calls.start_soon(self._call, index, to_app, {**scope})
            tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    def _new_exchange(self, index: int) -> Exchange:
        send = partial(self._reply.take, index)
        return Exchange(self._translation, self._wait_for_client, send, self._limits, self._cache)

    async def _call(self, index: int, to_app: Callable[[Exchange], ASGIApp], scope: Scope) -> None:
        exchange = self._exchanges[index] = self._new_exchange(index)  # created here, since it belongs to this task
        try:
            await exchange.run(to_app(exchange), scope)
        except Exception as error:  # noqa: BLE001 - raised by `run`, outside the task group
            self._failure = self._failure or error
            if not self._reply.has(index):
                self._fail(index)

    def _fail(self, index: int) -> None:
        if not self._calls.cancel_called:
            self._failed = index
            self._calls.cancel()

    async def _watch(self) -> None:
        """Wait for the client to disconnect, on behalf of all exchanges."""
        self._end = await wait_for_disconnect(self._receive)
        self._gone.set()

    async def _wait_for_client(self) -> Message:
        await self._gone.wait()
        return self._end

    def record(self, began: float) -> ExchangeRecord:
        """One record for all exchanges. `began` is their start, by `time.monotonic()`."""
        exchanges = self._exchanges or {0: self._new_exchange(0)}  # cancelled before the first began
        records = {index: exchange.record(began) for index, exchange in exchanges.items()}
        shown = records.get(self._failed) or records[0]
        tokens = [at for record in records.values() if (at := record.time_to_first_token) is not None]
        return replace(
            shown,
            status=self._reply.status,
            usage=sum_usages([record.usage for record in records.values() if record.usage is not None]),
            time_to_first_byte=None if self._reply.first_byte_at is None else self._reply.first_byte_at - began,
            time_to_first_token=min(tokens, default=None),
        )


class _Reply:
    """The client's reply, joined from the replies of the choices as they arrive. The first error calls `fail`."""

    def __init__(self, send: Send, count: int, fail: Callable[[int], None]) -> None:
        self.status: int | None = None
        self.first_byte_at: float | None = None
        self._send = send
        self._fail = fail
        self._turn = anyio.Lock()  # the server's `send` takes one message at a time
        self._over = False
        self._starts: list[Message] = [{}] * count
        self._bodies = [b""] * count  # of whole replies
        self._complete: set[int] = set()
        self._head = b""  # what all chunks begin with: the id of the first choice that began
        self._usages: list[Usage] = []

    def has(self, index: int) -> bool:
        """Whether the reply of a choice is complete."""
        return index in self._complete

    def _is_whole(self) -> bool:
        return len(self._complete) == len(self._starts)

    async def take(self, index: int, message: Message) -> None:
        """Handle a message for the client from one choice."""
        if message["type"] == "http.response.start":  # without waiting, so that no cancellation can lose it
            self._starts[index] = message
            return
        async with self._turn:
            if self._over:
                return  # sent by an app that shields itself from cancellation
            if (b"content-type", b"text/event-stream; charset=utf-8") in self._starts[index]["headers"]:
                await self._take_frames(index, message["body"])
            else:
                await self._take_whole(index, message["body"])

    async def _take_frames(self, index: int, body: bytes) -> None:
        out: list[bytes] = []
        for frame in body.split(b"\n\n")[:-1]:  # an exchange sends whole frames
            head, is_chunk, tail = frame.partition(_FIRST_CHOICE)
            if is_chunk:
                self._head = self._head or head
                out.append(b"%b%b%d%b\n\n" % (self._head, _CHOICE, index, tail))
            elif frame + b"\n\n" == DONE:
                self._complete.add(index)
            elif frame.startswith(b":"):
                out.append(frame + b"\n\n")
            elif _NO_CHOICE in frame:
                self._usages.append(_decode_raw(_decode_raw(frame[len(_DATA) :])["usage"]))
            else:  # an error, the last frame
                await self._send_frames(index, [*out, frame, b"\n\n"], more_body=False)
                self._fail(index)
                return
        is_whole = self._is_whole()
        if is_whole:
            out += (self._usage_frame(), DONE)
        await self._send_frames(index, out, more_body=not is_whole)

    def _usage_frame(self) -> bytes:
        if not self._usages:
            return b""
        usage = _encode(join_usages(self._usages))
        return escape_separators(b'%b%b,"usage":%b}\n\n' % (self._head, _NO_CHOICE, usage))

    async def _send_frames(self, index: int, out: list[bytes], *, more_body: bool) -> None:
        if self.status is None:
            start = self._starts[index]
            await self._send(start)
            self._got(start)
        self._over = not more_body
        await self._send({"type": "http.response.body", "body": b"".join(out), "more_body": more_body})

    async def _take_whole(self, index: int, body: bytes) -> None:
        """Handle a reply that is not a stream, and so has one body message: a completion or an error."""
        start = self._starts[index]
        if start["status"] != _OK and self.status is not None:  # the stream of another choice has begun
            await self._send_frames(index, [encode_data(body)], more_body=False)
            self._fail(index)
        elif start["status"] != _OK:
            await self._send_whole(start, body)
            self._fail(index)
        else:
            self._bodies[index] = body
            self._complete.add(index)
            if self._is_whole():
                await self._send_whole(start, self._joined())

    def _joined(self) -> bytes:
        completions = [_decode_raw(body) for body in self._bodies]
        whole = completions[0]
        choices = [bytes(_decode_list(completion["choices"])[0]) for completion in completions]
        whole["choices"] = Raw(
            b"[%b]" % b",".join(b'{"index":%d%b' % (n, raw.removeprefix(_INDEX)) for n, raw in enumerate(choices))
        )
        whole["usage"] = Raw(_encode(join_usages(_decode_raw(completion["usage"]) for completion in completions)))
        return _encode(whole)

    async def _send_whole(self, start: Message, body: bytes) -> None:
        headers = [header for header in start["headers"] if header[0] not in _DESCRIPTIVE]
        self._over = True
        await respond(self._send, start["status"], body, headers)
        self._got(start)

    def _got(self, start: Message) -> None:
        self.status, self.first_byte_at = start["status"], time.monotonic()
