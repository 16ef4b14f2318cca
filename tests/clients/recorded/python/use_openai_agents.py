"""The OpenAI Agents SDK, with `OpenAIChatCompletionsModel`."""

import asyncio

import support
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from support import SYSTEM, USE_TOOLS, USER, get_time, get_weather

set_tracing_disabled(True)
TOOLS = [function_tool(get_weather), function_tool(get_time)]


def ask(prompt, *, streamed=False, again=False, **more):
    async def loop():
        async with AsyncOpenAI(base_url=support.URL, api_key=support.KEY, max_retries=0) as client:
            model = OpenAIChatCompletionsModel(support.MODEL, client)
            agent = Agent(name="a", instructions=SYSTEM, model=model, **more)
            if streamed:
                [event async for event in Runner.run_streamed(agent, prompt).stream_events()]
                return
            result = await Runner.run(agent, prompt)
            if again:
                await Runner.run(agent, [*result.to_input_list(), {"role": "user", "content": support.LAST_USER}])

    asyncio.run(loop())


def describe(part):
    ask([{"role": "user", "content": [{"type": "input_text", "text": support.DESCRIBE}, part]}])


LOW = ModelSettings(reasoning=Reasoning(effort="low"))
SETTINGS = ModelSettings(temperature=0.2, top_p=0.9, max_tokens=256, store=False, extra_body={"user": "user-1"})

support.run(
    {
        "plain": lambda: ask(USER),
        "history": lambda: ask(USER, again=True),
        "streamed": lambda: ask(USER, streamed=True),
        "tool loop": lambda: ask(USE_TOOLS, tools=TOOLS, again=True),
        "streamed tool loop": lambda: ask(USE_TOOLS, tools=TOOLS, streamed=True),
        "forced tool": lambda: [
            ask(USE_TOOLS, tools=TOOLS, model_settings=ModelSettings(tool_choice="required")),
            ask(USE_TOOLS, tools=TOOLS, model_settings=ModelSettings(tool_choice="get_time")),
        ],
        "one call at a time": lambda: ask(
            USE_TOOLS, tools=TOOLS, model_settings=ModelSettings(parallel_tool_calls=False)
        ),
        "schema": lambda: [ask(USER, output_type=support.Answer, again=True)],
        "image": lambda: [
            describe({"type": "input_image", "image_url": support.PIXEL_URL, "detail": "auto"}),
            describe({"type": "input_image", "image_url": support.IMAGE_URL, "detail": "auto"}),
        ],
        "file": lambda: describe({"type": "input_file", "file_data": support.PDF_URL, "filename": "a.pdf"}),
        "reasoning": lambda: ask(USE_TOOLS, tools=TOOLS, model_settings=LOW, again=True),
        "settings": lambda: ask(USER, model_settings=SETTINGS),
        "hints": lambda: ask(USER, model_settings=ModelSettings(verbosity="low", metadata={"topic": "greeting"})),
    }
)
