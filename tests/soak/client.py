"""The client side of the soak: one exchange with a fault over a real socket, and the checks of its reply.

The HTTP is read by hand: a library would cost more than the server that is measured, and hides resets and half replies.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from chatcompat.wire.ids import to_chat_id
from tests.soak.app import ASKED_FOR, Plan, Said, make_plan, said

CHAT_PATH = "/v1/chat/completions"
TOO_LONG = 120.0
SLOW_BUFFER = 4 * 1024

WHOLE, BROKEN, REFUSED, LEFT = "whole", "broken", "refused", "left"

CLIENT_FAULTS = {
    "stall": WHOLE,
    "leave": LEFT,
    "reset": LEFT,
    "not-json": REFUSED,
    "cut-json": REFUSED,
    "wrong-length": LEFT,
    "half-upload": LEFT,
}
# What the client gets where its reply has not begun: the status of an error, or 200 for none.
INNER_FAULTS = {
    "raise-first": 500,
    "raise-mid": 500,
    "error-first": 529,
    "error-mid": 529,
    "early-end": 502,
    "broken-json": 502,
    "huge-event": 502,
    "silent-first": 504,
    "silent-mid": 504,
    "json-reply": 200,
    "hang": 0,
    **{kind: status for kind, (status, *_) in ASKED_FOR.items()},
}
BEFORE_THE_STREAM = {"raise-first", "error-first", "silent-first", *ASKED_FOR}
FAULTS = (*CLIENT_FAULTS, *INNER_FAULTS)


class Wrong(Exception):
    """The reply is not the expected one."""


# ---------------------------------------------------------------- one exchange


@dataclass(slots=True)
class Exchange:
    """One request, what is done to it, and what came of it."""

    nonce: str
    fault: str
    streamed: bool
    plan: Plan
    padding: int
    large: bool
    stall_at: int = -1
    stall: float = 0.0
    leave_after: float = TOO_LONG
    status: int = 0  # of the reply; 0: it has not come
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def expected(self) -> str:
        if self.fault == "none":
            return WHOLE
        if self.fault in CLIENT_FAULTS:
            return CLIENT_FAULTS[self.fault]
        return {200: WHOLE, 0: LEFT}.get(INNER_FAULTS[self.fault], BROKEN)

    @property
    def model(self) -> str:
        asked = self.fault if self.fault in INNER_FAULTS else "none"
        return f"soak-{'large' if self.large else asked}"

    def tool(self, call: int) -> str:
        return f"soak.{self.nonce}.{call}"  # natively a name has no dots: each request has a mapping of its own

    def body(self) -> bytes:
        messages = [{"role": "system", "content": "x" * self.padding}, {"role": "user", "content": self.nonce}]
        request: dict[str, Any] = {"model": self.model, "messages": messages, "stream": self.streamed}
        if self.streamed:
            request["stream_options"] = {"include_usage": True}
        if self.plan.calls:
            tools = [{"name": self.tool(call), "parameters": {"type": "object"}} for call in range(self.plan.calls)]
            request["tools"] = [{"type": "function", "function": tool} for tool in tools]
        return msgspec.json.encode(request)


def choose(rng: Random, faults: float) -> Exchange:
    nonce = f"{rng.getrandbits(64):016x}"
    fault = rng.choice(FAULTS) if rng.random() < faults else "none"
    stalls = fault == "stall" or (fault in ("leave", "reset") and rng.random() < 0.5)
    exchange = Exchange(
        nonce=nonce,
        fault=fault,
        streamed=rng.random() < 0.8,
        plan=make_plan(nonce, large=stalls),
        padding=100_000 if fault == "half-upload" else rng.choice((*[1] * 7, 60_000)),
        large=stalls,
    )
    if stalls:
        # Longer than the server's patience with a silent app, since a slow client is none.
        exchange.stall_at, exchange.stall = rng.randint(2, 8), rng.uniform(3.0, 14.0)
    if fault in ("leave", "reset", "hang"):
        exchange.leave_after = rng.uniform(2.0, 5.0) if stalls or fault == "hang" else rng.uniform(0.1, 4.0)
    return exchange


class Connection:
    """An HTTP/1.1 connection, kept for as long as its replies are whole."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, *, slow: bool = False) -> Connection:
        sock = socket.socket()
        sock.setblocking(False)
        if slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock, limit=SLOW_BUFFER if slow else 64 * 1024))

    def close(self, *, reset: bool = False) -> None:
        if reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def send(self, exchange: Exchange) -> None:
        body = exchange.body()
        match exchange.fault:
            case "not-json":
                body = b"<p>\x00\xff" + body
            case "cut-json":
                body = body[: len(body) // 2]
        length = len(body) + 100 * (exchange.fault == "wrong-length")
        if exchange.fault == "half-upload":
            body = body[: len(body) // 2]
        head = f"POST {CHAT_PATH} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {exchange.nonce}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def read(self, exchange: Exchange) -> None:
        exchange.status, headers = await self.head()
        async for piece in self.body(headers):
            exchange.pieces.append(piece)
            if len(exchange.pieces) == exchange.stall_at:
                await asyncio.sleep(exchange.stall)
        exchange.complete = True

    async def get(self, target: str) -> bytes:
        self._writer.write(f"GET {target} HTTP/1.1\r\nhost: soak\r\nconnection: close\r\n\r\n".encode())
        _, headers = await self.head()
        return b"".join([piece async for piece in self.body(headers)])

    async def head(self) -> tuple[int, dict[bytes, bytes]]:
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        return int(first.split(b" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def body(self, headers: dict[bytes, bytes]) -> AsyncIterator[bytes]:
        reader = self._reader
        if headers.get(b"transfer-encoding") == b"chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                yield (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
            return
        left = int(headers[b"content-length"])
        while left:
            piece = await reader.read(min(left, 16 * 1024))
            if not piece:
                raise Wrong(f"{left} bytes of the body are missing")
            left -= len(piece)
            yield piece


async def run(exchange: Exchange, connection: Connection) -> bool:
    """Carry out an exchange; gives whether the connection can be used again. Raises `Wrong`."""
    try:
        await connection.send(exchange)
        if exchange.fault in ("wrong-length", "half-upload"):
            await asyncio.sleep(exchange.plan.pace)
        else:
            async with asyncio.timeout(exchange.leave_after):
                await connection.read(exchange)
    except TimeoutError:
        if exchange.expected != LEFT:
            raise Wrong(f"no end after {TOO_LONG:.0f} s") from None
    except (OSError, EOFError) as error:
        raise Wrong(f"the connection broke: {error!r}") from error
    judge(exchange)
    # The server closes the connection of an app that raised, even behind a complete reply.
    return exchange.complete and exchange.expected != LEFT and not exchange.fault.startswith("raise")


# ---------------------------------------------------------------- whether it is right


def must(true: object, complaint: str) -> None:
    if not true:
        raise Wrong(complaint)


def judge(exchange: Exchange) -> None:
    """Whether what came is what had to come; raises `Wrong`."""
    body, expected = b"".join(exchange.pieces), exchange.expected
    if expected == LEFT:
        if exchange.streamed and exchange.status:
            must(exchange.status == 200, f"status {exchange.status}: {body[:200]!r}")
            judge_stream(exchange, body)
    elif expected == REFUSED:
        must(exchange.status == 400, f"status {exchange.status} for garbage")
        must_be_error(msgspec.json.decode(body))
    elif expected == BROKEN and (not exchange.streamed or exchange.fault in BEFORE_THE_STREAM):
        status = INNER_FAULTS[exchange.fault]
        must(exchange.status == status, f"status {exchange.status}, not {status}: {body[:200]!r}")
        must_be_error(msgspec.json.decode(body))
    else:
        must(exchange.status == 200, f"status {exchange.status}: {body[:200]!r}")
        (judge_stream if exchange.streamed else judge_completion)(exchange, body)


def must_be_error(body: Any) -> None:
    must(set(body) == {"error"}, f"not an error: {str(body)[:200]}")
    error = body["error"]
    must(set(error) == {"message", "type", "param", "code"}, f"an error of another shape: {error}")
    must(error["message"] and error["type"], f"an error that says nothing: {error}")


def judge_stream(exchange: Exchange, body: bytes) -> None:
    read = StreamReading(exchange)
    frames = body.split(b"\n\n")
    if frames.pop():
        must(exchange.expected == LEFT, "the stream ends within a frame")
    for frame in frames:
        if frame != b": ping":
            must(frame.startswith(b"data: ") and b"\n" not in frame, f"not a frame: {frame[:200]!r}")
            read.take(frame.removeprefix(b"data: "))
    read.judge()


def judge_completion(exchange: Exchange, body: bytes) -> None:
    completion = msgspec.json.decode(body)
    judge_head(exchange, completion)
    choice = completion["choices"][0]
    calls = choice["message"].get("tool_calls", [])
    for index, call in enumerate(calls):
        judge_call(exchange, index, call)
    got = Said(choice["message"]["content"], [call["function"]["arguments"] for call in calls])
    must(got == said(exchange.plan.steps), f"another content: {difference(got, said(exchange.plan.steps))}")
    must(choice["finish_reason"] == finish_reason(exchange.plan), f"finish_reason {choice['finish_reason']}")
    must(completion["usage"]["completion_tokens"] == exchange.plan.tokens, "another usage")


def judge_head(exchange: Exchange, reply: dict[str, Any]) -> None:
    must(reply["id"] == f"chatcmpl_{exchange.nonce}", f"another id: {reply['id']}")
    must(reply["model"] == exchange.model, f"another model: {reply['model']}")


def judge_call(exchange: Exchange, index: int, call: dict[str, Any]) -> None:
    must(call["id"] == to_chat_id(f"toolu_{exchange.nonce}_{index}"), f"another call: {call['id']}")
    must(call["function"]["name"] == exchange.tool(index), f"another tool: {call['function']['name']}")


def finish_reason(plan: Plan) -> str:
    return "tool_calls" if plan.calls else "stop"


def difference(got: Said, wanted: Said) -> str:
    pairs = zip((got.text, *got.arguments), (wanted.text, *wanted.arguments), strict=False)
    places = [f"{len(a)} of {len(b)} characters, {a[-60:]!r} where {b[-60:]!r} was wanted" for a, b in pairs if a != b]
    return "; ".join(places) or f"{len(got.arguments)} calls of {len(wanted.arguments)}"


class StreamReading:
    """What the frames of one stream said, in order; each check raises `Wrong`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._text: list[str] = []
        self._arguments: list[list[str]] = []
        self._finish: list[str] = []
        self._usage: dict[str, Any] | None = None
        self._last = ""  # "done" or "error": nothing comes behind it
        self._error = ""

    def take(self, data: bytes) -> None:
        must(not self._last, f"a frame behind the end ({self._last})")
        if data == b"[DONE]":
            self._last = "done"
            return
        chunk = msgspec.json.decode(data)
        if "error" in chunk:
            must_be_error(chunk)
            self._last, self._error = "error", chunk["error"]["message"]
            return
        judge_head(self._exchange, chunk)
        if not chunk["choices"]:
            self._usage = chunk["usage"]
            return
        choice = chunk["choices"][0]
        must(not self._finish, "a chunk behind the finish_reason")
        if choice["finish_reason"] is not None:
            self._finish.append(choice["finish_reason"])
        self._take_delta(choice["delta"])

    def _take_delta(self, delta: dict[str, Any]) -> None:
        self._text.append(delta.get("content") or "")
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                must(call["index"] == len(self._arguments), f"call {call['index']} out of order")
                judge_call(self._exchange, call["index"], call)
                self._arguments.append([])
            self._arguments[call["index"]].append(call["function"]["arguments"])

    def judge(self) -> None:
        exchange, plan = self._exchange, self._exchange.plan
        got = Said("".join(self._text), ["".join(pieces) for pieces in self._arguments])
        if exchange.expected == LEFT:
            wanted = said(plan.steps)
            pairs = zip((got.text, *got.arguments), (wanted.text, *wanted.arguments), strict=False)
            must(all(b.startswith(a) for a, b in pairs), f"another content: {difference(got, wanted)}")
            must(self._last != "error", f"an error that was not injected: {self._error}")
            return
        broken = exchange.expected == BROKEN
        wanted = said(plan.steps[: plan.half] if broken else plan.steps)
        must(self._last == ("error" if broken else "done"), f"it ends with: {self._last} {self._error}")
        must(self._finish == ([] if broken else [finish_reason(plan)]), f"finish_reason {self._finish}")
        must(got == wanted, f"another content: {difference(got, wanted)}")
        if not broken:
            must((self._usage or {}).get("completion_tokens") == plan.tokens, f"another usage: {self._usage}")
