"""The upload of a request's body: counted, timed, and sent with the exact bytes of the client's headers."""

import asyncio
import math
import re
from collections.abc import Callable, Iterable
from typing import Final, cast

import aiohttp
import anyio
from aiohttp.abc import AbstractStreamWriter
from starlette.types import Receive

from chatcompat.asgi.headers import Headers, has_control, is_token
from chatcompat.asgi.http import ClientDisconnected
from chatcompat.errors import InvalidRequest

_PIECE: Final = 64 * 1024  # bytes; `patience` starts again after each piece
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class Upload(aiohttp.Payload):
    """The body from `receive`, as an aiohttp payload.

    `length` is the client's `content-length`. A body of another length is refused: the upstream would take missing
    bytes from the next request on the connection. `timeout` is how long the client may be silent. `allow` is called
    with how long the upstream may be silent: `math.inf` while the client is slow, `patience` otherwise.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        length: int | None,
        timeout: float,
        patience: float,
        allow: Callable[[float], None],
        ascii_headers: bool,
    ) -> None:
        super().__init__(None)
        self._receive = receive
        self._length = length
        self._timeout = timeout
        self.patience = patience
        self._allow = allow
        self._ascii_headers = ascii_headers
        self._piece = b""
        self._taken = 0
        self._more = True
        self._written = False
        self.ended: anyio.Event = anyio.Event()  # set when the body is complete or has failed
        self.failure: ClientDisconnected | InvalidRequest | None = None

    async def begin(self) -> "Upload | None":
        """Receive the first piece. Returns None if aiohttp can send the request without this payload."""
        await self._next()
        return None if not self._more and not self._piece and self._ascii_headers else self

    @property
    def size(self) -> int | None:
        """The length to announce, or None for chunked encoding."""
        return self._taken if not self._more else self._length

    @property
    def consumed(self) -> bool:
        """Whether sending has begun, so that it cannot start over."""
        return self._written

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        """Not supported: the body has not arrived yet."""
        raise TypeError("an upload cannot be decoded: its body has not arrived yet")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body as it arrives."""
        self._written = True
        if not self._ascii_headers:
            _to_latin_1(writer)
        while True:
            piece = memoryview(self._piece)
            self._allow(math.inf)
            while self._more and self._taken == self._length:
                await self._next()  # hold the last piece until the client's body is known to end
            for start in range(0, len(piece), _PIECE):
                self._allow(self.patience)
                await writer.write(piece[start : start + _PIECE])
            if not self._more:
                self._allow(self.patience)
                return
            self._allow(math.inf)
            await self._next()

    async def _next(self) -> None:
        try:
            await self._take()
        except (ClientDisconnected, InvalidRequest) as failure:
            self.failure = failure
            self.ended.set()
            raise
        if not self._more:
            self.ended.set()

    async def _take(self) -> None:
        try:
            async with asyncio.timeout(None if self._timeout == math.inf else self._timeout):
                message = await self._receive()
        except TimeoutError:
            raise too_slow(self._timeout) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self._piece = bytes(message.get("body", b""))
        self._more = message.get("more_body", False)
        self._taken += len(self._piece)
        if self._length is not None:
            if self._taken > self._length:
                raise InvalidRequest(
                    f"The body is longer than its content-length of {self._length} bytes. Send the true length."
                )
            if self._taken < self._length and not self._more:
                raise InvalidRequest(
                    f"The body has {self._taken} bytes, but its content-length is {self._length}. Send the true length."
                )


def too_slow(seconds: float) -> InvalidRequest:
    """The error for a client that stopped sending its body."""
    return InvalidRequest(
        f"The request's body stopped for {seconds:g} seconds.",
        code="request_timeout",
        status=408,
    )


def length_of(headers: Headers) -> int | None:
    """The `content-length` of a request, or None. Raises `InvalidRequest` for bad framing (RFC 9112, 6.3)."""
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    lengths = {value for name, value in headers if name == b"content-length"}
    if codings and lengths:
        raise InvalidRequest("Send either a content-length or a transfer-encoding, not both.")
    if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
        raise InvalidRequest(
            "The only supported transfer-encoding is chunked. Use that, or a content-length.", status=501
        )
    if len(lengths) > 1:
        raise InvalidRequest("The request has several different content-length headers. Send one.")
    for length in lengths:
        if _LENGTH.fullmatch(length) is None:
            raise InvalidRequest("The content-length is not valid. Send a whole number of at most 18 digits.")
        return int(length)
    return None


def to_text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The headers as text for aiohttp. Names are in lower case. Raises `InvalidRequest` for invalid ones."""
    text = []
    for name, value in headers:
        if not is_token(name):
            raise InvalidRequest("The name of a header has an invalid character. Remove it.")
        if has_control(value):
            raise InvalidRequest(f"The header {name.decode()[:64]} has a control character. Remove it.")
        text.append((name.decode(), value.decode("latin-1")))
    return text


def _to_latin_1(writer: AbstractStreamWriter) -> None:
    """Encode the pending headers as Latin-1 again: aiohttp encoded them as UTF-8."""
    http_writer = cast("aiohttp.http_writer.StreamWriter", writer)
    http_writer._headers_buf = (http_writer._headers_buf or b"").decode().encode("latin-1")
