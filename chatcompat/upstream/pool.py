"""The connections of an `Upstream`."""

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp


class Connector(aiohttp.TCPConnector):
    """A connection pool that closes connections with unread bytes: they must not answer another request."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """An open connection or a new one."""
        while True:
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


def new_session(url: str, *, reuse: bool) -> aiohttp.ClientSession:
    """The client session for an upstream at `url`."""
    return aiohttp.ClientSession(
        connector=Connector(limit=0, force_close=not reuse),
        cookie_jar=aiohttp.DummyCookieJar(),  # clients keep their own cookies
        proxy=proxy_of(url),  # `trust_env` would also send the credentials of ~/.netrc
    )


def proxy_of(url: str) -> str | None:
    """The proxy for this URL from the environment (`HTTPS_PROXY`, `NO_PROXY` and so on). Raises `ValueError`."""
    parts, proxies = urlsplit(url), getproxies()
    found = None if proxy_bypass(parts.netloc) else proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    proxy = found if "://" in found else f"http://{found}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise ValueError(
            "the proxy that the environment names must be an HTTP proxy; list the host in NO_PROXY to use none"
        )
    return proxy
