"""The official `openai` package over a real socket, its own response validation set to strict."""

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import anyio
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.servers.client import fate_of

MODEL = "caicaini/auto"
HELLO: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are concise."},
    {"role": "user", "content": "Say hello to Zo\u00eb \U0001f44b"},
]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


def tool(name: str, **properties: Any) -> ChatCompletionToolParam:
    schema: dict[str, object] = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": schema}}


TOOLS = [
    tool("get_weather", city={"type": "string"}),
    tool("get_time", zone={"type": "string", "enum": ["utc", "local"]}),
    tool("maps.route", stops={"type": "array", "items": {"type": "string"}}),
]


@pytest.fixture
def anyio_backend() -> str:
    """Give asyncio alone: under trio the package leaves generators of its own unfinished, which is a warning."""
    return "asyncio"


@pytest.fixture
def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="cai_api_test", max_retries=0, _strict_response_validation=True)


@pytest.fixture
def async_client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key="cai_api_test", max_retries=0, _strict_response_validation=True)


def test_plain(client: OpenAI) -> None:
    with client:
        completion = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=256, user="u1")
    assert completion.id.startswith("chatcmpl_")
    assert completion.model == MODEL
    assert completion.choices[0].finish_reason == "stop"
    assert "Zo\u00eb \U0001f44b" in (completion.choices[0].message.content or "")
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert completion.usage.model_extra is not None
    assert completion.usage.model_extra["credits_consumed"] > 0
    assert completion._request_id
    assert completion._request_id.startswith("req_")


def test_streamed_with_usage_says_the_same_as_plain(client: OpenAI) -> None:
    with client:
        plain = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=256)
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=HELLO, max_tokens=256, stream=True, stream_options={"include_usage": True}
            )
        )
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(texts) == plain.choices[0].message.content
    assert len([text for text in texts if text]) > 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert plain.usage is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.model_dump() == plain.usage.model_dump()
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


def answer(messages: list[ChatCompletionMessageParam], message: Any) -> list[str]:
    """Append the assistant's message and a result for each call, as an agent does; give the called names."""
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or ():
        arguments = json.loads(call.function.arguments)
        content = f"{call.function.name} of {arguments} is fine"
        messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    return [call.function.name for call in message.tool_calls or ()]


def ask_plain(client: OpenAI, messages: list[ChatCompletionMessageParam]) -> Any:
    choice = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, max_tokens=512).choices[0]
    assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
    return choice.message


def ask_streamed(client: OpenAI, messages: list[ChatCompletionMessageParam]) -> Any:
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS, max_tokens=512) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
    return choice.message


@pytest.mark.parametrize("ask", [ask_plain, ask_streamed])
def test_a_tool_loop_of_three_turns_with_parallel_calls(
    client: OpenAI, ask: Callable[[OpenAI, list[ChatCompletionMessageParam]], Any]
) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Use get_weather and get_time."}]
    with client:
        assert answer(messages, ask(client, messages)) == ["get_weather", "get_time"]
        messages.append({"role": "user", "content": "Now use maps.route too."})
        assert answer(messages, ask(client, messages)) == ["maps.route"]
        last = ask(client, messages)
    assert last.tool_calls is None
    assert "maps.route" in last.content


def test_an_image_arrives(client: OpenAI) -> None:
    parts: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    with client:
        completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert "image/png" in (completion.choices[0].message.content or "")


@pytest.mark.parametrize("stream", [False, True])
def test_json_object_is_json(client: OpenAI, stream: bool) -> None:
    with client:
        if stream:
            with client.chat.completions.stream(
                model=MODEL, messages=HELLO, response_format={"type": "json_object"}
            ) as events:
                choice: Any = events.get_final_completion().choices[0]
        else:
            choice = client.chat.completions.create(
                model=MODEL, messages=HELLO, response_format={"type": "json_object"}
            ).choices[0]
    assert isinstance(json.loads(choice.message.content), dict)
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None


ERRORS = [
    ("invalid_request_error", openai.BadRequestError, 400),
    ("authentication_error", openai.AuthenticationError, 401),
    ("billing_error", openai.APIStatusError, 402),
    ("permission_error", openai.PermissionDeniedError, 403),
    ("not_found_error", openai.NotFoundError, 404),
    ("conflict_error", openai.ConflictError, 409),
    ("request_too_large", openai.APIStatusError, 413),
    ("rate_limit_error", openai.RateLimitError, 429),
    ("api_error", openai.InternalServerError, 500),
    ("timeout_error", openai.InternalServerError, 504),
    ("overloaded_error", openai.InternalServerError, 529),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "exception", "status"), ERRORS, ids=[kind for kind, _, _ in ERRORS])
