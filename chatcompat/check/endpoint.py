"""The endpoint under test: sends requests, and reads replies as a client would, up to a size limit."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
import httpx2
import msgspec

from chatcompat.check.shapes import Chunk, Completion, ErrorBody
from chatcompat.errors import DECODE_ERRORS
from chatcompat.wire.sse import EventDecoder

MAX_BYTES: Final = 8 * 1024 * 1024  # of one reply
MAX_QUOTE: Final = 160  # characters quoted from a reply
SHORTEST_KEY: Final = 8  # characters. A shorter key is a placeholder, which may be part of a word
TRIES: Final = 3  # for a request that the rate limit refuses
MAX_PAUSE: Final = 20.0  # seconds between two tries
PATH: Final = "/chat/completions"
HELLO: Final = "Say hello in one short sentence."

Json = dict[str, Any]
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode

_COMMON_PREFIX: Final = 3  # characters that all keys of a service may share


class Broken(Exception):
    """A rule does not hold. The message says what was expected, and quotes what was received."""


def quote(seen: object) -> str:
    """Format a value for a message: shortened, with terminal control characters escaped."""
    text = seen if isinstance(seen, str | bytes) else _encode(msgspec.to_builtins(seen)).decode()
    short = text[:MAX_QUOTE]
    shown = short.decode(errors="replace") if isinstance(short, bytes) else short
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown)
    return f"{safe}\u2026" if len(text) > MAX_QUOTE else safe or "nothing"


def need(holds: object, wanted: str, seen: object) -> None:
    """Raise `Broken` unless `holds` is true."""
    if not holds:
        raise Broken(f"{wanted}; seen: {quote(seen)}")


def read(body: bytes, kind: type[T]) -> T:
    """Decode JSON as `kind`. Raises `Broken` if it does not fit."""
    try:
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except DECODE_ERRORS as error:
        raise Broken(f"{error}; seen: {quote(body)}") from None


def _is_closed(error: httpx2.TransportError) -> bool:
    """Whether the connection was closed before any byte of the reply arrived."""
    closed = isinstance(error, httpx2.RemoteProtocolError) and str(error).startswith("Server disconnected")
    return closed or isinstance(error, httpx2.ReadError | httpx2.WriteError)


class EndpointReply(msgspec.Struct):
    """One HTTP reply."""

    status: int
    headers: httpx2.Headers
    body: bytes
    port: int | None = None  # the client's port: the same for all replies on one connection

    @property
    def media(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def pause(self) -> float | None:
        """Seconds to wait before the next try. None unless the status is 429."""
        if self.status != 429:  # noqa: PLR2004
            return None
        retry_after = self.headers.get("retry-after", "")
        return min(float(retry_after), MAX_PAUSE) if retry_after.isascii() and retry_after.isdigit() else 1.0

    def having(self, *statuses: int) -> "EndpointReply":
        """Return the reply. Raises `Broken` unless its status is one of `statuses`."""
        wanted = " or ".join(map(str, statuses))
        need(self.status in statuses, f"wanted status {wanted}, not {self.status}", self.body)
        return self

    def ok(self) -> "EndpointReply":
        """Return the reply. Raises `Broken` unless its status is 200."""
        return self.having(200)

    def completion(self) -> Completion:
        """Decode a chat completion. Raises `Broken` if it is not one."""
        return read(self.ok().body, Completion)

    def error(self, *statuses: int) -> ErrorBody:
        """Decode an error body. Raises `Broken` if it is not one, or has another status."""
        return read(self.having(*statuses).body, ErrorBody)

    def data(self) -> list[bytes]:
        """Return the data of each event. Raises `Broken` unless the status is 200."""
        return EventDecoder(max_bytes=MAX_BYTES).feed(self.ok().body)

    def chunks(self) -> list[Chunk]:
        """Decode the chunks of a complete stream. Raises `Broken` if one is invalid."""
        events = [data for data in self.data() if data != b"[DONE]"]
        chunks = [read(data, Chunk) for data in events]
        need(chunks, "wanted a stream of chunks", self.body)
        return chunks


class Endpoint:
    """A chat-completions endpoint under test.

    Args:
        client: The HTTP client. Its timeouts apply.
        base: The URL without `/chat/completions`, such as `http://127.0.0.1:8000/v1`.
        model: The model to request.
        key: The API key, sent as a bearer token. Outcomes mask it if it has at least 8 characters.
        origin: The origin of a web page, for the rules that need one.
    """

    def __init__(
        self, client: httpx2.AsyncClient, base: str, model: str, key: str | None = None, origin: str = ""
    ) -> None:
        self.base = base
        self.model = model
        self.origin = origin
        self._client = client
        self._key = key
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def without_key(self, text: str) -> str:
        """Replace the key in `text` with `***`. A server may echo the key, and a quote may cut it short."""
        if not self._key or len(self._key) < SHORTEST_KEY:
            return text
        text = text.replace(self._key, "***")
        for end in range(len(self._key) - 1, _COMMON_PREFIX, -1):
            text = text.replace(f"{self._key[:end]}\u2026", "***\u2026")
        return text

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, and yield the reply before its body is read."""
        own = {} if method == "OPTIONS" else self._headers  # a browser asks without credentials
        headers = own | ({"content-type": "application/json"} if body is not None else {}) | dict(more or {})
        request = self._client.build_request(method, self.base + path, content=body, headers=headers)
        try:
            response = await self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            # A server that wrongly closes a kept connection should fail one rule, not the next one too.
            if not _is_closed(error):
                raise
            response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> EndpointReply:
        """Send a request and read the whole reply. Tries again if the rate limit refuses it.

        Args:
            method: The HTTP method.
            path: The path after the base URL, such as `/models`.
            body: The JSON body, if any.
            headers: More headers, such as `Origin`.

        Raises:
            Broken: The reply is larger than 8 MiB.
        """
        for _ in range(TRIES - 1):
            reply = await self._send(method, path, body, headers)
            if reply.pause is None:
                return reply
            await anyio.sleep(reply.pause)
        return await self._send(method, path, body, headers)

    async def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> EndpointReply:
        async with self.open(method, path, body, headers) as response:
            stream = response.extensions.get("network_stream")
            address = stream.get_extra_info("client_addr") if stream is not None else None
            pieces = bytearray()
            async for piece in response.aiter_bytes():
                pieces += piece
                need(len(pieces) <= MAX_BYTES, f"wanted a reply of at most {MAX_BYTES} bytes", pieces[:MAX_QUOTE])
        return EndpointReply(response.status_code, response.headers, bytes(pieces), address[1] if address else None)

    def body(self, messages: str | list[Json] = HELLO, **fields: object) -> bytes:
        """Encode a chat request.

        Args:
            messages: The messages, or the text of one user message.
            **fields: Other fields of the request.
        """
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return _encode({"model": self.model, "messages": turns, **fields})

    async def post(self, messages: str | list[Json] = HELLO, **fields: object) -> EndpointReply:
        """Send a chat request and return the reply. Takes the arguments of `body`."""
        return await self.send("POST", PATH, self.body(messages, **fields))

    async def complete(self, messages: str | list[Json] = HELLO, **fields: object) -> Completion:
        """Send a chat request and decode the completion. Raises `Broken` if there is none."""
        return (await self.post(messages, **fields)).completion()

    async def chunks(self, messages: str | list[Json] = HELLO, **fields: object) -> list[Chunk]:
        """Send a streamed chat request and decode its chunks. Raises `Broken` if there are none."""
        return (await self.post(messages, stream=True, **fields)).chunks()
