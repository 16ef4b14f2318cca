"""pydantic-ai: an `Agent` with `OpenAIChatModel`."""

import asyncio

from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
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

model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=URL, api_key=KEY))


async def ask(agent: Agent, prompt: str) -> list[str]:
    """The pieces of a streamed run."""
    async with agent.run_stream(prompt) as result:
        return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]


def plain() -> None:
    result = Agent(model, system_prompt=SYSTEM).run_sync(USER)
    assert "Zo\u00eb \U0001f44b" in result.output
    assert result.usage.output_tokens > 0


def streamed() -> None:
    agent = Agent(model, system_prompt=SYSTEM)
    check_stream(asyncio.run(ask(agent, USER)), agent.run_sync(USER).output)


def tool_loop() -> None:
    agent = Agent(model, tools=[get_weather, get_time])
    check_loop(agent.run_sync(USE_TOOLS).output)


def structured_output() -> None:
    for output in (ToolOutput(Answer), NativeOutput(Answer), PromptedOutput(Answer)):
        check_answer(Agent(model, output_type=output).run_sync(USER).output)


def abort() -> None:
    name, headers = observed()

    async def leave() -> None:
        agent = Agent(
            OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=OBSERVED_URL, api_key=KEY)),
            model_settings={"extra_headers": headers},
        )
        async with agent.run_stream(USER) as result:
            async for _ in result.stream_text(delta=True, debounce_by=None):
                break

    asyncio.run(leave())
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
