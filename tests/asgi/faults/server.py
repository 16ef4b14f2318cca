"""The server's side of an exchange, as strict as the ASGI specification, and a client that may leave."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import sniffio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.headers import HOP_BY_HOP
from tests.asgi.driver import CHAT, HELLO, REPLY, chat, frame, scope
from tests.vendor import chat_error, chat_sse

Style = Literal["silent", "oserror"]
STYLES: tuple[Style, ...] = ("silent", "oserror")
SSE = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
JSON = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
TEXT = 'He \U0001f642 said:\r\ndata: [DONE]\n\n\u2028\u2029\u0085"\\'
EXTENSIONS = ("native_finish_reason", "stop_sequence", "stop_details", "credits_consumed")

__all__ = ["CHAT", "HELLO", "JSON", "REPLY", "SSE", "STYLES", "TEXT", "chat", "frame", "scope"]


@dataclass
class Seen:
    """What the client saw, and every rule that was broken on the way."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False
    broken: list[str] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    def chunks(self) -> list[Any]:
        lines = [line[6:] for line in self.body.decode().split("\n\n") if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    def text(self) -> str:
        choices = [choice for chunk in self.chunks() for choice in chunk.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def is_whole(self) -> bool:
        """A stream that ended well, by all rules of the vendor's."""
        return self.body.endswith(b"data: [DONE]\n\n") and chat_sse(self.body, allow=EXTENSIONS) == []

    def fails(self) -> bool:
        """An error that says so: a status with an error body, or an error frame as the last of a stream."""
        if self.status >= 400:
            return self.header(b"content-type") == b"application/json" and chat_error(json.loads(self.body)) == []
        chunks = self.chunks()
        ends = [choice["finish_reason"] for chunk in chunks for choice in chunk.get("choices", ())]
        is_last = self.body.rstrip().rpartition(b"\n\n")[2].startswith(b'data: {"error":')
        return is_last and not any(ends) and b"[DONE]" not in self.body.rpartition(b"data: ")[2]


class Server:
    """Runs one exchange. The client leaves behind `leave_after` messages, or when `leave` is set."""

    def __init__(
        self,
        pieces: Iterable[Any] = (),
        *,
        style: Style = "silent",
        leave: anyio.Event | None = None,
        leave_after: int | None = None,
        on_body: Callable[[bytes], Any] | None = None,
        alone: bool = True,
        **more: Any,
    ) -> None:
        self.seen = Seen()
        asgi = {"version": "3.0", "spec_version": "2.3" if style == "silent" else "2.4"}
        self.scope = {**scope(**more), "asgi": asgi}
        self._style = style
        self._requests = [piece if isinstance(piece, dict) else request(piece) for piece in pieces]
        self._gone = leave or anyio.Event()
        self._leave_after = leave_after
        self._on_body = on_body
        self._alone = alone  # no other exchange runs beside this one
        self._receiving = False
        self._received_late = 0
        self._sent = 0

    async def run(self, app: ASGIApp) -> Seen:
        """Serve; what the app raises is raised, and the rules are checked in any case."""
        raised, tasks = True, _tasks()
        try:
            with anyio.fail_after(15):
                await app(self.scope, self._receive, self._send)
            raised = False
        finally:
            seen = self.seen
            if not raised and not self._gone.is_set() and not seen.complete:
                seen.broken.append("the reply was left open")
            if seen.complete and (length := seen.header(b"content-length")) and int(length) != len(seen.body):
                seen.broken.append("content-length is not the length")
            await anyio.lowlevel.checkpoint()
            if self._alone and _tasks() - tasks:
                seen.broken.append("a task goes on")
            assert seen.broken == []
        return seen

    async def _receive(self) -> Message:
        if self._receiving:
            self.seen.broken.append("two receives at once")
        self._receiving = True
        try:
            await anyio.lowlevel.checkpoint()
            if self._requests and not self._gone.is_set():
                message = self._requests.pop(0)
                if message["type"] == "http.disconnect":
                    self._gone.set()
                return message
            if not self.seen.complete:
                await self._gone.wait()
            self._received_late += 1
            if self._received_late > 500:
                self.seen.broken.append("receive is polled")
            return {"type": "http.disconnect"}
        finally:
            self._receiving = False

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            if self._style == "oserror":
                raise OSError("the client left")
            return
        self._sent += 1
        getattr(self, "_take_" + message["type"].rpartition(".")[2])(message)
        if self._on_body is not None and message["type"] == "http.response.body":
            await self._on_body(message["body"])
        if self._sent == self._leave_after:
            self._gone.set()

    def _take_start(self, message: Message) -> None:
        seen = self.seen
        if seen.status:
            seen.broken.append("a second start")
        seen.status, seen.headers = message["status"], list(message["headers"])
        for name, value in seen.headers:
            if name != name.lower() or not name or name in HOP_BY_HOP or {*name, *value} & {*b"\r\n\0"}:
                seen.broken.append(f"header {name!r}")

    def _take_body(self, message: Message) -> None:
        seen = self.seen
        if not seen.status or seen.complete:
            seen.broken.append("a body out of order")
        seen.pieces.append(message["body"])
        seen.complete = not message.get("more_body", False)


def _tasks() -> set[asyncio.Task[Any]]:
    """What runs beside; with trio nothing can."""
    return asyncio.all_tasks() if sniffio.current_async_library() == "asyncio" else set()


def request(piece: bytes, *, more_body: bool = False) -> Message:
    return {"type": "http.request", "body": piece, "more_body": more_body}


def upload(pieces: list[bytes]) -> list[Message]:
    """A body in pieces."""
    return [request(piece, more_body=index < len(pieces) - 1) for index, piece in enumerate(pieces)]


async def serve(app: ASGIApp, body: bytes | list[bytes] | None = None, **more: Any) -> Seen:
    """One exchange with a client that asks for a stream, or sends `body`."""
    given = chat(stream=True) if body is None else body
    return await Server(upload(given if isinstance(given, list) else [given]), **more).run(app)


def body(piece: Any, *, more_body: bool = True) -> Message:
    return {
        "type": "http.response.body",
        "body": piece if not isinstance(piece, dict) else frame(piece),
        "more_body": more_body,
    }


def says(text: str) -> list[dict[str, Any]]:
    """The events of a message with this text, in deltas of a few characters."""
    deltas = [{"type": "text_delta", "text": text[start : start + 5]} for start in range(0, len(text), 5)]
    return [*HELLO[:2], *({**HELLO[2], "delta": delta} for delta in deltas), *HELLO[4:]]


def app_of(*messages: Message) -> ASGIApp:
    """An app that takes its request and sends these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)

    return app


def streaming(*pieces: Any) -> ASGIApp:
    """An app that streams these pieces and ends."""
    return app_of(SSE, *(body(piece) for piece in pieces), body(b"", more_body=False))


def _refuse(constant: str) -> None:
    raise AssertionError(constant)


def strict(raw: bytes) -> Any:
    """JSON that every decoder reads alike: UTF-8, no constant, no key twice."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(found) == len(dict(found)), "a key twice"
        return dict(found)

    value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=_refuse)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def json_suite() -> list[Path]:
    """The files of JSONTestSuite, where the environment names a copy."""
    folder = os.environ.get("JSON_TEST_SUITE")
    return sorted((Path(folder) / "test_parsing").glob("*.json")) if folder else []
