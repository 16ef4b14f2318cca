"""The OpenAI Agents SDK: `Runner`, with `OpenAIChatCompletionsModel`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    Runner,
    RunResult,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USE_TOOLS,
    USER,
    Answer,
    check_answer,
    check_left,
    check_loop,
    check_stream,
    get_time,
    get_weather,
    observed,
    run,
)

set_tracing_disabled(True)
TOOLS = [function_tool(get_weather), function_tool(get_time)]


@asynccontextmanager
async def agent(url: str = URL, **more: Any) -> AsyncIterator[Agent]:
    async with AsyncOpenAI(base_url=url, api_key=KEY) as client:
        yield Agent(name="a", instructions=SYSTEM, model=OpenAIChatCompletionsModel(MODEL, client), **more)


async def whole_run(prompt: str, **more: Any) -> RunResult:
    async with agent(**more) as asked:
        return await Runner.run(asked, prompt)


async def streamed_run(prompt: str, **more: Any) -> tuple[list[str], Any]:
    """The deltas of a streamed run, and its final output."""
    async with agent(**more) as asked:
        result = Runner.run_streamed(asked, prompt)
        deltas = [event.data.delta async for event in result.stream_events() if is_text(event)]
    return deltas, result.final_output


def is_text(event: Any) -> bool:
    return event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)


def plain() -> None:
    result = asyncio.run(whole_run(USER))
    assert "Zo\u00eb \U0001f44b" in result.final_output
    assert result.raw_responses[0].usage.output_tokens > 0


def streamed() -> None:
    deltas, final = asyncio.run(streamed_run(USER))
    check_stream(deltas, final)
    assert final == asyncio.run(whole_run(USER)).final_output


def tool_loop() -> None:
    check_loop(asyncio.run(whole_run(USE_TOOLS, tools=TOOLS)).final_output)
    check_loop(asyncio.run(streamed_run(USE_TOOLS, tools=TOOLS))[1])


def structured_output() -> None:
    check_answer(asyncio.run(whole_run(USER, output_type=Answer)).final_output)
    check_answer(asyncio.run(streamed_run(USER, output_type=Answer))[1])


def abort() -> None:
    name, headers = observed()

    async def leave() -> None:
        async with agent(OBSERVED_URL, model_settings=ModelSettings(extra_headers=headers)) as asked:
            result = Runner.run_streamed(asked, USER)
            async for event in result.stream_events():
                if is_text(event):
                    result.cancel()

    asyncio.run(leave())
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
