"""Properties that hold for any bytes, one for each target.

- request: no matter what a client sends, it becomes strict JSON for the inner app or an error with a well-formed body.
- stream: no matter what the inner app streams, the client's stream is the same however it is cut, and ends whole or
  with one error.
- reply: no matter what the inner app replies, it becomes a completion or an error with a well-formed body.
- exchange: no matter in what order client and inner app speak, the server sees what the specification allows.
"""

import json
from collections.abc import Callable
from typing import Final

import anyio
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, InvalidReply, InvalidRequest, translate
from tests.asgi.faults.server import HELLO, JSON, REPLY, SSE, Server, frame, request, strict

ASKED: Final = translate(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}', created=1)
JSON_ASKED: Final = translate(
    b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}}',
    created=1,
)


def check_error(body: bytes) -> None:
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert len(body) < 4096


def fuzz_request(data: bytes) -> None:
    try:
        translation = translate(data)
    except InvalidRequest as error:
        check_error(error.body)
        return
    strict(translation.body)


def fuzz_stream(data: bytes) -> None:
    for asked in (ASKED, JSON_ASKED):
        whole = asked.stream()
        out = whole.feed(data) + whole.close()
        split = asked.stream()
        pieces = [split.feed(data[index : index + 1]) for index in range(len(data))]
        assert b"".join([*pieces, split.close()]) == out
        halves = asked.stream()
        middle = len(data) // 2
        assert halves.feed(data[:middle]) + halves.feed(data[middle:]) + halves.close() == out
        frames = out.decode().split("\n\n")
        assert frames.pop() == ""
        assert all(line.startswith(("data: ", ": ")) and "\n" not in line for line in frames)
        assert (frames[-1] == "data: [DONE]") == (whole.error is None)
        if whole.error is not None:
            check_error(whole.error.body)
            assert json.loads(frames[-1].removeprefix("data: ")) == json.loads(whole.error.body)


def fuzz_reply(data: bytes) -> None:
    for asked in (ASKED, JSON_ASKED):
        try:
            completion = json.loads(asked.reply(data))
        except InvalidReply as error:
            check_error(error.body)
            continue
        (choice,) = completion["choices"]
        for call in choice["message"].get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    check_error(ASKED.error(500, data))


# ---------------------------------------------------------------- exchanges

WHOLE: Final = json.dumps(REPLY).encode()
STEPS: Final[list[Message]] = [
    SSE,
    JSON,
    {"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"text/html")]},
    *({"type": "http.response.body", "body": frame(event), "more_body": True} for event in HELLO),
    {"type": "http.response.body", "body": WHOLE, "more_body": True},
    {"type": "http.response.body", "body": WHOLE[:20], "more_body": True},
    {"type": "http.response.body", "body": b"", "more_body": False},
    {"type": "http.response.body"},
    {"type": "http.response.trailers", "headers": []},
]
RECEIVE, SLEEP, RAISE = len(STEPS), len(STEPS) + 1, len(STEPS) + 2
REQUESTS: Final = [
    b'{"model":"m","messages":[{"role":"user","content":"hi"}]}',
    b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}',
    b'{"model":"m","messages":[]}',
    b"nope",
]


class Raised(Exception):
    """By the inner app."""


def fuzz_exchange(data: bytes) -> None:
    """The first byte is the request, the second its cut, the third when the client leaves; then the app's steps."""
    asked, cut, leave, *steps = data[:40].ljust(3, b"\0")
    anyio.run(_exchange, REQUESTS[asked % len(REQUESTS)], cut, leave, steps)


async def _exchange(raw: bytes, cut: int, leave: int, steps: list[int]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.move_on_after(0.01):  # it may wait for a client that stays
            for step in steps:
                await _act(step % (len(STEPS) + 3), receive, send)

    cut %= len(raw)
    pieces = [request(raw[:cut], more_body=True), request(raw[cut:])]
    style = "oserror" if leave & 128 else "silent"
    server = Server(pieces, style=style, leave_after=leave & 127 if leave & 64 else None)  # type: ignore[arg-type]
    wrapped = ChatCompatMiddleware(app, disconnect_grace=0, first_byte_timeout=0.1, idle_timeout=0.1)
    try:
        seen = await server.run(wrapped)
    except (Raised, OSError):
        seen = server.seen
        assert seen.broken == []
    if seen.complete and seen.status == 200 and seen.header(b"content-length") is None:
        assert seen.is_whole() or seen.fails()
    elif seen.complete:
        json.loads(seen.body)


async def _act(step: int, receive: Receive, send: Send) -> None:
    if step == RECEIVE:
        await receive()
    elif step == SLEEP:
        await anyio.lowlevel.checkpoint()
    elif step == RAISE:
        raise Raised
    else:
        await send(STEPS[step])


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "request": fuzz_request,
    "stream": fuzz_stream,
    "reply": fuzz_reply,
    "exchange": fuzz_exchange,
}
