"""A turn in parts and a list in pages keep every promise of a single reply: silence, leaving, size, and the record."""

import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord
from tests.asgi.driver import Reply, call, chat, frame
from tests.asgi.faults.server import Server
from tests.asgi.test_pause_turn import OVERLOADED, TOOLS, answer, events, part, text

pytestmark = pytest.mark.anyio

PAUSED = part(1, [text("a ")])
LAST = part(2, [text("b")], "end_turn")
PAGE = {"id": "m", "type": "model"}
KINDS = ["whole", "streamed", "collected", "pages"]


def pieces_of(kind: str, number: int, of: int) -> list[bytes]:
    """The reply to call `number` of `of`, in pieces."""
    if kind == "pages":
        page = {"data": [PAGE | {"id": f"m{number}"}], "has_more": number < of - 1, "last_id": f"m{number}"}
        raw = json.dumps(page).encode()
    elif kind == "whole":
        raw = json.dumps(LAST if number == of - 1 else PAUSED).encode()
    else:
        return [frame(event) for event in events(LAST if number == of - 1 else PAUSED)]
    return [raw[at : at + 40] for at in range(0, len(raw), 40)]


class Parts:
    """An inner app that answers in `of` parts; `before(number, piece)` runs before the start (-1) and each piece."""

    def __init__(
        self, kind: str, of: int, before: Callable[[int, int], Awaitable[None]] | None = None, *, size: int = 0
    ) -> None:
        self.kind = kind
        self.of = of
        self.before = before
        self.calls = 0
        self.sent = 0  # bytes
        self.padding = b" " * size
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        self.scopes.append(scope)
        number, self.calls = self.calls, self.calls + 1
        streams = self.kind in ("streamed", "collected")
        media = b"text/event-stream" if streams else b"application/json"
        await self._wait(number, -1)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
        for index, piece in enumerate(pieces_of(self.kind, number, self.of)):
            await self._wait(number, index)
            padding = b": " + self.padding + b"\n\n" if streams and self.padding else self.padding
            await self._send(send, padding + piece if index == 0 else piece)
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send, piece: bytes) -> None:
        self.sent += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _wait(self, number: int, index: int) -> None:
        if self.before is not None:
            await self.before(number, index)


def asked(kind: str) -> dict[str, Any]:
    """What a client asks for each kind of reply."""
    if kind == "pages":
        return {"path": "/v1/models", "method": "GET"}
    usage = {"stream": True, "stream_options": {"include_usage": True}} if kind == "streamed" else {}
    return {"body": chat(tools=TOOLS, **usage)}


def is_whole(kind: str, reply: Reply) -> bool:
    if kind == "pages":
        return len(reply.json()["data"]) > 1
    if kind == "streamed":
        return b"[DONE]" in reply.body
    return bool(reply.json()["choices"][0]["finish_reason"] == "stop")


def error_of(kind: str, reply: Reply) -> Any:
    return reply.data()[-1]["error"] if kind == "streamed" else reply.error


# ---------------------------------------------------------------- silence


@pytest.mark.parametrize("kind", KINDS)
async def test_parts_that_are_never_silent_for_long_are_no_silence(kind: str) -> None:
    async def before(number: int, index: int) -> None:
        await anyio.sleep(0.3 if index <= 0 else 0)

    inner = Parts(kind, 4, before)
    app = ChatCompatMiddleware(inner, first_byte_timeout=1, idle_timeout=1)
    reply = await call(app, **asked(kind))
    assert is_whole(kind, reply)
    assert inner.calls == 4


