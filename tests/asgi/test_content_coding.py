"""A body without a content coding may say so in any case (RFC 9110, section 8.4.1)."""

import json

import pytest

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import REPLY, Inner, call, chat

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("coding", "taken"), [(b"Identity", True), (b" identity ", True), (b"", True), (b"GZIP", False), (b"br", False)]
)
async def test_only_a_coding_is_refused(coding: bytes, taken: bool) -> None:
    asked = await call(ChatCompatMiddleware(Inner()), chat(), headers=[JSON, (b"content-encoding", coding)])
    assert asked.status == (200 if taken else 415)
    inner = Inner(json.dumps(REPLY).encode(), headers=[(b"content-encoding", coding)])
    assert (await call(ChatCompatMiddleware(inner), chat())).status == (200 if taken else 502)
