"""An in-process ASGI server: sequential or concurrent exchanges, with or without the middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

Message = dict[str, Any]
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")],
}


def messages_app(chunks: Sequence[bytes], *, in_turn: bool = False) -> Any:
    """An app that streams these chunks; `in_turn` lets all other exchanges go on after each."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if in_turn:
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def make_scope(body: bytes) -> Message:
    """The scope of a chat request, as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"authorization", b"Bearer key"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"accept", b"application/json"),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
    }


async def exchange(app: Any, body: bytes, take: Callable[[bytes], object], scope: Message | None = None) -> None:
    """Run one exchange. `take` gets each piece of the reply's body. The client stays until the end."""
    received, forever = False, asyncio.Event()

    async def receive() -> Message:
        nonlocal received
        if received:
            await forever.wait()
        received = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            take(message["body"])

    await app(scope or make_scope(body), receive, send)


async def exchanges(app: Any, body: bytes, count: int) -> None:
    """Run `count` exchanges at once and discard their replies."""
    await asyncio.gather(*(exchange(app, body, len) for _ in range(count)))


def driven(app: Any, body: bytes, loop: asyncio.AbstractEventLoop) -> Callable[[], list[bytes]]:
    """Return a function that runs one exchange and returns the reply's body."""

    def run() -> list[bytes]:
        out: list[bytes] = []
        loop.run_until_complete(exchange(app, body, out.append))
        return out

    return run