def test_each_native_error_is_the_right_exception(
    client: OpenAI, kind: str, exception: type[openai.APIStatusError], status: int, stream: bool
) -> None:
    with client, pytest.raises(exception) as raised:
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=stream, extra_headers={"x-simulate": f"error={kind}"}
        )
    assert raised.value.status_code == status
    assert raised.value.request_id
    assert isinstance(raised.value.body, dict)
    assert raised.value.body.keys() == {"message", "type", "param", "code"}


def test_a_request_that_is_refused_here_names_its_place(client: OpenAI) -> None:
    with client, pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature=3)
    assert raised.value.param == "temperature"
    assert "temperature: Send a number of at most 2." in str(raised.value)  # all that many programs print


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nope", messages=HELLO)
    assert raised.value.code == "model_not_found"


def test_an_error_in_mid_stream_is_raised_behind_the_text(client: OpenAI) -> None:
    got: list[Any] = []
    with client, pytest.raises(openai.APIError) as raised:
        got.extend(
            client.chat.completions.create(
                model=MODEL,
                messages=HELLO,
                stream=True,
                extra_headers={"x-simulate": "error=overloaded_error; after=5"},
            )
        )
    assert raised.value.code == "overloaded_error"
    assert not isinstance(raised.value, openai.APIStatusError)


@pytest.mark.parametrize("cut", ["cut=1", "cut=5", "cut-inside=5"])
def test_a_cut_stream_is_an_error(client: OpenAI, cut: str) -> None:
    with client, pytest.raises(openai.APIError) as raised:
        list(
            client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, extra_headers={"x-simulate": cut})
        )
    assert raised.value.code == "incomplete_stream"


def test_a_refusal(client: OpenAI) -> None:
    with client:
        completion = client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers={"x-simulate": "refuse"})
    assert completion.choices[0].finish_reason == "content_filter"
    assert completion.choices[0].message.refusal


def test_stop_and_length(client: OpenAI) -> None:
    with client:
        stopped = client.chat.completions.create(model=MODEL, messages=HELLO, stop=["Zo\u00eb"])
        cut = client.chat.completions.create(model=MODEL, messages=HELLO, max_completion_tokens=2)
    assert "Zo\u00eb" not in (stopped.choices[0].message.content or "")
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].model_extra is not None
    assert stopped.choices[0].model_extra["stop_sequence"] == "Zo\u00eb"
    assert cut.choices[0].finish_reason == "length"


@pytest.mark.anyio
async def test_async_plain_and_streamed(async_client: AsyncOpenAI) -> None:
    async with async_client as client:
        plain = await client.chat.completions.create(model=MODEL, messages=HELLO)
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model=MODEL, messages=HELLO, extra_headers={"x-simulate": "error=rate_limit_error"}
            )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain.choices[0].message.content


@pytest.mark.anyio
async def test_async_tool_loop_and_json(async_client: AsyncOpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Use get_weather and get_time."}]
    async with async_client as client:
        first = await client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        assert answer(messages, first.choices[0].message) == ["get_weather", "get_time"]
        async with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
            last = (await stream.get_final_completion()).choices[0]
        assert last.finish_reason == "stop"
        reply = await client.chat.completions.create(
            model=MODEL, messages=HELLO, response_format={"type": "json_object"}
        )
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


def test_a_stream_that_is_closed_early_is_told_to_the_service(observed_url: str) -> None:
    name = uuid.uuid4().hex
    with (
        OpenAI(base_url=f"{observed_url}/v1", api_key="cai_api_test") as client,
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, extra_headers={"x-observe": name}
        ) as stream,
    ):
        assert next(iter(stream)).choices
    assert fate_of(urlsplit(observed_url).port or 0, name, lambda seen: seen["end"]) == {
        "told": True,
        "end": "cancelled",
    }


@pytest.mark.anyio
async def test_a_task_that_is_cancelled_in_mid_stream_is_told_to_the_service(observed_url: str) -> None:
    name = uuid.uuid4().hex
    async with AsyncOpenAI(base_url=f"{observed_url}/v1", api_key="cai_api_test") as client:
        with anyio.CancelScope() as scope:
            async for _ in await client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True, extra_headers={"x-observe": name}
            ):
                scope.cancel()
        assert scope.cancelled_caught
    port = urlsplit(observed_url).port or 0
    seen = await anyio.to_thread.run_sync(fate_of, port, name, lambda seen: seen["end"])
    assert seen == {"told": True, "end": "cancelled"}
