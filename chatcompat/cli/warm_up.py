"""One exchange before the first client comes, in each process of `chatcompat serve`."""

import asyncio
import gc
from typing import Final

import anyio
import msgspec
from starlette.types import Message

from chatcompat.asgi.http import replay_body
from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.request.open_structs import open_decoder
from chatcompat.simulator import create_app as create_simulator

_PATIENCE: Final = 5  # seconds
_CHAT: Final = {
    "model": "sim-1",
    "messages": [{"role": "user", "content": "Hello"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    "stream": True,
}


async def warm_up() -> None:
    """Serve a chat request by the simulator.

    Python imports some modules on first use, such as anyio's event loop backend. Together they take about 50 ms, in
    which the server would answer nobody else. What exists afterwards stays as long as the process, so the garbage
    collector need not look at it again.
    """
    open_decoder()  # of requests with an unknown field; it takes 5 ms to make
    body = msgspec.json.encode(_CHAT)
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer none")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"", "headers": headers}

    async def send(message: Message) -> None:
        """The reply is for nobody."""

    with anyio.move_on_after(_PATIENCE):  # which imports the backend, as each request to the upstream does
        await ChatCompatMiddleware(create_simulator())(scope, replay_body(body, asyncio.Future), send)
    gc.collect()
    gc.freeze()
