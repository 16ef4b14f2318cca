"""The canned messages app of `serve.py`, served by uvicorn: alone, decoding its request, and behind chatcompat.

uvicorn --app-dir benchmarks serve_apps:bare
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from chatcompat import ChatCompatMiddleware

EVENTS = 1_000
WORDS = [f"word{number} " for number in range(EVENTS)]
TEXT = "".join(WORDS[:40])
USAGE = {"input_tokens": 90, "output_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
MESSAGE: dict[str, Any] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


REPLY = json.dumps(MESSAGE).encode()
FRAMES = [
    _frame({"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}),
    _frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    *(
        _frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
        for word in WORDS
    ),
    _frame({"type": "content_block_stop", "index": 0}),
    _frame(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": EVENTS},
        }
    ),
    _frame({"type": "message_stop"}),
]
FIRST_WORD = 2  # of the frames
_JSON = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(REPLY))]
_SSE = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]

_last: dict[str, Any] = {}


async def _read(receive: Any) -> bytes:
    body, more_body = b"", True
    while more_body:
        message = await receive()
        body += message.get("body", b"")
        more_body = message.get("more_body", False)
    return body


async def _answer(scope: Any, body: bytes, streams: bool, send: Any) -> None:
    if scope["path"] == "/probe":
        names = [name.decode("latin-1") for name, _ in _last["headers"]]
        told = json.dumps({"path": _last["path"], "headers": names, "body": _last["body"].decode()}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})
        return
    _last["path"], _last["headers"], _last["body"] = scope["path"], scope["headers"], body
    if not streams:
        await send({"type": "http.response.start", "status": 200, "headers": _JSON})
        await send({"type": "http.response.body", "body": REPLY})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    for number, frame in enumerate(FRAMES):
        await send({"type": "http.response.body", "body": frame, "more_body": True})
        if number == FIRST_WORD:
            await asyncio.sleep(0)  # as in any app that has not all at once: the server writes when nothing else runs
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Look for one word in the request, and answer from memory."""
    body = await _read(receive)
    await _answer(scope, body, b'"stream":true' in body or b'"stream": true' in body, send)


async def decoding(scope: Any, receive: Any, send: Any) -> None:
    """The same, by an app that decodes its request as a real one must."""
    body = await _read(receive)
    request = msgspec.json.decode(body) if body else {}
    await _answer(scope, body, bool(request.get("stream")), send)


chatcompat = ChatCompatMiddleware(bare)
