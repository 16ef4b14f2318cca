"""The planted fault for each rule."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat.asgi.http import replay_body
from tests.check.faults import (
    Faulty,
    Json,
    Wrap,
    answer,
    answers,
    asks,
    calls,
    chooses,
    delta,
    headers,
    ignores,
    media,
    read_body,
    refuses,
    replies,
    streams,
)

ORIGIN = "https://app.example"


def finishes(reason: str) -> Wrap:
    return chooses(lambda choice: choice.update(finish_reason=reason))


def arguments(choice: Json) -> None:
    for call in choice["message"]["tool_calls"]:
        call["function"]["arguments"] = '{"city":'


def one_id(choice: Json) -> None:
    for call in choice["message"].get("tool_calls", ()):
        call["id"] = "call_1"


def finish_twice(chunks: list[Json]) -> None:
    chunks.append(chunks[-1])


def role_in_all(chunks: list[Json]) -> None:
    for chunk in chunks:
        delta(chunk)["role"] = "assistant"


def another_id(chunks: list[Json]) -> None:
    chunks[-1]["id"] = "chatcmpl_other"


def without_text(chunks: list[Json]) -> None:
    for chunk in chunks:
        delta(chunk).pop("content", None)


def in_one_piece(chunks: list[Json]) -> list[Json]:
    text = "".join(delta(chunk).get("content") or "" for chunk in chunks)
    delta(chunks[0])["content"] = text
    return [chunks[0], chunks[-1]]


def id_in_all(chunks: list[Json]) -> None:
    for call in calls(chunks):
        call["id"] = f"call_{call['index']}"


def block_indexes(chunks: list[Json]) -> None:
    for call in calls(chunks):
        call["index"] += 1


def arguments_in_one_call(chunks: list[Json]) -> None:
    for call in calls(chunks):
        if "id" not in call:
            call["index"] = 0


def stream_finishes(reason: str) -> Wrap:
    def edit(chunks: list[Json]) -> None:
        chunks[-1]["choices"][0]["finish_reason"] = reason

    return streams(edit)


def drop_done(app: ASGIApp) -> ASGIApp:
    return Faulty(app, reply=lambda status, headers, body: (status, body.replace(b"data: [DONE]\n\n", b"")))


def ascii_only(app: ASGIApp) -> ASGIApp:
    def reply(status: int, headers: Any, body: bytes) -> tuple[int, bytes]:
        return status, body.decode().encode("ascii", "replace")

    return Faulty(app, reply=reply)


def with_usage(request: Json) -> None:
    if request.get("stream"):
        request["stream_options"] = {"include_usage": True}


def no_parts(request: Json) -> None:
    for message in request["messages"]:
        if isinstance(message["content"], list):
            message["content"] = 7


def only_first_stop(request: Json) -> None:
    request["stop"] = request["stop"][:1] if isinstance(request.get("stop"), list) else None


class Closes:
    """Closes the connection behind each reply."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self.app(scope, receive, close)


class BreaksBehindStream:
    """Fails the next request once a stream was begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.broken = app, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.broken:
            self.broken = False
            await answer(send, 500, b"{}", [(b"content-type", b"application/json"), (b"content-length", b"2")])
            return

        async def look(message: Message) -> None:
            self.broken |= any(value.startswith(b"text/event-stream") for _, value in message.get("headers", ()))
            await send(message)

        await self.app(scope, receive, look)


class Mixes:
    """Answers every request with the first one's answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.first = app, b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        self.first = self.first or body
        own = [header for header in scope["headers"] if header[0] != b"content-length"]
        await self.app({**scope, "headers": own}, replay_body(self.first, receive), send)


REFUSED = answers(200, when=lambda status: status == 400)
NOT_THE_SHAPE = answers(400, b'{"error": "no"}', when=lambda status: status == 400)

FAULTS: dict[str, Wrap] = {
    "reply-shape": replies(lambda reply: reply.update(object="text_completion")),
    "reply-content-type": media(b"text/plain"),
    "reply-text": chooses(lambda choice: choice["message"].update(content=None)),
    "reply-finish-reason": finishes("end_turn"),
    "reply-usage": replies(lambda reply: reply["usage"].update(total_tokens=1)),
    "reply-ids": replies(lambda reply: reply.update(id="chatcmpl_1")),
    "models": replies(lambda reply: reply.pop("object")),
    "stream-content-type": media(b"application/json"),
    "stream-done": drop_done,
    "stream-constant": streams(another_id),
    "stream-role": streams(role_in_all),
    "stream-finish-reason": streams(finish_twice),
    "stream-text": streams(without_text),
    "stream-pieces": streams(in_one_piece),
    "stream-usage": ignores("stream_options"),
    "stream-no-usage": asks(with_usage),
    "stream-same-end": stream_finishes("stop"),
    "system": refuses("system"),
    "developer": refuses("developer"),
    "history": refuses("assistant"),
    "parts": asks(no_parts),
    "image": answers(500, when=lambda status: True),
    "stop": ignores("stop"),
    "stop-list": asks(only_first_stop),
    "max-tokens": ignores("max_tokens"),
    "max-completion-tokens": ignores("max_completion_tokens"),
    "scripts": ascii_only,
    "scripts-stream": ascii_only,
    "n": ignores("n"),
    "logprobs": ignores("logprobs"),
    "tool-calls": chooses(lambda choice: choice["message"]["tool_calls"][0]["function"].update(arguments={})),
    "tool-finish-reason": finishes("stop"),
    "tool-arguments": chooses(arguments),
    "tool-ids": chooses(one_id),
    "tool-stream": streams(id_in_all),
    "tool-stream-arguments": streams(arguments_in_one_call),
    "tool-stream-finish-reason": stream_finishes("stop"),
    "tool-loop": refuses("tool"),
    "tool-choice-none": ignores("tool_choice"),
    "tool-choice-required": asks(lambda request: request.update(tool_choice="none")),
    "tool-choice-named": ignores("tool_choice"),
    "parallel-tool-calls": ignores("parallel_tool_calls"),
    "json-object": ignores("response_format"),
    "json-object-stream": ignores("response_format"),
    "json-schema": asks(lambda request: request.update(response_format={"type": "json_object"})),
    "json-schema-stream": asks(lambda request: request.update(response_format={"type": "json_object"})),
    "invalid-json": REFUSED,
    "messages-missing": NOT_THE_SHAPE,
    "messages-empty": answers(500, when=lambda status: status == 400),
    "role-unknown": answers(422, when=lambda status: status == 400),
    "wrong-type": replies(lambda reply: reply["error"].update(param=None)),
    "wrong-range": ignores("temperature"),
    "error-message": replies(lambda reply: reply["error"].update(message="Send a number.")),
    "error-content-type": media(b"text/html", when=lambda status: status == 400),
    "error-before-stream": REFUSED,
    "unknown-path": answers(200, when=lambda status: status == 404),
    "doubled-path": answers(404, b"Not Found", when=lambda status: status == 404),
    "wrong-method": answers(404, when=lambda status: status == 405),
    "keep-alive": Closes,
    "head": answers(500, when=lambda status: status == 405),
    "client-leaves": BreaksBehindStream,
    "at-once": Mixes,
    "cors-preflight": headers(lambda found: found.update({b"access-control-allow-headers": b"*"})),
    "cors-reply": headers(lambda found: found.pop(b"access-control-allow-origin", None)),
    "cors-error": headers(
        lambda found: found.pop(b"access-control-allow-origin", None), when=lambda status: status == 400
    ),
    "request-id": headers(lambda found: found.update({b"x-request-id": b"req_1"})),
}
