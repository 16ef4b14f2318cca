"""The ways that a shape goes through the package, and what msgspec alone makes of the same bytes."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, Dialect, InvalidReply, InvalidRequest, Translation, translate
from chatcompat.dialect import PRESETS
from chatcompat.reply.context import ReplyContext
from chatcompat.request.known_tools import forget

Pieces = list[bytes]  # a request or a reply is one piece, a stream one piece an event
Run = Callable[[Pieces], int]
"""Takes a document and says how many bytes were made of it; of an error, below 0."""


Sent = Callable[[Pieces], bytes]
"""Takes a document and gives the bytes that the client gets, none of an error."""


@dataclass(frozen=True)
class Way:
    """One way through the package, and what its cost is held against.

    A reply has more bytes than it was made of: each event of a stream names its completion, and blocks that only the
    native API has are JSON in a string. Where `sent` is given, writing the reply counts too.
    """

    run: Run
    floor: Run
    sent: Sent | None = None


ERRORS: Final = (InvalidRequest, InvalidReply)
REFUSED: Final = 0

# ---------------------------------------------------------------- requests


def _translated(dialect: Dialect) -> Run:
    def way(pieces: Pieces) -> int:
        forget()  # the worst tools are new ones
        try:
            return len(translate(pieces[0], dialect=dialect, created=1).body)
        except InvalidRequest as error:
            return -len(error.body)

    return way


# ---------------------------------------------------------------- replies

_CHAT: Final = translate(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', created=1)


def _asked(**origin: Any) -> Translation:
    return replace(_CHAT, context=ReplyContext(created=1, include_usage=True, service_tier=True, **origin))


ASKED: Final[dict[str, Translation]] = {
    "text": _asked(),
    "JSON": _asked(json_tool="x"),
    "wrapped JSON": _asked(json_tool="x", json_wrapped=True),
    "custom tool": _asked(custom_tools=frozenset("x"), tool_names={"x": "x:"}),
    "function": _asked(legacy_functions=True),
    "prefill": _asked(prefill="a" * 1000),
}


def _whole(asked: Translation) -> Way:
    def run(pieces: Pieces) -> int:
        try:
            return len(asked.reply(pieces[0]))
        except InvalidReply as error:
            return -len(error.body)

    def sent(pieces: Pieces) -> bytes:
        with contextlib.suppress(InvalidReply):
            return asked.reply(pieces[0])
        return b""

    return Way(run, generic, sent)


def _replayed(asked: Translation) -> Way:
    def run(pieces: Pieces) -> int:
        try:
            stream = asked.stream()
            out = stream.replay(pieces[0])
            return len(out) + (stream.summary.thinking is not None)
        except InvalidReply as error:
            return -len(error.body)

    def sent(pieces: Pieces) -> bytes:
        with contextlib.suppress(InvalidReply):
            return asked.stream().replay(pieces[0])
        return b""

    return Way(run, generic, sent)


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
    def run(pieces: Pieces) -> int:
        stream = asked.stream()
        made = sum(len(stream.feed(piece)) for piece in cut(pieces)) + len(stream.close())
        return made + (stream.summary.thinking is not None)

    def sent(pieces: Pieces) -> bytes:
        stream = asked.stream()
        return b"".join([*map(stream.feed, pieces), stream.close()])

    return Way(run, generic, sent)


def _collected(asked: Translation, cut: Callable[[Pieces], Pieces]) -> Way:
    def collect(pieces: Pieces) -> bytes:
        collector = asked.collector()
        for piece in cut(pieces):
            collector.feed(piece)
        return collector.close()

    def run(pieces: Pieces) -> int:
        try:
            return len(collect(pieces))
        except InvalidReply as error:
            return -len(error.body)

    def sent(pieces: Pieces) -> bytes:
        with contextlib.suppress(InvalidReply):
            return collect(pieces)
        return b""

    return Way(run, generic, sent)


# ---------------------------------------------------------------- turns that may pause

_PAUSING: Final = (
    b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%b,'
    b'"tools":[{"type":"web_search_20250305","name":"web_search"}]}'
)
_GONE_ON: Final = b'{"id":"msg_2","model":"m","content":[],"stop_reason":"end_turn"}'
SSE: Final = b"text/event-stream"
JSON: Final = b"application/json"


def _app(pieces: Pieces, media: bytes) -> ASGIApp:
    """A messages app that sends these pieces; called once more, as for a turn that it paused, it has little to add."""
    called = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal called
        await receive()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON if called else media)]}
        )
        for piece in [_GONE_ON] if called else pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        called = True
        await send({"type": "http.response.body", "body": b""})

    return app


async def _exchange(app: ASGIApp, body: bytes, take: Callable[[bytes], object] = len) -> int:
    made, given, forever = 0, False, asyncio.Event()

    async def receive() -> Message:
        nonlocal given
        if given:
            await forever.wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal made
        piece = message.get("body", b"")
        made += len(piece)
        take(piece)

    headers = [(b"content-type", JSON), (b"authorization", b"Bearer key")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "root_path": "", "headers": headers}
    await app({**scope, "query_string": b"", "raw_path": b"/v1/chat/completions"}, receive, send)
    return made


def _may_pause(cut: Callable[[Pieces], Pieces], media: bytes, *, streaming: bool) -> Way:
    """By the middleware; its floor has the same app without it."""
    body = _PAUSING % (b"true" if streaming else b"false")

    def run(pieces: Pieces) -> int:
        return asyncio.run(_exchange(ChatCompatMiddleware(_app(cut(pieces), media)), body))

    def floor(pieces: Pieces) -> int:
        return asyncio.run(_exchange(_app(cut(pieces), media), body)) + generic(pieces)

    def sent(pieces: Pieces) -> bytes:
        taken: list[bytes] = []
        asyncio.run(_exchange(ChatCompatMiddleware(_app(cut(pieces), media)), body, taken.append))
        return b"".join(taken)

    return Way(run, floor, sent)


# ---------------------------------------------------------------- msgspec alone

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def generic(pieces: Pieces) -> int:
    """Each document of the same bytes decoded and encoded by msgspec, which does not know what it is.

    The lines of a stream are split before: every reader of one must.
    """
    if len(pieces) == 1:
        return _recoded([pieces[0]])
    lines = b"".join(pieces).splitlines()
    return _recoded([line[6:] for line in lines if line.startswith(b"data: ")])


def generic_request(pieces: Pieces) -> int:
    """The same for a request. The arguments of its calls are JSON in a string, and are recoded too."""
    made = generic(pieces)
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        for message in _decode_arguments(pieces[0]).messages:
            for call in message.tool_calls or ():
                made += _recoded([call.function.arguments.encode()])
            if message.function_call is not None:
                made += _recoded([message.function_call.arguments.encode()])
    return made


def events_of(sent: bytes) -> list[Any]:
    """A reply, or the events of a stream of chunks, as msgspec reads them."""
    if sent.startswith(b"{"):
        sent = b"data: %b" % sent
    events = []
    for line in sent.splitlines():
        if line.startswith(b"data: {"):
            try:
                events.append(_decode(line[6:]))
            except (msgspec.DecodeError, RecursionError):  # too many digits, or too deep
                events.append(msgspec.Raw(line[6:]))
    return events


def write(events: list[Any]) -> int:
    """Write events as msgspec alone does."""
    return len(b"".join([_encode(event) for event in events]))


class _Function(msgspec.Struct):
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function


class _Message(msgspec.Struct):
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Request(msgspec.Struct):
    messages: list[_Message]


_decode_arguments = msgspec.json.Decoder(_Request).decode


def _recoded(documents: list[bytes]) -> int:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = [_decode(document) for document in documents]
        return len(b"".join([_encode(value) for value in decoded]))
    return REFUSED


# ---------------------------------------------------------------- all ways

REQUEST_WAYS: Final[dict[str, Way]] = {
    name: Way(_translated(dialect), generic_request) for name, dialect in PRESETS.items()
}
REPLY_WAYS: Final[dict[str, Way]] = {
    **{f"{name}, whole": _whole(asked) for name, asked in ASKED.items()},
    **{f"{name}, as a stream": _replayed(asked) for name, asked in ASKED.items()},
    "may pause, whole": _may_pause(as_events, JSON, streaming=False),
    "may pause, as a stream": _may_pause(as_events, JSON, streaming=True),
}
STREAM_WAYS: Final[dict[str, Way]] = {
    **{name: _streamed(asked, as_events) for name, asked in ASKED.items()},
    **{f"{name}, collected": _collected(asked, as_events) for name, asked in ASKED.items()},
    **{f"text, {how}": _streamed(ASKED["text"], cut) for how, cut in CUTS.items()},
    **{f"text, collected, {how}": _collected(ASKED["text"], cut) for how, cut in CUTS.items()},
    **{f"may pause, {how}": _may_pause(cut, SSE, streaming=True) for how, cut in CUTS.items()},
    "may pause": _may_pause(as_events, SSE, streaming=True),
    "may pause, collected": _may_pause(as_events, SSE, streaming=False),
}
# Those that have all code in them: for the many shapes of the walk.
FEW: Final = frozenset(
    {"native", "native-2026-10-21"}
    | {"text, whole", "wrapped JSON, as a stream", "may pause, whole"}
    | {"text", "wrapped JSON, collected", "may pause"}
)


def few(ways: dict[str, Way]) -> dict[str, Way]:
    return {name: way for name, way in ways.items() if name in FEW}
