"""The canned messages app, for uvicorn: alone, decoding its request, and behind chatcompat."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from benchmarks.workloads import EVENTS, Workload, small_request, text_frames, text_reply
from chatcompat import ChatCompatMiddleware

_ASKED, _STREAM, (_FRAMES, _STREAMED) = small_request(), small_request(stream=True), text_frames()
_REPLY, _SAID = text_reply(280)
REQUEST = Workload("request", "request", *_ASKED)
REPLY = Workload("reply", "reply", _ASKED[0], _SAID, (_REPLY,))
STREAM = Workload("stream", "stream", _STREAM[0], _STREAMED, tuple(_FRAMES), EVENTS)

FIRST_TEXT = 3  # of the frames; a ping stands before it
_last: dict[str, Any] = {}


async def _read(receive: Any) -> bytes:
    body, more_body = b"", True
    while more_body:
        message = await receive()
        body += message.get("body", b"")
        more_body = message.get("more_body", False)
    return body


async def _send_json(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer(scope: Any, body: bytes, streams: bool, send: Any) -> None:
    if scope["path"] == "/probe":  # what the app was asked last
        await _send_json(send, json.dumps(_last).encode())
        return
    _last["path"], _last["body"] = scope["path"], body.decode()
    _last["headers"] = [name.decode("latin-1") for name, _ in scope["headers"]]
    if not streams:
        await _send_json(send, REPLY.native[0])
        return
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number, frame in enumerate(STREAM.native):
        await send({"type": "http.response.body", "body": frame, "more_body": True})
        if number == FIRST_TEXT:
            await asyncio.sleep(0)  # an app that waits for its model lets the server write
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Look for one word in the request, and answer from memory."""
    body = await _read(receive)
    await _answer(scope, body, b'"stream":true' in body or b'"stream": true' in body, send)


async def decoding(scope: Any, receive: Any, send: Any) -> None:
    """Decode the request, as a real app must, and answer from memory."""
    body = await _read(receive)
    request = msgspec.json.decode(body) if body else {}
    await _answer(scope, body, bool(request.get("stream")), send)


chatcompat = ChatCompatMiddleware(bare)
