"""pydantic-ai: an `Agent` with `OpenAIChatModel`."""

import asyncio
import base64

import support
from pydantic_ai import Agent, BinaryContent, ImageUrl, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from support import SYSTEM, USE_TOOLS, USER, get_time, get_weather

model = OpenAIChatModel(support.MODEL, provider=OpenAIProvider(base_url=support.URL, api_key=support.KEY))
TOOLS = [get_weather, get_time]


def new_agent(**more):
    return Agent(model, system_prompt=SYSTEM, **more)


async def stream(prompt, **more):
    async with new_agent(**more).run_stream(prompt) as result:
        return [piece async for piece in result.stream_text(delta=True)]


def history():
    agent = new_agent()
    agent.run_sync(support.LAST_USER, message_history=agent.run_sync(USER).all_messages())


def schema():
    for output in (ToolOutput(support.Answer), NativeOutput(support.Answer), PromptedOutput(support.Answer)):
        new_agent(output_type=output).run_sync(USER)


def media(kind, text):
    Agent(model).run_sync([support.DESCRIBE, BinaryContent(base64.b64decode(text), media_type=kind)])


def reasoning():
    agent = new_agent(tools=TOOLS, model_settings={"openai_reasoning_effort": "low"})
    agent.run_sync(support.LAST_USER, message_history=agent.run_sync(USE_TOOLS).all_messages())


SETTINGS = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 256, "stop_sequences": ["END"], "openai_user": "user-1"}

support.run(
    {
        "plain": lambda: new_agent().run_sync(USER),
        "history": history,
        "streamed": lambda: asyncio.run(stream(USER)),
        "tool loop": lambda: new_agent(tools=TOOLS).run_sync(USE_TOOLS),
        "streamed tool loop": lambda: asyncio.run(stream(USE_TOOLS, tools=TOOLS)),
        "one call at a time": lambda: new_agent(tools=TOOLS, model_settings={"parallel_tool_calls": False}).run_sync(
            USE_TOOLS
        ),
        "schema": schema,
        "image": lambda: [
            media("image/png", support.PIXEL),
            Agent(model).run_sync([support.DESCRIBE, ImageUrl(support.IMAGE_URL)]),
        ],
        "file": lambda: media("application/pdf", support.PDF),
        "reasoning": reasoning,
        "settings": lambda: new_agent(model_settings=SETTINGS).run_sync(USER),
        "hints": lambda: new_agent(model_settings={"seed": 7}).run_sync(USER),
    }
)
