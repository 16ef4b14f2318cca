"""Haystack: `OpenAIChatGenerator`, and an `Agent`."""

import support
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage, FileContent, ImageContent
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from support import get_time, get_weather

HELLO = [ChatMessage.from_system(support.SYSTEM), ChatMessage.from_user(support.USER)]
TOOLS = [create_tool_from_function(tool) for tool in (get_weather, get_time)]


def new_generator(streamed=False, **kwargs):
    return OpenAIChatGenerator(
        api_key=Secret.from_token(support.KEY),
        model=support.MODEL,
        api_base_url=support.URL,
        streaming_callback=(lambda chunk: None) if streamed else None,
        generation_kwargs=kwargs,
        max_retries=0,
    )


generator = new_generator()


def history():
    replies = generator.run(HELLO)["replies"]
    generator.run([*HELLO, *replies, ChatMessage.from_user(support.LAST_USER)])


def loop(**more):
    agent = Agent(chat_generator=new_generator(**more), tools=TOOLS, system_prompt=support.SYSTEM)
    agent.run([ChatMessage.from_user(support.USE_TOOLS)])


def describe(part):
    generator.run([ChatMessage.from_user(content_parts=[support.DESCRIBE, part])])


FORCED = {"type": "function", "function": {"name": "get_time"}}

support.run(
    {
        "plain": lambda: generator.run(HELLO),
        "history": history,
        "streamed": lambda: new_generator(streamed=True).run(HELLO),
        "tool loop": loop,
        "streamed tool loop": lambda: loop(streamed=True),
        "forced tool": lambda: [
            new_generator(tool_choice="required").run(HELLO, tools=TOOLS),
            new_generator(tool_choice=FORCED).run(HELLO, tools=TOOLS, tools_strict=True),
        ],
        "one call at a time": lambda: new_generator(parallel_tool_calls=False).run(HELLO, tools=TOOLS),
        "schema": lambda: new_generator(response_format=support.Answer).run(HELLO),
        "json": lambda: new_generator(response_format={"type": "json_object"}).run(
            [*HELLO, ChatMessage.from_user(support.JSON_PROMPT)]
        ),
        "image": lambda: describe(ImageContent(base64_image=support.PIXEL, mime_type="image/png")),
        "file": lambda: describe(FileContent(base64_data=support.PDF, mime_type="application/pdf", filename="a.pdf")),
        "reasoning": lambda: loop(reasoning_effort="low"),
        "settings": lambda: new_generator(
            temperature=0.2, top_p=0.9, max_completion_tokens=256, stop=["END"], user="user-1", n=1
        ).run(HELLO),
        "hints": lambda: new_generator(seed=7, logit_bias={"50256": -100}).run(HELLO),
    }
)
