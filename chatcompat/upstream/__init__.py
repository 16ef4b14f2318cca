"""An ASGI app that forwards the native paths to a remote messages API. Needs the extra `serve`, and asyncio."""

import asyncio
import math
from collections.abc import Callable, Set
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final
from urllib.parse import SplitResult, quote

import anyio
import msgspec
from starlette.types import Message, Receive, Scope, Send

from chatcompat._options import check_number, check_type, wrong_type
from chatcompat.asgi.headers import HOP_BY_HOP, Headers, has_control, lowered, named_by_connection, size_of
from chatcompat.asgi.http import ClientDisconnected, respond, route_path
from chatcompat.errors import InvalidReply, InvalidRequest, to_native_error_body

try:
    import aiohttp
    from yarl import URL

    from chatcompat.upstream.base_url import to_parts
    from chatcompat.upstream.failures import TOO_LARGE, bad_gateway_message, log_failure
    from chatcompat.upstream.pool import new_session, proxy_of
    from chatcompat.upstream.upload import Upload, length_of, to_text
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "chatcompat.upstream needs aiohttp: pip install 'chatcompat[serve]', or in a clone: pip install -e '.[serve]'"
    ) from _error

__all__ = ["Upstream", "UpstreamBroken"]

Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]

FORWARDED: Final = frozenset({"/v1/messages", "/v1/messages/count_tokens", "/v1/models"})
MODEL: Final = "/v1/models/"
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST")

_IN_QUERY: Final = "%/?:@!$&'()*+,;=-._~[]"  # RFC 3986, section 3.4, and other characters that clients send
_NOT_FORWARDED: Final = HOP_BY_HOP | {b"host", b"expect", b"content-length"}  # `Upload` announces the length
_NO_DEFAULT_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_MAX_HEADERS: Final = 256  # in a reply
_NO_BODY: Final = (204, 304)
_NOT_SENT: Final = HOP_BY_HOP | {b"date", b"server"}  # the server that sends the reply adds its own
_MOST_AT_ONCE: Final = 64 * 1024  # bytes of a reply until other tasks get a turn: to translate more takes too long

_encode = msgspec.json.Encoder().encode


class UpstreamBroken(InvalidReply):
    """The upstream's reply broke off after its start had been sent. The server must abort the connection."""


