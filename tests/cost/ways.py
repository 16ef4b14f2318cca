"""The ways that a shape goes through the package, and what msgspec alone makes of the same bytes."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, InvalidReply, InvalidRequest, Translation, translate
from chatcompat.dialect import PRESETS
from chatcompat.origin import Origin

Pieces = list[bytes]  # a request or a reply is one piece, a stream one piece an event
Way = Callable[[Pieces], int]
"""Runs a document and says how many bytes were made of it."""

ERRORS: Final = (InvalidRequest, InvalidReply)
REFUSED: Final = 0

# ---------------------------------------------------------------- requests


def _translated(dialect: Dialect) -> Way:
    def way(pieces: Pieces) -> int:
        try:
            return len(translate(pieces[0], dialect=dialect, created=1).body)
        except InvalidRequest as error:
            return -len(error.body)

    return way


REQUEST_WAYS: Final[dict[str, Way]] = {name: _translated(dialect) for name, dialect in PRESETS.items()}

# ---------------------------------------------------------------- replies

_CHAT: Final = translate(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', created=1)


def _asked(**origin: Any) -> Translation:
    return replace(_CHAT, origin=Origin(created=1, include_usage=True, service_tier=True, **origin))


ASKED: Final[dict[str, Translation]] = {
    "text": _asked(),
    "JSON": _asked(json_tool="x"),
    "wrapped JSON": _asked(json_tool="x", json_wrapped=True),
    "custom tool": _asked(custom_tools=frozenset("x"), tool_names={"x": "x:"}),
    "function": _asked(legacy_functions=True),
    "prefill": _asked(prefill="a" * 1000),
}


def _whole(asked: Translation) -> Way:
    def way(pieces: Pieces) -> int:
        try:
            return len(asked.reply(pieces[0]))
        except InvalidReply as error:
            return -len(error.body)

    return way


def _replayed(asked: Translation) -> Way:
    def way(pieces: Pieces) -> int:
        try:
            out, stream = asked.stream_reply(pieces[0])
            return len(out) + len((stream.thinking or ("", b""))[1])
        except InvalidReply as error:
            return -len(error.body)

    return way


# ---------------------------------------------------------------- streams

PIECE: Final = 1024


def as_events(pieces: Pieces) -> Pieces:
    return pieces


def in_one(pieces: Pieces) -> Pieces:
    return [b"".join(pieces)]


def cut_anywhere(pieces: Pieces) -> Pieces:
    whole = b"".join(pieces)
    return [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]


CUTS: Final = {"one piece": in_one, "pieces of 1 kB": cut_anywhere}


def _streamed(asked: Translation, cut: Callable[[Pieces], Pieces]) -> Way:
    def way(pieces: Pieces) -> int:
        stream = asked.stream()
        made = sum(len(stream.feed(piece)) for piece in cut(pieces)) + len(stream.close())
        return made + len((stream.thinking or ("", b""))[1])

    return way


def _collected(asked: Translation, cut: Callable[[Pieces], Pieces]) -> Way:
    def way(pieces: Pieces) -> int:
        collector = asked.collector()
        try:
            for piece in cut(pieces):
                collector.feed(piece)
            return len(collector.close())
        except InvalidReply as error:
            return -len(error.body)

    return way


# ---------------------------------------------------------------- turns that may pause

_PAUSING: Final = (
    b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%b,'
    b'"tools":[{"type":"web_search_20250305","name":"web_search"}]}'
)
SSE: Final = b"text/event-stream"
JSON: Final = b"application/json"


def _app(pieces: Pieces, media: bytes) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


async def _exchange(app: ASGIApp, body: bytes) -> int:
    made, given, forever = 0, False, asyncio.Event()

    async def receive() -> Message:
        nonlocal given
        if given:
            await forever.wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal made
        made += len(message.get("body", b""))

    headers = [(b"content-type", JSON), (b"authorization", b"Bearer key")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "root_path": "", "headers": headers}
    await app({**scope, "query_string": b"", "raw_path": b"/v1/chat/completions"}, receive, send)
    return made


def _paused(cut: Callable[[Pieces], Pieces], media: bytes, *, streaming: bool) -> Way:
    body = _PAUSING % (b"true" if streaming else b"false")

    def way(pieces: Pieces) -> int:
        app = ChatCompatMiddleware(_app(cut(pieces), media))
        return asyncio.run(_exchange(app, body))

    return way


REPLY_WAYS: Final[dict[str, Way]] = {
    **{f"{name}, whole": _whole(asked) for name, asked in ASKED.items()},
    **{f"{name}, as a stream": _replayed(asked) for name, asked in ASKED.items()},
    "a turn that may pause, whole": _paused(as_events, JSON, streaming=False),
    "a turn that may pause, as a stream": _paused(as_events, JSON, streaming=True),
}
STREAM_WAYS: Final[dict[str, Way]] = {
    **{name: _streamed(asked, as_events) for name, asked in ASKED.items()},
    **{f"{name}, collected": _collected(asked, as_events) for name, asked in ASKED.items()},
    **{f"text, {how}": _streamed(ASKED["text"], cut) for how, cut in CUTS.items()},
    **{f"text, collected, {how}": _collected(ASKED["text"], cut) for how, cut in CUTS.items()},
    **{f"a turn that may pause, {how}": _paused(cut, SSE, streaming=True) for how, cut in CUTS.items()},
    "a turn that may pause": _paused(as_events, SSE, streaming=True),
    "a turn that may pause, collected": _paused(as_events, SSE, streaming=False),
}


# ---------------------------------------------------------------- msgspec alone

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def generic(pieces: Pieces) -> int:
    """Each document of the same bytes decoded and encoded by msgspec, which does not know what it is."""
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if len(pieces) == 1 and not pieces[0].startswith(b"event: "):
            return len(_encode(_decode(pieces[0])))
        decoded = [_decode(data) for data in _payloads(pieces)]
        return len(b"".join([_encode(event) for event in decoded]))
    return REFUSED


def _payloads(pieces: Pieces) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.partition(b"\ndata: ")[2].rstrip(b"\n")
