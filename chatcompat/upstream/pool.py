"""The connections of an `Upstream`."""

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp


class Connector(aiohttp.TCPConnector):
    """Connections of which none has a reply waiting: what nobody asked for must not answer another request."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """A connection, of those that are open or a new one."""
        while True:
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


def new_session(url: str, *, reuse: bool) -> aiohttp.ClientSession:
    """The client session for an upstream at `url`."""
    return aiohttp.ClientSession(
        connector=Connector(limit=0, force_close=not reuse),
        cookie_jar=aiohttp.DummyCookieJar(),  # cookies are each client's own
        proxy=_proxy_of(url),  # with `trust_env` the credentials of ~/.netrc would go along
    )


def _proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this URL (`HTTPS_PROXY`, `NO_PROXY` and their like)."""
    parts, proxies = urlsplit(url), getproxies()
    return None if proxy_bypass(parts.netloc) else proxies.get(parts.scheme) or proxies.get("all")