@pytest.mark.parametrize(
    ("silent_at", "options"),
    [
        (-1, {"first_byte_timeout": 0.2, "idle_timeout": 60, "keep_alive": 60}),
        (-1, {"first_byte_timeout": 0.2, "idle_timeout": 60, "keep_alive": 0.05}),
        (0, {"first_byte_timeout": 0.2, "idle_timeout": 60, "keep_alive": 60}),
        (1, {"first_byte_timeout": 60, "idle_timeout": 0.2, "keep_alive": 60}),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_later_part_that_falls_silent_is_given_up(kind: str, silent_at: int, options: dict[str, Any]) -> None:
    async def before(number: int, index: int) -> None:
        if (number, index) == (1, silent_at):
            await anyio.sleep(math.inf)

    inner = Parts(kind, 3, before)
    with anyio.fail_after(10):
        reply = await call(ChatCompatMiddleware(inner, **options), **asked(kind))
    assert reply.complete
    assert inner.calls == 2
    assert error_of(kind, reply)["code"] == "timeout"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_later_part_has_the_time_of_a_first_one_to_begin(kind: str) -> None:
    async def before(number: int, index: int) -> None:
        await anyio.sleep(0.6 if (number, index) == (1, -1) else 0)

    app = ChatCompatMiddleware(Parts(kind, 2, before), first_byte_timeout=10, idle_timeout=0.3)
    assert is_whole(kind, await call(app, **asked(kind)))


# ---------------------------------------------------------------- a client that leaves


@pytest.mark.parametrize("kind", KINDS)
async def test_once_the_client_left_no_further_part_is_asked_for(kind: str) -> None:
    leave = anyio.Event()

    async def before(number: int, index: int) -> None:
        if index == 0:
            leave.set()

    inner = Parts(kind, 5, before)
    asks = asked(kind)
    server = Server([asks.pop("body", b"")], leave=leave, **asks)
    await server.run(ChatCompatMiddleware(inner, disconnect_grace=5))
    assert inner.calls == 1


# ---------------------------------------------------------------- size


@pytest.mark.parametrize("kind", ["whole", "collected", "pages"])
async def test_the_bound_of_a_reply_is_one_for_all_its_parts(kind: str) -> None:
    single = Parts(kind, 3, size=100)
    assert is_whole(kind, await call(ChatCompatMiddleware(single), **asked(kind)))
    inner = Parts(kind, 3, size=100)
    reply = await call(ChatCompatMiddleware(inner, max_reply_bytes=single.sent), **asked(kind))
    assert is_whole(kind, reply)
    inner = Parts(kind, 3, size=100)
    reply = await call(ChatCompatMiddleware(inner, max_reply_bytes=single.sent - 1), **asked(kind))
    assert (reply.status, reply.error["code"]) == (502, "invalid_reply")
    assert reply.error["message"] == "The messages service sent a reply that is too large."
    assert inner.calls == 3


@pytest.mark.parametrize("kind", ["whole", "collected", "pages"])
async def test_a_part_without_end_is_refused_at_the_bound(kind: str) -> None:
    taken: list[int] = []

    class Endless(Parts):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            media = b"text/event-stream" if kind == "collected" else b"application/json"
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
            for _ in range(100):
                await self._send(send, b": x\n\n" * 20 if kind == "collected" else b" " * 100)

    inner = Endless(kind, 1)

    async def on_send(reply: Reply) -> None:
        taken.append(inner.sent)

    reply = await call(ChatCompatMiddleware(inner, max_reply_bytes=1_000), on_send=on_send, **asked(kind))
    assert reply.error["message"] == "The messages service sent a reply that is too large."
    assert taken[0] == 1_100, "at once, and not when the inner app is done"


async def test_a_large_event_in_a_turn_that_may_pause_is_an_error_of_its_own() -> None:
    stream = b"".join(map(frame, events(PAUSED)[:4])) + b"data: " + b"x" * 2_000 + b"\n\n"
    inner = Parts("streamed", 1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(200, stream, b"text/event-stream")(send)

    reply = await call(ChatCompatMiddleware(app, max_event_bytes=1_500), **asked(inner.kind))
    assert reply.text() == "a "
    assert reply.data()[-1]["error"]["message"] == "The messages service sent an event that is too large."


@pytest.mark.parametrize("end", [b"\n\n", b""])
async def test_what_follows_a_pause_is_of_no_account(end: bytes) -> None:
    calls: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(await receive())
        stream = b"".join(map(frame, events(PAUSED if len(calls) == 1 else LAST)))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": stream + b"data: " + b"x" * 2_000 + end, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: nope\n\n"})

    reply = await call(ChatCompatMiddleware(app, max_event_bytes=1_500), **asked("streamed"))
    assert reply.text() == "a b"
    assert reply.data()[-1] == "[DONE]"


# ---------------------------------------------------------------- the record


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_the_usage_of_parts_that_ended_outlives_a_part_that_fails(streams: bool, stream: bool) -> None:
    records: list[ExchangeRecord] = []
    kind = "streamed" if streams else "whole"
    inner = Parts(kind, 3)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if inner.calls == 2:
            await answer(529, json.dumps(OVERLOADED).encode())(send)
        else:
            await inner(scope, receive, send)

    asks = chat(tools=TOOLS, stream=stream)
    reply = await call(ChatCompatMiddleware(app, on_exchange=records.append), asks)
    assert b"Busy" in reply.body
    assert records[0].usage == {
        "prompt_tokens": 2,
        "completion_tokens": 20,
        "total_tokens": 22,
        "credits_consumed": 200,
        "server_tool_use": {"searches": 2},
    }
    assert records[0].error_type == "server_error"
    assert records[0].finish_reason is None


@pytest.mark.parametrize("kind", ["whole", "streamed", "collected"])
async def test_usages_that_have_no_sum_are_an_error_of_the_service(kind: str) -> None:
    records: list[ExchangeRecord] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = {**PAUSED, "usage": {"input_tokens": 1, "output_tokens": 10, "odd": 1e308}}
        if kind == "whole":
            body, media = json.dumps(message), b"application/json"
        else:
            body, media = "".join(frame(event).decode() for event in events(message)), b"text/event-stream"
        await answer(200, body.encode(), media)(send)

    app_in = ChatCompatMiddleware(app, on_exchange=records.append)
    reply = await call(app_in, **asked(kind))
    assert error_of(kind, reply)["message"] == "The messages service sent a usage that cannot be read."
    assert records[0].usage is not None
    assert records[0].usage["odd"] == 1e308, "of the part that ended"
