"""The official `openai` package with what goes beyond the first slice: its helpers, thinking, files, older forms."""

import json
from typing import Any

import pytest
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel

MODEL = "caicaini/auto"
PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
WEATHER: Any = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="cai_api_test", max_retries=0, _strict_response_validation=True)


def say(text: str) -> Any:
    return {"role": "user", "content": text}


class Step(BaseModel):
    explanation: str
    output: int


class Solution(BaseModel):
    steps: list[Step]
    answer: str


class GetWeather(BaseModel):
    city: str


def test_parse_gives_an_object_of_the_clients_own_class(client: OpenAI) -> None:
    with client:
        completion = client.chat.completions.parse(
            model=MODEL, messages=[say("Solve 8x + 7 = -23.")], response_format=Solution
        )
    assert isinstance(completion.choices[0].message.parsed, Solution)
    assert completion.choices[0].finish_reason == "stop"


def test_parse_of_a_stream(client: OpenAI) -> None:
    with (
        client,
        client.chat.completions.stream(model=MODEL, messages=[say("Solve it.")], response_format=Solution) as stream,
    ):
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Solution)


def test_the_events_of_a_stream(client: OpenAI) -> None:
    """Each delta adds to the snapshot, and what is done is told whole: text, an object, and the arguments of a call."""
    solve: Any = {"messages": [say("Solve it.")], "response_format": Solution}
    call: Any = {"messages": [say("Use GetWeather.")], "tools": [pydantic_function_tool(GetWeather)]}
    for asked, kind in ((solve, "content"), (call, "tool_calls.function.arguments")):
        with client.chat.completions.stream(model=MODEL, **asked) as stream:
            events: Any = list(stream)
        deltas = [event for event in events if event.type == f"{kind}.delta"]
        [done] = [event for event in events if event.type == f"{kind}.done"]
        if kind == "content":
            assert "".join(event.delta for event in deltas) == deltas[-1].snapshot == done.content
            assert isinstance(done.parsed, Solution)
        else:
            assert "".join(event.arguments_delta for event in deltas) == done.arguments
            assert isinstance(done.parsed_arguments, GetWeather)
    client.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("lossy", [False, True])
def test_a_tool_loop_with_thinking_on(client: OpenAI, stream: bool, lossy: bool) -> None:
    """Twice through the loop, by a client that sends thinking back, and by one that loses it."""
    messages: list[Any] = [say("Use get_weather.")]
    tools: Any = [{"type": "function", "function": WEATHER}]
    options: Any = {"model": MODEL, "tools": tools, "reasoning_effort": "low", "max_completion_tokens": 8000}
    with client:
        for turn in range(2):
            raw = client.chat.completions.with_raw_response
            if stream:
                with client.chat.completions.stream(messages=messages, **options) as events:
                    message: Any = events.get_final_completion().choices[0].message
            else:
                reply = raw.create(messages=messages, **options)
                assert "x-chatcompat-ignored" not in reply.headers
                message = reply.parse().choices[0].message
            assert message.model_extra["reasoning_content"]
            assert [call.function.name for call in message.tool_calls] == ["get_weather"]
            kept = {"role", "content", "tool_calls"} if lossy else None
            messages.append(message.model_dump(exclude_none=True, include=kept))
            messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": f"turn {turn}"})
            messages.append(say("Use get_weather again."))
        assert len(messages) == 7


def test_legacy_functions(client: OpenAI) -> None:
    messages: list[Any] = [say("Use get_weather.")]
    with client:
        first = client.chat.completions.create(model=MODEL, messages=messages, functions=[WEATHER]).choices[0]
        assert first.finish_reason == "function_call"
        assert first.message.function_call is not None
        messages.append(first.message.model_dump(exclude_none=True))
        messages.append({"role": "function", "name": first.message.function_call.name, "content": "sunny"})
        last = client.chat.completions.create(model=MODEL, messages=messages, functions=[WEATHER]).choices[0]
    assert last.finish_reason == "stop"
    assert "sunny" in (last.message.content or "")


def test_a_custom_tool(client: OpenAI) -> None:
    tools: Any = [{"type": "custom", "custom": {"name": "shell", "description": "Runs a command."}}]
    messages: list[Any] = [say("Use shell.")]
    with client:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0].message
        assert message.tool_calls is not None
        call: Any = message.tool_calls[0]
        assert (call.type, call.custom.name) == ("custom", "shell")
        messages += [message.model_dump(exclude_none=True)]
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "done"}]
        last = client.chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0]
    assert last.finish_reason == "stop"


def test_a_pdf_arrives(client: OpenAI) -> None:
    parts: Any = [{"type": "text", "text": "Read."}, {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}}]
    with client:
        completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert "application/pdf" in (completion.choices[0].message.content or "")


def test_what_was_ignored_is_told(client: OpenAI) -> None:
    with client:
        reply = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=[say("hi")], seed=4, extra_body={"mystery": 1}
        )
    assert reply.headers["x-chatcompat-ignored"] == "mystery, seed"


def test_json_of_a_kind_that_is_no_object(client: OpenAI) -> None:
    schema: Any = {"name": "numbers", "schema": {"type": "array", "items": {"type": "integer"}}}
    with client:
        completion = client.chat.completions.create(
            model=MODEL, messages=[say("hi")], response_format={"type": "json_schema", "json_schema": schema}
        )
    assert isinstance(json.loads(completion.choices[0].message.content or ""), list)
