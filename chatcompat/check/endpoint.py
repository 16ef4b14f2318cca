"""The endpoint under test: asks it, and reads what it says as a client would, with bounds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
import httpx2
import msgspec

from chatcompat.check.shapes import Chunk, Completion, ErrorBody
from chatcompat.errors import DECODE_ERRORS
from chatcompat.wire.sse import EventDecoder

MAX_BYTES: Final = 8 * 1024 * 1024  # of one reply
MAX_QUOTE: Final = 160  # characters of what was seen
SHORTEST_KEY: Final = 8  # characters; what is shorter is no secret, but a stand-in, and a part of words
TRIES: Final = 3  # of a request that the endpoint's rate limit refuses
MAX_PAUSE: Final = 20.0  # seconds between two of them
PATH: Final = "/chat/completions"
HELLO: Final = "Say hello in one short sentence."

Json = dict[str, Any]
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode

_TELLING: Final = 3  # so many characters of a key are in all keys of its kind


class Broken(Exception):
    """A rule does not hold; the text says what was wanted and quotes what was seen."""


def quote(seen: object) -> str:
    """What was seen, bounded, and with nothing in it that steers a terminal."""
    text = seen if isinstance(seen, str | bytes) else _encode(msgspec.to_builtins(seen)).decode()
    short = text[:MAX_QUOTE]
    shown = short.decode(errors="replace") if isinstance(short, bytes) else short
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown)
    return f"{safe}\u2026" if len(text) > MAX_QUOTE else safe or "nothing"


def need(holds: object, wanted: str, seen: object) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(f"{wanted}; seen: {quote(seen)}")


def read(body: bytes, kind: type[T]) -> T:
    """JSON of this shape; raises `Broken`."""
    try:
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except DECODE_ERRORS as error:
        raise Broken(f"{error}; seen: {quote(body)}") from None


def _is_closed(error: httpx2.TransportError) -> bool:
    """Whether the connection was closed before a byte of the reply came."""
    closed = isinstance(error, httpx2.RemoteProtocolError) and str(error).startswith("Server disconnected")
    return closed or isinstance(error, httpx2.ReadError | httpx2.WriteError)


class EndpointReply(msgspec.Struct):
    """One HTTP reply."""

    status: int
    headers: httpx2.Headers
    body: bytes
    port: int | None = None  # the client's: replies on one connection have the same

    @property
    def media(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def pause(self) -> float | None:
        """Seconds to wait for before the same is asked again; None where it is no rate limit that refused."""
        if self.status != 429:  # noqa: PLR2004
            return None
        retry_after = self.headers.get("retry-after", "")
        return min(float(retry_after), MAX_PAUSE) if retry_after.isascii() and retry_after.isdigit() else 1.0

    def having(self, *statuses: int) -> "EndpointReply":
        """The reply, if the status is one of these; raises `Broken`."""
        wanted = " or ".join(map(str, statuses))
        need(self.status in statuses, f"wanted status {wanted}, not {self.status}", self.body)
        return self

    def ok(self) -> "EndpointReply":
        """The reply, if it is a 200; raises `Broken`."""
        return self.having(200)

    def completion(self) -> Completion:
        """The chat completion; raises `Broken`."""
        return read(self.ok().body, Completion)

    def error(self, *statuses: int) -> ErrorBody:
        """The error, if the status is one of these; raises `Broken`."""
        return read(self.having(*statuses).body, ErrorBody)

    def data(self) -> list[bytes]:
        """The data of the stream's events; raises `Broken`."""
        return EventDecoder(max_bytes=MAX_BYTES).feed(self.ok().body)

    def chunks(self) -> list[Chunk]:
        """The chunks of a stream that ended well; raises `Broken`."""
        events = [data for data in self.data() if data != b"[DONE]"]
        chunks = [read(data, Chunk) for data in events]
        need(chunks, "wanted a stream of chunks", self.body)
        return chunks


class Endpoint:
    """An endpoint at `base`, the URL in front of `/chat/completions`, asked for `model`.

    The key is sent as a bearer credential, and shown nowhere.
    """

    def __init__(self, client: httpx2.AsyncClient, base: str, model: str, key: str | None = None) -> None:
        self.base = base
        self.model = model
        self._client = client
        self._key = key
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def without_key(self, text: str) -> str:
        """The text, the key in it made unreadable: a server may echo it, and a quote may end within it."""
        if not self._key or len(self._key) < SHORTEST_KEY:
            return text
        text = text.replace(self._key, "***")
        for end in range(len(self._key) - 1, _TELLING, -1):
            text = text.replace(f"{self._key[:end]}\u2026", "***\u2026")
        return text

    @asynccontextmanager
    async def open(self, method: str, path: str, body: bytes | None = None) -> AsyncIterator[httpx2.Response]:
        """A reply whose body is still to come."""
        headers = self._headers | ({"content-type": "application/json"} if body is not None else {})
        request = self._client.build_request(method, self.base + path, content=body, headers=headers)
        try:
            response = await self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            # A server that closes a connection which it said it would keep fails one rule, not any that comes next.
            if not _is_closed(error):
                raise
            response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def send(self, method: str, path: str, body: bytes | None = None) -> EndpointReply:
        """A whole reply, asked for again where a rate limit refused; raises `Broken` where it is too large."""
        for _ in range(TRIES - 1):
            reply = await self._send(method, path, body)
            if reply.pause is None:
                return reply
            await anyio.sleep(reply.pause)
        return await self._send(method, path, body)

    async def _send(self, method: str, path: str, body: bytes | None) -> EndpointReply:
        async with self.open(method, path, body) as response:
            stream = response.extensions.get("network_stream")
            address = stream.get_extra_info("client_addr") if stream is not None else None
            pieces = bytearray()
            async for piece in response.aiter_bytes():
                pieces += piece
                need(len(pieces) <= MAX_BYTES, f"wanted a reply of at most {MAX_BYTES} bytes", pieces[:MAX_QUOTE])
        return EndpointReply(response.status_code, response.headers, bytes(pieces), address[1] if address else None)

    def body(self, messages: str | list[Json] = HELLO, **fields: object) -> bytes:
        """A request of one user message, or of these messages."""
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return _encode({"model": self.model, "messages": turns, **fields})

    async def post(self, messages: str | list[Json] = HELLO, **fields: object) -> EndpointReply:
        """The reply to such a request."""
        return await self.send("POST", PATH, self.body(messages, **fields))

    async def complete(self, messages: str | list[Json] = HELLO, **fields: object) -> Completion:
        """The completion that answers it; raises `Broken`."""
        return (await self.post(messages, **fields)).completion()

    async def chunks(self, messages: str | list[Json] = HELLO, **fields: object) -> list[Chunk]:
        """The chunks that answer it; raises `Broken`."""
        return (await self.post(messages, stream=True, **fields)).chunks()