class Upstream:
    """Forward `/v1/messages`, `/v1/messages/count_tokens`, `/v1/models` and `/v1/models/{id}` to `url`.

    Use it as `ChatCompatMiddleware(Upstream("https://..."))`, or alone. Any other path is a native 404. Bodies are
    streamed in both directions, with backpressure. Headers pass, except those of one connection (RFC 9110, section
    7.6.1). Nothing is added, decoded, stored or retried, and redirects are not followed.

    Errors are in the native format. A client that is too slow gets a 408, an invalid request a 400. An unreachable
    upstream is a 502, and a silent one is a 504. When the client leaves, the upstream's connection is closed at once.

    The lifespan opens and closes the session. A server without lifespan opens it with the first request, and `aclose`
    closes it.

    All sizes are in bytes and all times in seconds. `math.inf` turns a timeout off.

    Args:
        url: The base URL of the upstream: `http` or `https`, without credentials. Its path goes before the native one.
        connect_timeout: How long opening a connection may take (10).
        upload_timeout: How long the client may pause in its body (60).
        first_byte_timeout: How long the upstream may take to begin its reply after the last piece of the body was sent
            (600).
        idle_timeout: How long the upstream may pause in its reply (300).
        max_header_bytes: The total size of a reply's headers (64 KiB). A larger reply is a 502, as is one with more
            than 256 headers.
        reuse_connections: Keep connections open for later requests. Set it to False for an upstream that closes idle
            connections without notice.
        session: Makes the client session of the running event loop, for custom certificates, proxies and limits. By
            default proxies come from the environment, certificates from the system, and connections are not limited.

    Raises:
        ValueError: `url` is not such a URL, a timeout is not above 0, or the environment names a proxy that is not an
            HTTP proxy.
        UpstreamBroken: From a call, when the upstream fails in the middle of its reply.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float = 10.0,
        upload_timeout: float = 60.0,
        first_byte_timeout: float = 600.0,
        idle_timeout: float = 300.0,
        max_header_bytes: int = 64 * 1024,
        reuse_connections: bool = True,
        session: Callable[[], aiohttp.ClientSession] | None = None,
    ) -> None:
        check_type("url", url, str)
        check_type("reuse_connections", reuse_connections, bool)
        check_number("max_header_bytes", max_header_bytes, int, above=0)
        if not (session is None or callable(session)):
            raise wrong_type("session", "a function that returns a ClientSession, or None", session)
        parts = to_parts(url)
        times = {
            "connect": connect_timeout,
            "upload": upload_timeout,
            "first_byte": first_byte_timeout,
            "idle": idle_timeout,
        }
        for name, seconds in times.items():
            check_number(f"{name}_timeout", seconds, float, above=0)
        self._url = url.rstrip("/")
        self._parts = parts
        self._connect_timeout = connect_timeout
        self._upload_timeout = upload_timeout
        self._first_byte_timeout = first_byte_timeout
        self._idle_timeout = idle_timeout
        self._max_header_bytes = max_header_bytes
        if session is None:
            proxy_of(url)  # refused here, not at the first request
        self._make_session = session or partial(new_session, url, reuse=reuse_connections)
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif (target := self._target(scope)) is None:
            await _fail(send, 404, "not_found_error", "Not Found")
        elif scope["method"] not in METHODS:
            allow = ", ".join(METHODS)
            await _fail(send, 405, "invalid_request_error", f"Use one of {allow}.", [(b"allow", allow.encode())])
        elif (broken := await self._forward(target, scope, receive, send)) is not None:
            raise broken

    async def aclose(self) -> None:
        """Close all connections of the running event loop. A later request opens new ones."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup":
                await self._open()
            else:
                await self.aclose()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _open(self) -> aiohttp.ClientSession:
        """The session of the running event loop. Test clients may run each request in a new loop."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = self._make_session()
            for ended in [other for other in self._sessions if other.is_closed()]:
                await self._sessions.pop(ended).close()
        return session

    def _target(self, scope: Scope) -> URL | None:
        """The URL for a request, or None for a path that is not forwarded."""
        path = route_path(scope)
        model = path.removeprefix(MODEL)
        if path not in FORWARDED and (model in ("", path) or not {"", ".", ".."}.isdisjoint(model.split("/"))):
            return None
        query = quote(scope.get("query_string", b""), safe=_IN_QUERY)
        return URL(f"{self._url}{quote(path)}" + (f"?{query}" if query else ""), encoded=True)

    async def _forward(self, target: URL, scope: Scope, receive: Receive, send: Send) -> UpstreamBroken | None:
        exchange = _Forwarding(receive, send, self._parts, self._idle_timeout, self._max_header_bytes)
        headers = lowered(scope.get("headers", ()))
        try:
            text = to_text(to_end_to_end(headers, _NOT_FORWARDED))
            upload = Upload(
                receive,
                length=length_of(headers),
                timeout=self._upload_timeout,
                patience=self._first_byte_timeout,
                allow=exchange.allow_before_reply,
                ascii_headers=all(value.isascii() for _, value in text),
            )
        except InvalidRequest as error:
            await exchange.refuse(error)
            return None
        ask = partial(
            (await self._open()).request,
            scope["method"],
            target,
            headers=text,
            skip_auto_headers=_NO_DEFAULT_HEADERS,
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=None if self._connect_timeout == math.inf else self._connect_timeout
            ),
            max_line_size=self._max_header_bytes,
            max_field_size=self._max_header_bytes,
            max_headers=_MAX_HEADERS,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.watch, upload, tasks.cancel_scope)
            await exchange.run(ask, upload)
            exchange.watching.cancel()
        return exchange.broken


class _Forwarding:
    """One forwarded request."""

    def __init__(
        self, receive: Receive, send: Send, url: SplitResult, idle_timeout: float, max_header_bytes: int
    ) -> None:
        self.broken: UpstreamBroken | None = None
        self.watching = anyio.CancelScope()
        self._receive = receive
        self._send = send
        self._url = url
        self._idle_timeout = idle_timeout
        self._max_header_bytes = max_header_bytes
        self._clock = asyncio.timeout(None)
        self._started = False
        self._left = False

    async def run(self, ask: Ask, upload: Upload) -> None:
        """Send the request and its reply, or an error."""
        try:
            async with self._clock:
                data = await upload.begin()
                self.allow_before_reply(upload.patience)
                async with ask(data=data) as response:
                    await self._send_reply(response)
        except (ClientDisconnected, InvalidRequest, InvalidReply, aiohttp.ClientError, OSError) as error:
            await self._handle_failure(upload.failure or error)

    async def _send_reply(self, response: aiohttp.ClientResponse) -> None:
        headers = _to_reply_headers(response, self._max_header_bytes)
        self._started = True
        self._allow(math.inf)
        await self._send_message({"type": "http.response.start", "status": response.status, "headers": headers})
        await self._send_body(response.content)

    async def _send_body(self, content: aiohttp.StreamReader) -> None:
        """Send each piece as it arrives. While none is read, aiohttp's buffer fills up and the upstream must wait."""
        while not content.at_eof():
            piece = content.read_nowait(_MOST_AT_ONCE)
            if not piece:
                self._allow(self._idle_timeout)
                piece = await content.read(_MOST_AT_ONCE)
                self._allow(math.inf)  # a slow client is not a silent upstream
            if piece:
                await self._send_message({"type": "http.response.body", "body": piece, "more_body": True})
            if len(piece) == _MOST_AT_ONCE:
                await asyncio.sleep(0)
        await self._send_message({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_message(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:  # the client left; the upstream did not fail
            self._left = True
            raise

    def allow_before_reply(self, seconds: float) -> None:
        """Allow the upstream `seconds` of silence from now on, unless its reply has begun."""
        if not self._started:
            self._allow(seconds)

    def _allow(self, seconds: float) -> None:
        self._clock.reschedule(None if seconds == math.inf else asyncio.get_running_loop().time() + seconds)

    async def watch(self, upload: Upload, scope: anyio.CancelScope) -> None:
        """Cancel the exchange when the client leaves. That closes the upstream's connection."""
        with self.watching:
            await upload.ended.wait()
            if upload.failure is None:
                while (await self._receive())["type"] != "http.disconnect":
                    pass
            elif not self._started:
                return  # the failure ends the exchange
            scope.cancel()

    async def _handle_failure(self, error: Exception) -> None:
        """Send a failure as an error. Once the reply has started, set `broken` instead.

        The text of `error` is not logged: it may quote the upstream.
        """
        if self._left or isinstance(error, ClientDisconnected):
            return
        if isinstance(error, InvalidRequest) and not self._started:
            await self.refuse(error)
            return
        log_failure(self._url, error)
        if self._started:
            self.broken = UpstreamBroken("The upstream messages service broke off in the middle of its reply.")
        elif isinstance(error, TimeoutError):
            await _fail(self._send, 504, "timeout_error", "The upstream messages service did not answer in time.")
        else:
            await _fail(self._send, 502, "api_error", bad_gateway_message(error))

    async def refuse(self, error: InvalidRequest) -> None:
        """Answer a request that cannot be forwarded."""
        await _fail(self._send, error.status, "invalid_request_error", error.message)


def _to_reply_headers(response: aiohttp.ClientResponse, max_bytes: int) -> Headers:
    """The headers of a reply that a server can send to the client. Raises `InvalidReply`."""
    if not 200 <= response.status <= 599:  # noqa: PLR2004 - RFC 9110, section 15
        raise InvalidReply("The upstream messages service sent a status outside 200 to 599.")
    headers = to_end_to_end(lowered(response.raw_headers), _NOT_SENT)
    if size_of(headers) > max_bytes:
        raise InvalidReply(TOO_LARGE)
    left_out = b"content-length" if response.status in _NO_BODY else b""  # servers would wait for a body
    return [(name, value) for name, value in headers if name != left_out and not has_control(value)]


async def _fail(send: Send, status: int, error_type: str, message: str, headers: Headers | None = None) -> None:
    """Send a native error."""
    await respond(send, status, to_native_error_body(error_type, message), headers or ())


def to_end_to_end(headers: Headers, left_out: Set[bytes]) -> Headers:
    """The headers that are neither in `left_out` nor named by `connection`. Names are in lower case."""
    left_out |= named_by_connection(headers)
    return [(name, value) for name, value in headers if name not in left_out]
