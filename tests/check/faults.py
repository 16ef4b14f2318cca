"""One planted fault for each rule, as an ASGI app around a good one."""

import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.http import replay_body

Json = dict[str, Any]
Wrap = Callable[[ASGIApp], ASGIApp]


async def read_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Faulty:
    """Edits the chat request, and the status, headers and body of the reply."""

    def __init__(
        self,
        app: ASGIApp,
        ask: Callable[[Json], Any] | None = None,
        reply: Callable[[int, dict[bytes, bytes], bytes], tuple[int, bytes]] | None = None,
    ) -> None:
        self.app, self.ask, self.reply = app, ask, reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if self.ask is not None and body:
            request = json.loads(body)
            self.ask(request)
            body = json.dumps(request).encode()
        status, headers, pieces = 0, {}, []

        async def take(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], dict(message["headers"])
            else:
                pieces.append(message["body"])

        own = [header for header in scope["headers"] if header[0] != b"content-length"]
        await self.app({**scope, "headers": own}, replay_body(body, receive), take)
        body = b"".join(pieces)
        headers.pop(b"content-length", None)
        if self.reply is not None:
            status, body = self.reply(status, headers, body)
        await answer(send, status, body, [*headers.items(), (b"content-length", b"%d" % len(body))])


def asks(edit: Callable[[Json], Any]) -> Wrap:
    """The request is another one."""
    return lambda app: Faulty(app, ask=edit)


def ignores(*fields: str) -> Wrap:
    """These fields of the request are not looked at."""
    return asks(lambda request: [request.pop(field, None) for field in fields])


def replies(edit: Callable[[Json], Any]) -> Wrap:
    """JSON replies are other ones."""

    def reply(status: int, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        if headers[b"content-type"].startswith(b"application/json"):
            edited = json.loads(body)
            edit(edited)
            body = json.dumps(edited).encode()
        return status, body

    return lambda app: Faulty(app, reply=reply)


def chooses(edit: Callable[[Json], Any]) -> Wrap:
    """The choice of a reply is another one."""
    return replies(lambda reply: edit(reply["choices"][0]))


def streams(edit: Callable[[list[Any]], Any]) -> Wrap:
    """Streams are other ones; `edit` gets the chunks without `[DONE]`."""

    def reply(status: int, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        if headers[b"content-type"].startswith(b"text/event-stream"):
            chunks = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line.startswith("data: {")]
            chunks = edit(chunks) or chunks
            body = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
        return status, body

    return lambda app: Faulty(app, reply=reply)


def answers(status: int, body: bytes | None = None, *, when: Callable[[int], bool]) -> Wrap:
    """Where the good status is such, it is another, with the good body or another."""

    def reply(good: int, headers: dict[bytes, bytes], told: bytes) -> tuple[int, bytes]:
        return (status, told if body is None else body) if when(good) else (good, told)

    return lambda app: Faulty(app, reply=reply)


def media(wanted: bytes, *, when: Callable[[int], bool] = lambda status: True) -> Wrap:
    """The content type is another one."""

    def reply(status: int, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        if when(status):
            headers[b"content-type"] = wanted
        return status, body

    return lambda app: Faulty(app, reply=reply)


def headers(edit: Callable[[dict[bytes, bytes]], Any], *, when: Callable[[int], bool] = lambda status: True) -> Wrap:
    """The headers are other ones."""

    def reply(status: int, found: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
        if when(status):
            edit(found)
        return status, body

    return lambda app: Faulty(app, reply=reply)


def delta(chunk: Json) -> Json:
    """The delta of a chunk, or an empty one."""
    return chunk["choices"][0]["delta"] if chunk["choices"] else {}


def calls(chunks: list[Json]) -> list[Json]:
    """The deltas of calls."""
    return [call for chunk in chunks for call in delta(chunk).get("tool_calls", ())]


def refuses(role: str) -> Wrap:
    """A role is not known."""

    def edit(request: Json) -> None:
        for message in request["messages"]:
            if message["role"] == role:
                message["role"] = "unknown"

    return asks(edit)
