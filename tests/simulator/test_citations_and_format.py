"""The strict service refuses a format beside documents that are to be cited."""

import json
from typing import Any

import pytest

from chatcompat.simulator import create_app
from tests.asgi.driver import call

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_format_beside_citations_is_refused(enabled: bool) -> None:
    content: list[Any] = [{**DOCUMENT, "citations": {"enabled": enabled}}, {"type": "text", "text": "Hi"}]
    body = {
        "model": "sim-2",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": content}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    headers = [(b"content-type", b"application/json"), (b"x-api-key", b"k"), (b"anthropic-version", b"2023-06-01")]
    reply = await call(create_app(), json.dumps(body).encode(), path="/v1/messages", headers=headers)
    assert (reply.status, b"together with citations" in reply.body) == ((400, True) if enabled else (200, False))
