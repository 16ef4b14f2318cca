"""Agno: an `Agent` with `OpenAILike`."""

import asyncio
import os

os.environ["AGNO_TELEMETRY"] = "false"

from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USE_TOOLS,
    USER,
    Answer,
    cancelled,
    check_answer,
    check_left,
    check_loop,
    check_stream,
    get_time,
    get_weather,
    observed,
    run,
)


def new_agent(url: str = URL, headers: dict[str, str] | None = None, **more: object) -> Agent:
    model = OpenAILike(id=MODEL, base_url=url, api_key=KEY, default_headers=headers)
    return Agent(model=model, system_message=SYSTEM, telemetry=False, **more)


def pieces(agent: Agent, prompt: str) -> list[str]:
    """The text of a streamed run."""
    return [event.content for event in agent.run(prompt, stream=True) if event.event == "RunContent" and event.content]


def plain() -> None:
    reply = new_agent().run(USER)
    assert "Zo\u00eb \U0001f44b" in reply.content
    assert reply.metrics.output_tokens > 0


def streamed() -> None:
    check_stream(pieces(new_agent(), USER), new_agent().run(USER).content)


def tool_loop() -> None:
    agent = new_agent(tools=[get_weather, get_time])
    check_loop(agent.run(USE_TOOLS).content)
    check_loop("".join(pieces(agent, USE_TOOLS)))


def structured_output() -> None:
    check_answer(new_agent(output_schema=Answer).run(USER).content)
    check_answer(new_agent(output_schema=Answer, structured_outputs=False).run(USER).content)


def abort() -> None:
    name, headers = observed()
    agent = new_agent(OBSERVED_URL, headers)

    async def read(begun: asyncio.Event) -> None:
        async for event in agent.arun(USER, stream=True):
            if event.event == "RunContent":
                begun.set()

    asyncio.run(cancelled(read))
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
