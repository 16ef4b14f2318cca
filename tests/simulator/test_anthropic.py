"""The official `anthropic` package, its own response validation set to strict, in process."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, MessageParam, ToolParam
from starlette.testclient import TestClient

from chatcompat.simulator import create_app
from chatcompat.simulator.errors import ERRORS

MODEL = "caicaini/auto"
HELLO: list[MessageParam] = [{"role": "user", "content": "Say hello to Zo\u00eb \U0001f44b"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def contents(message: Message) -> list[dict[str, Any]]:
    """The blocks without the class that the package parsed them to, which differs in streams."""
    return [block.to_dict() for block in message.content]


@pytest.fixture
def client() -> Iterator[Anthropic]:
    with Anthropic(
        base_url="http://testserver",
        api_key="key",
        max_retries=0,
        http_client=TestClient(create_app()),
        _strict_response_validation=True,
    ) as opened:
        yield opened


def test_plain(client: Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=256, messages=HELLO)
    assert message.id.startswith("msg_")
    assert message.model == MODEL
    assert message.content[0].type == "text"
    assert "Zo\u00eb \U0001f44b" in message.content[0].text
    assert message.usage.model_extra is not None
    assert message.usage.model_extra["credits_consumed"] > 0
    assert message._request_id
    assert message._request_id.startswith("req_")


def test_streamed_says_the_same_as_plain(client: Anthropic) -> None:
    plain = client.messages.create(model=MODEL, max_tokens=256, messages=HELLO)
    with client.messages.stream(model=MODEL, max_tokens=256, messages=HELLO) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(texts) > 1
    assert contents(final) == contents(plain)
    assert (final.id, final.stop_reason) == (plain.id, plain.stop_reason)
    assert final.usage.output_tokens == plain.usage.output_tokens


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_loop_with_thinking(client: Anthropic, streamed: bool) -> None:
    options: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 2000,
        "tools": [WEATHER],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    messages: list[MessageParam] = [{"role": "user", "content": "What is it like outside?"}]
    for reason in ("tool_use", "end_turn"):
        if streamed:
            with client.messages.stream(messages=messages, **options) as stream:
                message: Any = stream.get_final_message()
        else:
            message = client.messages.create(messages=messages, **options)
        assert message.stop_reason == reason
        assert message.content[0].type == "thinking"
        messages.append({"role": "assistant", "content": message.content})
        calls = [block for block in message.content if block.type == "tool_use"]
        results: Any = [{"type": "tool_result", "tool_use_id": c.id, "content": str(c.input)} for c in calls]
        messages.append({"role": "user", "content": results})
    assert "{'city': 'example'}" in message.content[-1].text


def test_altered_thinking_is_refused(client: Anthropic) -> None:
    thought: Any = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
    messages: list[MessageParam] = [*HELLO, {"role": "assistant", "content": [thought]}, *HELLO]
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        client.messages.create(model=MODEL, max_tokens=256, messages=messages)


def test_models_and_token_counts(client: Anthropic) -> None:
    assert [model.id for model in client.models.list(limit=1)] == ["caicaini/auto", "sim-1", "sim-2"]
    assert client.models.retrieve(MODEL).display_name == "Auto"
    assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0


EXCEPTIONS: dict[str, type[anthropic.APIStatusError]] = {
    "invalid_request_error": anthropic.BadRequestError,
    "authentication_error": anthropic.AuthenticationError,
    "billing_error": anthropic.APIStatusError,
    "permission_error": anthropic.PermissionDeniedError,
    "not_found_error": anthropic.NotFoundError,
    "conflict_error": anthropic.ConflictError,
    "request_too_large": anthropic.APIStatusError,
    "rate_limit_error": anthropic.RateLimitError,
    "api_error": anthropic.InternalServerError,
    "timeout_error": anthropic.InternalServerError,
    "overloaded_error": anthropic.InternalServerError,
}


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_is_the_right_exception(client: Anthropic, kind: str) -> None:
    with pytest.raises(EXCEPTIONS[kind]) as raised:
        client.messages.create(model=MODEL, max_tokens=9, messages=HELLO, extra_headers={"x-simulate": f"error={kind}"})
    assert raised.value.status_code == ERRORS[kind][0]
    assert raised.value.request_id


def test_an_error_in_mid_stream_is_raised_behind_the_text(client: Anthropic) -> None:
    got: list[Any] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        got.extend(
            client.messages.create(
                model=MODEL,
                max_tokens=256,
                messages=HELLO,
                stream=True,
                extra_headers={"x-simulate": "error=overloaded_error; after=5"},
            )
        )


@pytest.mark.anyio
async def test_async_plain_and_streamed(anyio_backend: str) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app()))
    async with AsyncAnthropic(base_url="http://testserver", api_key="key", max_retries=0, http_client=http) as client:
        plain = await client.messages.create(model="sim-2", max_tokens=256, messages=HELLO)
        async with client.messages.stream(model="sim-2", max_tokens=256, messages=HELLO) as stream:
            final = await stream.get_final_message()
    assert contents(final) == contents(plain)
