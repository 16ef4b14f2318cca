"""An ASGI app that forwards the native paths to a messages API elsewhere. Needs the extra `serve`; asyncio only."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import msgspec
from starlette.types import Message, Receive, Scope, Send

from chatcompat.errors import InvalidReply
from chatcompat.headers import HOP_BY_HOP, Headers, lowered
from chatcompat.respond import respond
from chatcompat.scopes import route_path

try:
    import aiohttp
    from yarl import URL
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError("chatcompat.upstream needs aiohttp: pip install 'chatcompat[serve]'") from _error

__all__ = ["Upstream", "UpstreamBroken"]

FORWARDED: Final = frozenset({"/v1/messages", "/v1/messages/count_tokens", "/v1/models"})
MODEL: Final = "/v1/models/"

_IN_QUERY: Final = "%/?:@!$&'()*+,;=-._~[]"  # RFC 3986, section 3.4, and what clients send beside it
_NOT_FORWARDED: Final = HOP_BY_HOP | {b"host", b"expect"}
_NOT_MADE_UP: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

_logger: Final = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class UpstreamBroken(InvalidReply):
    """The upstream's reply broke off when its start had been sent: the server must abort the connection."""


class _ClientLeft(Exception):
    """The client left before its request was whole."""


class _Clock(Protocol):
    def reschedule(self, when: float | None, /) -> None:
        """Set the deadline; None for none."""


class Upstream:
    """Forward `/v1/messages`, `/v1/messages/count_tokens`, `/v1/models` and `/v1/models/{id}` to `url`.

    For `ChatCompatMiddleware(Upstream("https://..."))`, or alone. `url` may have a path, which goes before those; any
    other path is a native 404. Bodies are streamed both ways, as they come and no faster than they are read. Headers
    pass but for those of one connection (RFC 9110, section 7.6.1); nothing is added, decoded, stored or retried, and
    redirects are not followed.

    Seconds: `connect_timeout` for a new connection, `first_byte_timeout` until the reply begins, `idle_timeout`
    between two pieces of it (`math.inf`: for ever). An upstream that fails is a native error, 502 or 504; one that
    fails in the middle of its reply raises `UpstreamBroken`, on which servers abort the connection. A client that
    leaves closes the upstream's connection at once. `reuse_connections=False` opens one for each request, for a
    server that closes them without saying so.

    `session` makes the client session of the running event loop: for certificates, proxies and limits of one's own.
    Without it proxies are those of the environment, certificates the system's, and connections not limited. The
    lifespan opens and closes it; a server without lifespan opens it with the first request, and `aclose` closes it.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float = 10.0,
        first_byte_timeout: float = 600.0,
        idle_timeout: float = 300.0,
        reuse_connections: bool = True,
        session: Callable[[], aiohttp.ClientSession] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("url must be http or https, with a host and without credentials")
        if not _has_port(parts):
            raise ValueError("url must have a port from 1 to 65535, or none")
        if parts.query or parts.fragment:
            raise ValueError("url must have neither a query nor a fragment")
        times = {"connect": connect_timeout, "first_byte": first_byte_timeout, "idle": idle_timeout}
        for name, seconds in times.items():
            if not seconds > 0:  # a comparison with NaN is false
                raise ValueError(f"{name}_timeout must be above 0, not {seconds}")
        self._url = url.rstrip("/")
        self._connect_timeout = connect_timeout
        self._first_byte_timeout = first_byte_timeout
        self._idle_timeout = idle_timeout
        self._reuse = reuse_connections
        self._make_session = session or self._default_session
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif (target := self._target(scope)) is None:
            await _fail(send, 404, "not_found_error", "Not Found")
        elif (broken := await self._forward(target, scope, receive, send)) is not None:
            raise broken

    async def aclose(self) -> None:
        """Close all connections of the running event loop; a later request opens new ones."""
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
        """The session of the running event loop; a test client may have another loop for each request."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = self._make_session()
            for ended in [other for other in self._sessions if other.is_closed()]:
                await self._sessions.pop(ended).close()
        return session

    def _default_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not self._reuse),
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies are each client's own
            proxy=_proxy_of(self._url),  # with `trust_env` the credentials of ~/.netrc would go along
        )

    def _target(self, scope: Scope) -> URL | None:
        """Where a request goes; None for a path that is not forwarded."""
        path = route_path(scope)
        model = path.removeprefix(MODEL)
        if path not in FORWARDED and (model in ("", path) or not {"", ".", ".."}.isdisjoint(model.split("/"))):
            return None
        query = quote(scope.get("query_string", b""), safe=_IN_QUERY)
        return URL(f"{self._url}{quote(path)}" + (f"?{query}" if query else ""), encoded=True)

    async def _forward(self, target: URL, scope: Scope, receive: Receive, send: Send) -> UpstreamBroken | None:
        exchange = _Exchange(receive, send, self._idle_timeout)
        session = await self._open()
        ask = partial(
            session.request,
            scope["method"],
            target,
            headers=[
                (name.decode("latin-1"), value.decode(errors="replace"))
                for name, value in to_end_to_end(scope.get("headers", ()), _NOT_FORWARDED)
            ],
            skip_auto_headers=_NOT_MADE_UP,
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=_or_none(self._connect_timeout)),
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.watch, tasks.cancel_scope)
            try:
                async with asyncio.timeout(_or_none(self._first_byte_timeout)) as clock:
                    await exchange.run(ask, clock)
            except _ClientLeft:
                pass
            except TimeoutError as error:
                await exchange.fail(
                    504, "timeout_error", "The upstream messages service did not answer in time.", error
                )
            except (aiohttp.ClientError, OSError) as error:
                await exchange.fail(
                    502, "api_error", "The upstream messages service cannot be reached, or sent no reply.", error
                )
            finally:
                exchange.watching.cancel()
        return exchange.broken


