"""AG2: an `Agent` with `OpenAIConfig`."""

import asyncio
import base64

import support
from ag2 import Agent
from ag2.config import OpenAIConfig
from ag2.events import ImageInput


def ask(*prompts, tools=(), schema=None, **config):
    async def go():
        made = OpenAIConfig(model=support.MODEL, api_key=support.KEY, base_url=support.URL, max_retries=0, **config)
        agent = Agent("helper", prompt=support.SYSTEM, config=made, tools=list(tools))
        first, *others = prompts
        more = {} if schema is None else {"response_schema": schema}
        reply = await agent.ask(*(first if isinstance(first, list) else [first]), **more)
        for prompt in others:
            reply = await reply.ask(prompt)

    asyncio.run(go())


TOOLS = [support.get_weather, support.get_time]
FORCED = {"type": "function", "function": {"name": "get_time"}}

support.run(
    {
        "plain": lambda: ask(support.USER),
        "history": lambda: ask(support.USER, support.LAST_USER),
        "streamed": lambda: ask(support.USER, streaming=True),
        "tool loop": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS),
        "streamed tool loop": lambda: ask(support.USE_TOOLS, tools=TOOLS, streaming=True),
        "one call at a time": lambda: ask(support.USE_TOOLS, tools=TOOLS, parallel_tool_calls=False),
        "schema": lambda: ask(support.USER, schema=support.Answer),
        "image": lambda: [
            ask([support.DESCRIBE, ImageInput(support.IMAGE_URL)]),
            ask([support.DESCRIBE, ImageInput(data=base64.b64decode(support.PIXEL), media_type="image/png")]),
        ],
        "reasoning": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS, reasoning_effort="low"),
        "settings": lambda: ask(
            support.USER,
            temperature=0.2,
            top_p=0.9,
            max_completion_tokens=256,
            stop=["END"],
            user="user-1",
            store=False,
        ),
        "hints": lambda: ask(support.USER, seed=7, verbosity="low"),
    }
)
