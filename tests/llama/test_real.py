"""llama.cpp's own server behind `chatcompat serve`. Left out by default: `pytest -m llama` asks for it."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.llama.record import FOLDER
from tests.llama.server import chatcompat_serve, llama_server

pytestmark = pytest.mark.llama

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def native() -> Iterator[str]:
    with llama_server() as url:
        yield url


@pytest.fixture(scope="module")
def client(native: str) -> Iterator[OpenAI]:
    with (
        chatcompat_serve("--upstream", native, "--dialect", "llama-cpp") as url,
        OpenAI(base_url=f"{url}/v1", api_key="key", timeout=120, max_retries=0) as made,
    ):
        yield made


def case(name: str) -> Any:
    """A recorded request, as keyword arguments."""
    chat = json.loads((FOLDER / f"{name}.chat.json").read_bytes())
    return {name: value for name, value in chat.items() if name not in ("stream", "stream_options")}


def ask(native: str, **fields: Any) -> Any:
    body = json.dumps({"model": "smollm2", "temperature": 0, **fields}).encode()
    request = urllib.request.Request(f"{native}/v1/messages", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def streamed(client: OpenAI, **fields: Any) -> tuple[str, Any, list[Any]]:
    """The text, how it ended, and all chunks."""
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **fields))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices), choices[-1].finish_reason, chunks


def test_plain_and_streamed_replies_are_the_native_ones(client: OpenAI, native: str) -> None:
    message = ask(native, messages=HELLO, max_tokens=40)
    completion = client.chat.completions.create(**case("text"))
    text, finish_reason, chunks = streamed(client, **case("text"))
    assert completion.choices[0].message.content == text == message["content"][0]["text"]
    assert completion.choices[0].finish_reason == finish_reason == "length"
    native_usage = message["usage"]
    for usage in (completion.usage, chunks[-1].usage):
        assert usage.prompt_tokens == native_usage["input_tokens"] + native_usage["cache_read_input_tokens"]
        assert usage.completion_tokens == native_usage["output_tokens"] == 40


def test_stop_sequences(client: OpenAI) -> None:
    completion = client.chat.completions.create(**case("stop"))
    text, finish_reason, _ = streamed(client, **case("stop"))
    assert completion.choices[0].message.content == text
    assert completion.choices[0].finish_reason == finish_reason == "stop"
    assert "here" not in text


@pytest.mark.parametrize(("name", "tool"), [("call", "get_weather"), ("named", "get_time")])
def test_calls(client: OpenAI, name: str, tool: str) -> None:
    completion = client.chat.completions.create(**case(name))
    calls = completion.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == [tool]
    _, finish_reason, chunks = streamed(client, **case(name))
    deltas = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()]
    assert (deltas[0].function.name, finish_reason) == (tool, "tool_calls")
    assert json.loads("".join(delta.function.arguments or "" for delta in deltas)) == {"city": "Paris"}


def test_no_call_where_none_may_be_made(client: OpenAI) -> None:
    message = client.chat.completions.create(**case("none")).choices[0].message
    assert message.tool_calls is None


def test_structured_output(client: OpenAI) -> None:
    completion = client.chat.completions.create(**case("json-schema"))
    text, finish_reason, _ = streamed(client, **case("json-schema"))
    assert json.loads(completion.choices[0].message.content or "") == json.loads(text) == {"city": "Paris"}
    assert completion.choices[0].finish_reason == finish_reason == "stop"


def test_a_prefill_is_gone_on_with(client: OpenAI, native: str) -> None:
    message = ask(native, messages=case("prefill")["messages"], max_tokens=8)
    completion = client.chat.completions.create(**case("prefill"))
    text, _, _ = streamed(client, **case("prefill"))
    assert "One, two," + text == message["content"][0]["text"]
    assert completion.choices[0].message.content == text


def test_errors(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as too_long:
        client.chat.completions.create(**case("too-long"))
    assert too_long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError):
        streamed(client, **case("too-long"))
    with pytest.raises(openai.InternalServerError, match="image input is not supported"):
        client.chat.completions.create(**case("image"))


def test_many_streams_one_after_another_fail_at_no_closed_connection(client: OpenAI) -> None:
    for _ in range(30):
        _, finish_reason, _ = streamed(client, **case("text") | {"max_tokens": 2})
        assert finish_reason == "length"


def test_a_client_that_leaves_frees_the_servers_slot(client: OpenAI) -> None:
    for _ in range(4):  # the server has two, and 3,000 tokens take long
        stream = client.chat.completions.create(**case("text") | {"max_tokens": 3000}, stream=True)
        next(iter(stream))
        stream.close()
    completion = client.with_options(timeout=20).chat.completions.create(**case("text") | {"max_tokens": 2})
    assert completion.choices[0].finish_reason == "length"


def test_models_and_counts_pass(client: OpenAI, native: str) -> None:
    url = str(client.base_url)
    with urllib.request.urlopen(f"{url}models", timeout=60) as response:
        assert json.load(response)["data"][0]["id"] == "smollm2"
    body = json.dumps({"model": "smollm2", "messages": HELLO}).encode()
    request = urllib.request.Request(f"{url}messages/count_tokens", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        assert json.load(response)["input_tokens"] > 0
