"""Digests of what stands before a turn, and the option for services that drop thinking."""

import json
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.request.prefix import digest_of_request, follows
from tests.asgi.driver import Inner, call, chat

pytestmark = pytest.mark.anyio
PLAIN: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "a"}]}


def digest(**fields: Any) -> bytes:
    return digest_of_request(json.dumps({**PLAIN, **fields}, separators=(",", ":")).encode())


def test_each_part_of_the_prefix_counts_and_nothing_else() -> None:
    changed: list[dict[str, Any]] = [
        {"model": "n"},
        {"system": [{"type": "text", "text": "a"}]},
        {"tools": [{"name": "f"}]},
    ]
    assert len({digest(), *(digest(**fields) for fields in changed)}) == 4
    assert digest(max_tokens=5, thinking={"type": "adaptive"}) == digest()


def test_a_turn_may_begin_within_a_native_message() -> None:
    start = {"role": "assistant", "content": "so"}
    before = digest(messages=[*PLAIN["messages"], start])
    text = [{"type": "text", "text": word} for word in ("so", "what")]
    grown = {**PLAIN, "messages": [*PLAIN["messages"], {"role": "assistant", "content": text}]}
    body = json.dumps(grown, separators=(",", ":")).encode()
    assert follows(body, {(1, 1): before, (1, 0): digest()})
    assert not follows(body, {(1, 1): digest()})


async def test_the_beta_header_goes_beside_the_clients_own() -> None:
    inner = Inner()
    app = ChatCompatMiddleware(inner, dialect=Dialect(prefix_mismatch="drop_block"))
    headers = [(b"anthropic-beta", b"mine")]
    await call(app, chat(reasoning_effort="low", max_tokens=9000), headers=headers)
    sent = [value for name, value in inner.scopes[-1]["headers"] if name == b"anthropic-beta"]
    assert sent == [b"mine,thinking-binding-controls-2026-08-01"]