class _Exchange:
    """One forwarded request."""

    def __init__(self, receive: Receive, send: Send, idle_timeout: float) -> None:
        self.broken: UpstreamBroken | None = None
        self.watching = anyio.CancelScope()
        self._receive = receive
        self._send = send
        self._idle_timeout = idle_timeout
        self._received = anyio.Event()  # the request is whole: what is received next is that the client left
        self._started = False
        self._left = False

    async def run(self, ask: Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]], clock: _Clock) -> None:
        """Send the request and give its reply back."""
        async with ask(data=await self._body()) as response:
            clock.reschedule(None)
            headers = to_end_to_end(response.raw_headers, HOP_BY_HOP)
            await self._give({"type": "http.response.start", "status": response.status, "headers": headers})
            self._started = True
            await self._pass_on(response.content, clock)

    async def _pass_on(self, content: aiohttp.StreamReader, clock: _Clock) -> None:
        """Each piece as it comes. What is not read fills the library's buffer, and then holds the upstream back."""
        now, patience = asyncio.get_running_loop().time, _or_none(self._idle_timeout)
        while not content.at_eof():
            piece = content.read_nowait()
            if not piece:
                clock.reschedule(None if patience is None else now() + patience)
                piece = await content.readany()
                clock.reschedule(None)  # the client may take its time
            if piece:
                await self._give({"type": "http.response.body", "body": piece, "more_body": True})
        await self._give({"type": "http.response.body", "body": b"", "more_body": False})

    async def _give(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:  # the server's word for a client that left; it is not the upstream's fault
            self._left = True
            raise

    async def _body(self) -> bytes | AsyncIterator[bytes] | None:
        """The request's body: as it is if it came in one piece, else as it comes."""
        first = await self._next()
        if not first.get("more_body", False):
            self._received.set()
            return bytes(first.get("body", b"")) or None
        return self._pieces(first)

    async def _pieces(self, message: Message) -> AsyncIterator[bytes]:
        while True:
            if piece := bytes(message.get("body", b"")):
                yield piece
            if not message.get("more_body", False):
                break
            message = await self._next()
        self._received.set()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._left = True
            raise _ClientLeft
        return message

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Cancel the exchange, which closes its connection, when the client leaves."""
        with self.watching:
            await self._received.wait()
            while (await self._receive())["type"] != "http.disconnect":
                pass
            scope.cancel()

    async def fail(self, status: int, error_type: str, message: str, error: Exception) -> None:
        """Tell a failure while that can be told; behind the start of a reply only an abort tells it.

        What failed is for the log alone, and by its kind: its text may quote the upstream.
        """
        if self._left:
            return
        _logger.warning("the upstream failed: %s", type(error).__name__)
        if self._started:
            self.broken = UpstreamBroken("The upstream messages service broke off in the middle of its reply.")
        else:
            await _fail(self._send, status, error_type, message)


async def _fail(send: Send, status: int, error_type: str, message: str) -> None:
    """Send a native error."""
    await respond(send, status, _encode({"type": "error", "error": {"type": error_type, "message": message}}))


def to_end_to_end(headers: Iterable[tuple[bytes, bytes]], left_out: frozenset[bytes]) -> Headers:
    """The headers that are not of one connection: neither in `left_out` nor named by `connection`."""
    known = lowered(headers)
    named = {option.strip().lower() for name, value in known if name == b"connection" for option in value.split(b",")}
    return [(name, value) for name, value in known if name not in left_out and name not in named]


def _has_port(parts: SplitResult) -> bool:
    """Whether the port, if there is one, can be; the library's own error would quote it."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _or_none(seconds: float) -> float | None:
    return None if seconds == math.inf else seconds


def _proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this URL (`HTTPS_PROXY`, `NO_PROXY` and their like)."""
    parts, proxies = urlsplit(url), getproxies()
    return None if proxy_bypass(parts.netloc) else proxies.get(parts.scheme) or proxies.get("all")
