"""The server's side of one ASGI exchange, and inner apps of a few lines."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware

CHAT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
REPLY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "credits_consumed": 7},
}
HELLO: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**REPLY, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def chat(**fields: Any) -> bytes:
    """A chat request's body."""
    return json.dumps(CHAT | fields).encode()


def frame(event: dict[str, Any]) -> bytes:
    """One native event as it stands on the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


@dataclass
class Reply:
    """What the client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False
    messages: list[Message] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error = self.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return dict(error)

    def data(self) -> list[Any]:
        """The stream's data, comments left out; `[DONE]` as it is."""
        assert self.headers["content-type"].startswith("text/event-stream")
        lines = [line[6:] for line in self.body.decode().split("\n\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]

    def text(self) -> str:
        """The streamed content, joined."""
        choices = [chunk["choices"][0] for chunk in self.data() if isinstance(chunk, dict) and chunk.get("choices")]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


def scope(path: str = "/v1/chat/completions", method: str = "POST", **more: Any) -> Scope:
    """An HTTP scope as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer key")],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "extensions": {},
    } | more


async def call(
    app: ASGIApp,
    body: bytes | Iterable[bytes] = b"",
    *,
    on_send: Callable[[Reply], Awaitable[None]] | None = None,
    leave: anyio.Event | None = None,
    **more: Any,
) -> Reply:
    """Run one exchange. `leave`, when set, is the client that goes away; `on_send` runs after each message."""
    reply = Reply()
    pieces = [body] if isinstance(body, bytes) else list(body)
    gone = leave or anyio.Event()
    given = iter([*pieces[:-1], pieces[-1]])
    left = len(pieces)

    async def receive() -> Message:
        nonlocal left
        if left:
            left -= 1
            return {"type": "http.request", "body": next(given), "more_body": left > 0}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        reply.messages.append(message)
        if message["type"] == "http.response.start":
            assert not reply.status, "a second start"
            reply.status = message["status"]
            names = [name for name, _ in message["headers"]]
            assert all(name == name.lower() for name in names)
            assert len(names) == len(set(names)) or b"set-cookie" in names
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            assert reply.status, "a body before the start"
            assert not reply.complete, "a body behind the last one"
            reply.pieces.append(message["body"])
            reply.complete = not message.get("more_body", False)
            reply.body += message["body"]
            if reply.complete:
                if "content-length" in reply.headers:
                    assert int(reply.headers["content-length"]) == len(reply.body)
                gone.set()
        if on_send is not None:
            await on_send(reply)

    await app(scope(**more), receive, send)
    return reply


class Inner:
    """A messages app that sends given messages and keeps what it got."""

    def __init__(
        self,
        body: bytes | list[bytes] | None = None,
        *,
        status: int = 200,
        media: str = "application/json",
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        pieces = json.dumps(REPLY).encode() if body is None else body
        self.pieces = [pieces] if isinstance(pieces, bytes) else pieces
        self.start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", media.encode()), *headers],
        }
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            self.bodies.append((await receive())["body"])
        await send(self.start)
        for piece in self.pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self.pieces[-1] if self.pieces else b""})

    @property
    def headers(self) -> dict[str, str]:
        """The request headers that the app got last."""
        pairs = self.scopes[-1]["headers"]
        assert len(pairs) == len(dict(pairs)), "a header twice"
        return {name.decode(): value.decode() for name, value in pairs}


def streaming(events: list[dict[str, Any]] | None = None, **more: Any) -> Inner:
    """A messages app that streams."""
    return Inner([frame(event) for event in (events or HELLO)], media="text/event-stream", **more)


async def ask(inner: ASGIApp, body: bytes | None = None, **more: Any) -> Reply:
    """The whole reply to a chat request, by the middleware around `inner`."""
    reply = await call(ChatCompatMiddleware(inner), chat() if body is None else body, **more)
    assert reply.complete
    return reply
