"""Microsoft's Agent Framework, with `OpenAIChatCompletionClient`."""

import asyncio
import base64

import support
from agent_framework import Agent, Content, Message
from agent_framework.openai import OpenAIChatCompletionClient

TOOLS = [support.get_weather, support.get_time]


def ask(*prompts, tools=(), streamed=False, **options):
    async def go():
        client = OpenAIChatCompletionClient(support.MODEL, base_url=support.URL, api_key=support.KEY)
        agent = Agent(client, support.SYSTEM, name="helper", tools=list(tools), default_options=options)
        session = agent.create_session()
        for prompt in prompts:
            if streamed:
                [update async for update in agent.run(prompt, stream=True, session=session)]
            else:
                await agent.run(prompt, session=session)

    asyncio.run(go())


def describe(content):
    ask(Message("user", [Content.from_text(support.DESCRIBE), content]))


PNG, PDF = base64.b64decode(support.PIXEL), base64.b64decode(support.PDF)

support.run(
    {
        "plain": lambda: ask(support.USER),
        "history": lambda: ask(support.USER, support.LAST_USER),
        "streamed": lambda: ask(support.USER, streamed=True),
        "tool loop": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS),
        "streamed tool loop": lambda: ask(support.USE_TOOLS, tools=TOOLS, streamed=True),
        "forced tool": lambda: ask(
            support.USE_TOOLS, tools=TOOLS, tool_choice={"mode": "required", "required_function_name": "get_time"}
        ),
        "one call at a time": lambda: ask(support.USE_TOOLS, tools=TOOLS, allow_multiple_tool_calls=False),
        "schema": lambda: ask(support.USER, response_format=support.Answer),
        "image": lambda: [
            describe(Content.from_data(PNG, media_type="image/png")),
            describe(Content.from_uri(support.IMAGE_URL, media_type="image/jpeg")),
        ],
        "file": lambda: describe(Content.from_data(PDF, media_type="application/pdf")),
        "reasoning": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS, reasoning_effort="low"),
        "settings": lambda: ask(
            support.USER, temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], user="user-1", store=False
        ),
        "hints": lambda: ask(support.USER, seed=7, metadata={"topic": "greeting"}),
    }
)
