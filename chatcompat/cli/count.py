"""`chatcompat translate --count`: count the tokens of a chat request."""

from dataclasses import replace
from typing import Final

import anyio
import httpx2

from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.cli.serve_options import to_upstream
from chatcompat.cli.settings import exit_with
from chatcompat.dialect import Dialect
from chatcompat.simulator import create_app as create_simulator
from chatcompat.upstream import Upstream

_URL: Final = "http://chatcompat/v1/chat/completions/count_tokens"  # it is served in this process
_OK: Final = 200


def count_tokens(
    body: bytes, dialect: Dialect, *, upstream: str | None, api_key: str, api_key_header: bool
) -> tuple[bool, bytes]:
    """Return whether the tokens could be counted, and the body that a chat client would get."""
    if not (api_key.isascii() and api_key.isprintable() and api_key):
        exit_with("--api-key must be printable ASCII characters. Check it for line breaks.")
    accepted = replace(dialect, api_key_header=True) if api_key_header else dialect
    return anyio.run(_ask, body, accepted, to_upstream(upstream), api_key)


async def _ask(body: bytes, dialect: Dialect, upstream: str | None, api_key: str) -> tuple[bool, bytes]:
    remote = None if upstream is None else Upstream(upstream)
    app = ChatCompatMiddleware(remote or create_simulator(), dialect=dialect, count_tokens=True, store=None)
    headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)  # the reply says what went wrong
    try:
        async with httpx2.AsyncClient(transport=transport, timeout=None) as client:
            reply = await client.post(_URL, content=body, headers=headers)
    finally:
        if remote is not None:
            await remote.aclose()
    return reply.status_code == _OK, reply.content
