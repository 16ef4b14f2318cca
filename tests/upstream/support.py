"""An `Upstream` between a scripted origin and a client, and what the client sends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from chatcompat import ChatCompatMiddleware
from chatcompat.upstream import Upstream
from tests.asgi.driver import HELLO, REPLY, Reply, call, chat, frame
from tests.upstream.origin import JSON_HEAD, STREAM_HEAD, Origin, Script, chunk, origin

BODY = b'{"model":""}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
MESSAGE = json.dumps(REPLY).encode()
WHOLE = JSON_HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(MESSAGE), MESSAGE)
STREAM = [STREAM_HEAD, *(chunk(frame(event)) for event in HELLO)]
END_OF_STREAM = b"0\r\n\r\n"


@asynccontextmanager
async def between(script: Script, *, reads: bool = True, **options: Any) -> AsyncIterator[tuple[Upstream, Origin]]:
    """An `Upstream` in front of a scripted origin."""
    async with origin(script, reads=reads) as there:
        upstream = Upstream(there.url, **options)
        try:
            with anyio.fail_after(30):
                yield upstream, there
        finally:
            await upstream.aclose()


async def post(upstream: Any, *, body: bytes = BODY, **more: Any) -> Reply:
    return await call(upstream, body, **{"path": "/v1/messages", "headers": HEADERS, **more})


async def chat_post(upstream: Upstream, *, stream: bool) -> Reply:
    middleware = ChatCompatMiddleware(upstream)
    return await call(middleware, chat(stream=stream))
