"""Clients with fixed model names: the inner app gets its own."""

from typing import Any

import msgspec
import pytest

from chatcompat import ChatCompatMiddleware, Dialect, ExchangeRecord
from tests.asgi.driver import Inner, call, chat

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("asked", "sent"), [("gpt-4o", "native-1"), ("native-1", "native-1"), ("other", "other")])
@pytest.mark.parametrize("tools", [[], [{"type": "function", "function": {"name": "f"}}]])
async def test_an_alias_is_sent_as_the_native_model(asked: str, sent: str, tools: list[Any]) -> None:
    inner, records, asked_for = Inner(), list[ExchangeRecord](), list[str]()

    def dialect(model: str) -> Dialect:
        asked_for.append(model)
        return Dialect()

    app = ChatCompatMiddleware(inner, model_aliases={"gpt-4o": "native-1"}, on_exchange=records.append, dialect=dialect)
    body = chat(model=asked, tools=tools) if tools else chat(model=asked)
    assert (await call(app, body)).status == 200
    assert msgspec.json.decode(inner.bodies[0])["model"] == sent
    assert ([record.model for record in records], asked_for) == ([sent], [sent])


@pytest.mark.parametrize("aliases", ["gpt-4o=native", ["gpt-4o"], {"gpt-4o": 5}, {5: "native"}])
async def test_other_aliases_are_a_type_error(aliases: Any) -> None:
    with pytest.raises(TypeError, match="model_aliases must be a mapping"):
        ChatCompatMiddleware(Inner(), model_aliases=aliases)
