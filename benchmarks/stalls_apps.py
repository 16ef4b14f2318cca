"""The apps of `stalls.py`: one that reads its request by `json.loads`, and a messages app that answers with the worst.

uvicorn --app-dir benchmarks stalls_apps:bare
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent))

from chatcompat.simulator import create_app
from tests.cost.replies import REPLIES, STREAMS

WORST_REPLY = b'{"model":"worst reply'
_simulator = create_app()
_made: dict[bytes, list[bytes]] = {}


async def _read(receive: Any) -> bytes:
    pieces, more_body = [], True
    while more_body:
        message = await receive()
        pieces.append(message.get("body", b""))
        more_body = message.get("more_body", False)
    return b"".join(pieces)


async def _answer(send: Any, status: int, media: bytes, pieces: list[bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", media)]})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Read the body as JSON, and say so; of another form too."""
    if scope["type"] != "http":
        return
    body = await _read(receive)
    status = 200
    if body:
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            status = 400
    await _answer(send, status, b"application/json", [b'{"status":"ok"}'])


async def messages(scope: Any, receive: Any, send: Any) -> None:
    """The simulator, but for models whose name asks for a bad reply: `worst reply|kind|name|size`."""
    if scope["type"] != "http":
        await _simulator(scope, receive, send)
        return
    body = await _read(receive)
    if body.startswith(WORST_REPLY):
        model = body.split(b'"', 4)[3]
        if model not in _made:
            _made[model] = worst_reply(model.decode())
        streams = model.split(b"|")[1] == b"stream"
        await _answer(send, 200, b"text/event-stream" if streams else b"application/json", _made[model])
        return

    async def again() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    await _simulator(scope, again, send)


def worst_reply(model: str) -> list[bytes]:
    """The reply that a model's name asks for."""
    _, kind, name, size = model.split("|")
    if kind == "stream":
        return STREAMS[name][0](int(size))
    return [REPLIES[name][0](int(size))]
