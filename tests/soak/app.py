"""The server's side of the soak: the plan of each reply, the inner messages app, and the process that serves it.

The soak starts it as `python -m tests.soak.app`. It prints the port that it listens on.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import socket
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, AnyStr, NamedTuple

import msgspec
import uvicorn
from msgspec.json import encode
from starlette.types import ASGIApp, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware

MAX_EVENT_BYTES = 64 * 1024
MAX_REPLY_BYTES = 512 * 1024
SEND_BUFFER = 16 * 1024  # small, so that a client that stops reading is felt by the inner app within a few pieces
KEEP_ALIVE = 2.0
PATIENCE = 8.0
LONGEST_HANG = PATIENCE - 1  # the client of an app that hangs leaves before: that must end it, not its silence
STATE_PATH = "/soak/state"
# Three of these fill what is between the app and a client that does not read. A pause in between is long enough for a
# comment, which then waits for that client, and the app for the comment.
LARGE_PIECE = 32 * 1024
LARGE_PIECES = 10
PAUSE = KEEP_ALIVE + 0.5

# What comes out wrong where bytes are cut, escaped or read as lines without care.
ODD = ("", " ", '"', "\\", "\n", "\u2028", "é", "漢", "😀", "data: [DONE]\n\n")

OVERLOADED = {"type": "overloaded_error", "message": "Overloaded, as asked for."}
ASKED_FOR = {
    "status-529": (529, encode({"type": "error", "error": OVERLOADED}), b"application/json"),
    "html-502": (502, b"<html><h1>502 Bad Gateway</h1></html>", b"text/html"),
}


class SoakFault(Exception):
    """What the inner app raises when it was asked to."""


# ---------------------------------------------------------------- what a reply is to be


class Step(NamedTuple):
    """One event of a reply; `call` is -1 for the text. Its value is made when it is sent, to wait in no memory."""

    kind: str
    call: int = -1
    piece: str = ""
    times: int = 1

    @property
    def value(self) -> str:
        return self.piece * self.times


@dataclass(frozen=True, slots=True)
class Plan:
    """The reply to one request, known to both sides by the nonce of the request alone."""

    nonce: str
    steps: tuple[Step, ...]
    pace: float
    as_events: bool  # how a whole reply is sent: as events, or as one message
    recut: bool  # whether the events are sent in pieces that do not end where they do
    listens: bool  # whether an app that hangs hears that its client left
    calls: int

    @property
    def half(self) -> int:
        return len(self.steps) // 2

    @property
    def tokens(self) -> int:
        return int(self.nonce[:6], 16)


class Said(NamedTuple):
    """The text, and the arguments of each call that was begun."""

    text: str
    arguments: list[str]


def said(steps: tuple[Step, ...]) -> Said:
    opened = max((step.call for step in steps), default=-1) + 1
    text = "".join(step.value for step in steps if step.kind == "text")
    return Said(text, ["".join(step.value for step in steps if step.call == call) for call in range(opened)])


def make_plan(nonce: str, *, large: bool) -> Plan:
    rng = Random(nonce)
    calls = rng.choice((0, 0, 1, 2))
    texts = LARGE_PIECES if large else rng.randint(6, 12) if calls else rng.randint(18, 34)
    steps = [Step("start"), Step("open")]
    for index in range(texts):
        marked = f"[{nonce}.{index}{rng.choice(ODD)}]"
        times = LARGE_PIECE // len(marked) if large else rng.randint(1, 6)
        steps.append(Step("text", piece=marked, times=times))
    steps.append(Step("close"))
    for call in range(calls):
        parts = [f"{nonce}.{call}.{part}{rng.choice(ODD)}" for part in range(rng.randint(4, 12))]
        arguments = encode({"nonce": nonce, "call": call, "parts": parts}).decode()
        steps.append(Step("open", call))
        steps += [Step("input", call, piece) for piece in cut(arguments, rng.randint(4, 9), rng)]
        steps.append(Step("close", call))
    steps += [Step("stop"), Step("end")]
    as_events, recut, listens = rng.random() < 0.5, rng.random() < 0.25, rng.random() < 0.5
    return Plan(nonce, tuple(steps), rng.uniform(0.05, 0.2), as_events, recut, listens, calls)


def cut(whole: AnyStr, pieces: int, rng: Random) -> list[AnyStr]:
    places: list[int] = sorted(rng.sample(range(1, len(whole)), pieces - 1))
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


def frame(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **fields}))


def to_frame(step: Step, plan: Plan, model: str, names: list[str]) -> bytes:
    index = step.call + 1
    match step.kind:
        case "start":
            return frame("message_start", message=to_message(plan, model, []) | {"stop_reason": None})
        case "open" if step.call < 0:
            return frame("content_block_start", index=index, content_block={"type": "text", "text": ""})
        case "open":
            block = {"type": "tool_use", "id": f"toolu_{plan.nonce}_{step.call}", "name": names[step.call], "input": {}}
            return frame("content_block_start", index=index, content_block=block)
        case "text":
            return frame("content_block_delta", index=index, delta={"type": "text_delta", "text": step.value})
        case "input":
            delta = {"type": "input_json_delta", "partial_json": step.value}
            return frame("content_block_delta", index=index, delta=delta)
        case "close":
            return frame("content_block_stop", index=index)
        case "stop":
            told = {"stop_reason": "tool_use" if plan.calls else "end_turn", "stop_sequence": None}
            return frame("message_delta", delta=told, usage={"output_tokens": plan.tokens})
        case _:
            return frame("message_stop")


def to_message(plan: Plan, model: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{plan.nonce}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if plan.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": plan.tokens},
    }


def to_events(plan: Plan, model: str, names: list[str]) -> Iterator[bytes]:
    frames = (to_frame(step, plan, model, names) for step in plan.steps)
    if plan.recut and model == "soak-none":
        yield from cut(b"".join(frames), len(plan.steps), Random(plan.nonce))
    else:
        yield from frames


def to_body(plan: Plan, model: str, names: list[str]) -> Iterator[bytes]:
    whole = said(plan.steps)
    content: list[dict[str, Any]] = [{"type": "text", "text": whole.text}]
    for call, arguments in enumerate(whole.arguments):
        block = {"type": "tool_use", "id": f"toolu_{plan.nonce}_{call}", "name": names[call]}
        content.append(block | {"input": msgspec.Raw(arguments.encode())})
    yield from cut(encode(to_message(plan, model, content)), len(content) + 1, Random(plan.nonce))


BROKEN = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"te\n\n'
HUGE = frame("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * (MAX_EVENT_BYTES + 1)})


def spoil(pieces: Iterable[bytes], fault: str, half: int, *, events: bool) -> Iterator[bytes]:
    """The pieces of a reply with a fault in them."""
    error = frame("error", error=OVERLOADED) if events else encode({"type": "error", "error": OVERLOADED})
    huge = [HUGE] * (1 if events else MAX_REPLY_BYTES // MAX_EVENT_BYTES + 1)
    added = {"error-first": [error], "error-mid": [error], "broken-json": [BROKEN], "huge-event": huge}
    at = 0 if fault == "error-first" or (fault == "error-mid" and not events) else half
    for index, piece in enumerate(pieces):
        if index == at:
            yield from added.get(fault, ())
            if fault in ("error-first", "error-mid", "early-end"):
                return
        yield piece


# ---------------------------------------------------------------- the inner app


class MessagesApp:
    """Serves `POST /v1/messages` by the plan of each request, with the fault that its model asks for."""

    def __init__(self, log: CountedLog) -> None:
        self.counts = Counter[str](ended=0, cancelled=0, raised=0, failed=0)
        self.started = 0
        self.held_back = 0  # sends that a slow client kept waiting
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == STATE_PATH:
            body = encode(self.state(collect=bool(scope["query_string"])))
            await _respond(send, 200, body, b"application/json")
            return
        self.started += 1
        outcome = "failed"
        try:
            await self._answer(scope, receive, send)
            outcome = "ended"
        except SoakFault:
            outcome = "raised"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self.counts[outcome] += 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = msgspec.json.decode((await receive())["body"])
        model, nonce = request["model"], request["messages"][-1]["content"]
        fault = model.removeprefix("soak-")
        if dict(scope["headers"])[b"authorization"] != b"Bearer " + nonce.encode():
            raise RuntimeError("the headers are not those of this request")
        if fault == "raise-first":
            raise SoakFault
        if fault == "silent-first":
            await asyncio.Event().wait()
        if fault in ASKED_FOR:
            await _respond(send, *ASKED_FOR[fault])
            return
        plan = make_plan(nonce, large=fault == "large")
        events = fault != "json-reply" and (plan.as_events or request.get("stream", False))
        media = (b"content-type", b"text/event-stream" if events else b"application/json")
        await send({"type": "http.response.start", "status": 200, "headers": [media]})
        pieces = (to_events if events else to_body)(plan, model, [tool["name"] for tool in request.get("tools", ())])
        half, rng = plan.half if events else 1, Random(nonce)
        stop_at = half if fault in ("raise-mid", "hang", "silent-mid") else -1
        for index, piece in enumerate(spoil(pieces, fault, half, events=events)):
            await asyncio.sleep(PAUSE if fault == "large" and rng.random() < 0.2 else plan.pace)
            if index == stop_at and fault == "raise-mid":
                raise SoakFault
            if index == stop_at:
                async with asyncio.timeout(LONGEST_HANG if fault == "hang" else None):
                    await (receive() if fault == "hang" and plan.listens else asyncio.Event().wait())
                return
            await self._say(send, piece)
        await self._say(send, b"", more_body=False)

    async def _say(self, send: Send, piece: bytes, *, more_body: bool = True) -> None:
        began = time.monotonic()
        await send({"type": "http.response.body", "body": piece, "more_body": more_body})
        self.held_back += time.monotonic() - began > 1

    def state(self, *, collect: bool) -> dict[str, Any]:
        """What this process holds, and what became of its exchanges."""
        if collect:
            gc.collect()  # brings out exceptions that nobody retrieved
            ctypes.CDLL(None).malloc_trim(0)  # of glibc: what is free is no memory that stays
        memory = Path("/proc/self/status").read_text(encoding="ascii").partition("VmRSS:")[2]
        return {
            "tasks": len(asyncio.all_tasks()),
            "fds": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "rss_kib": int(memory.split()[0]),
            "cpu": time.process_time(),
            "running": self.started - self.counts.total(),
            "started": self.started,
            "held_back": self.held_back,
            **self.counts,
            "log_injected": self._log.injected,
            "log_other": self._log.other,
            "log_first": self._log.first,
        }


async def _respond(send: Send, status: int, body: bytes, media: bytes) -> None:
    headers = [(b"content-type", media), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# ---------------------------------------------------------------- the process


class CountedLog(logging.Handler):
    """Counts errors and warnings, those of injected exceptions apart; keeps no traceback, which would hold memory."""

    def __init__(self) -> None:
        super().__init__()
        self.injected = 0
        self.other = 0
        self.first: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if record.name == "uvicorn.error" and type(error) is SoakFault:
            self.injected += 1
        elif record.levelno >= logging.ERROR or record.name == "py.warnings":
            self.other += 1
            if len(self.first) < 20:
                self.first.append(f"{record.name}: {record.getMessage().strip()[:300]} {error!r:.300}")


def create_app(log: CountedLog) -> ASGIApp:
    return ChatCompatMiddleware(
        MessagesApp(log),
        max_event_bytes=MAX_EVENT_BYTES,
        max_reply_bytes=MAX_REPLY_BYTES,
        keep_alive=KEEP_ALIVE,
        first_byte_timeout=PATIENCE,
        idle_timeout=PATIENCE,
    )


def main() -> None:
    log = CountedLog()
    logging.basicConfig(level=logging.WARNING, handlers=[log])
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")
    config = uvicorn.Config(
        create_app(log), loop="uvloop", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=config.backlog)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # each connection inherits it
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
