"""Apps behind and around the inspector, for its tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, RequestBounds
from chatcompat.asgi.http import replay_body
from chatcompat.dialect import PRESETS, Dialect
from chatcompat.inspector import Inspector
from chatcompat.simulator import create_app
from tests.asgi.driver import HELLO, frame
from tests.servers.running import HOST, free_port, wait_for

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202eevil"

_simulator = create_app()


def _said(text: str) -> list[dict[str, Any]]:
    """The events of a reply with this text, and a call whose name and arguments are as bad."""
    call = {"type": "tool_use", "id": "toolu_1", "name": text, "input": {}}
    return [
        *HELLO[:2],
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        HELLO[4],
        {"type": "content_block_start", "index": 1, "content_block": call},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 1},
        *HELLO[5:],
    ]


async def upstream(scope: Scope, receive: Receive, send: Send) -> None:
    """The simulator. A request with the word "hostile" gets HTML as its answer, one with "slow" no end."""
    if scope["type"] != "http" or scope["method"] != "POST":
        await _simulator(scope, receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if b"hostile" not in body and b"slow" not in body:
        await _simulator(scope, replay_body(body, receive), send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    events = _said(HOSTILE) if b"hostile" in body else [*HELLO[:2], *[HELLO[2]] * 600]
    for event in events:
        await send({"type": "http.response.body", "body": frame(event), "more_body": True})
        await anyio.sleep(0 if b"hostile" in body else 0.05)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an app in a thread, and give its URL."""
    port = free_port()
    options: dict[str, Any] = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, **options))
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_for(port)
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def inspector(**options: Any) -> Inspector:
    defaults: dict[str, Any] = {
        "dialect": PRESETS["native"],
        "bounds": RequestBounds(choices=4),
        "strict": False,
        "model_aliases": {},
        "max_body_bytes": 2**20,
        "endpoint": "/v1/chat/completions",
        "anywhere": False,
    }
    return Inspector(**defaults | options)


def around(inner: ASGIApp, **options: Any) -> ASGIApp:
    """The pages of an inspector, whose runs go through the middleware to an inner app."""
    own = inspector(**options)
    middleware = ChatCompatMiddleware(
        own.tap(inner), bounds=RequestBounds(choices=4), on_exchange=own.observe, keep_alive=0.05
    )
    return own.pages(middleware)


def report(body: bytes, dialect: Dialect = PRESETS["native"], **options: Any) -> dict[str, Any]:
    answer = json.loads(inspector(dialect=dialect, **options).translate(body))
    assert answer["refusal"] is None
    return dict(answer["report"])
