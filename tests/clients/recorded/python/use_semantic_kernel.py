"""Semantic Kernel: a `ChatCompletionAgent` with `OpenAIChatCompletion`."""

import asyncio

import support
from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatMessageContent, ImageContent, TextContent
from semantic_kernel.functions import KernelArguments, kernel_function


def ask(*prompts, tools=(), streamed=False, **settings):
    async def go():
        client = AsyncOpenAI(base_url=support.URL, api_key=support.KEY, max_retries=0)
        asked = OpenAIChatPromptExecutionSettings(**settings)
        agent = ChatCompletionAgent(
            name="assistant",
            instructions=support.SYSTEM,
            service=OpenAIChatCompletion(support.MODEL, async_client=client),
            plugins=list(tools),
            arguments=KernelArguments(asked),
        )
        thread = None
        for prompt in prompts:
            if streamed:
                async for piece in agent.invoke_stream(prompt, thread=thread):
                    thread = piece.thread
            else:
                thread = (await agent.get_response(prompt, thread=thread)).thread

    asyncio.run(go())


class Tools:
    """What the agent may call."""

    @kernel_function
    def get_weather(self, city: str, days: int = 1) -> str:
        """Get the weather of a city."""
        return support.get_weather(city, days)

    @kernel_function
    def get_time(self, zone: str) -> str:
        """Get the time in a zone."""
        return support.get_time(zone)


def describe(item):
    content = [TextContent(text=support.DESCRIBE), item]
    ask(ChatMessageContent(role="user", items=content))


support.run(
    {
        "plain": lambda: ask(support.USER),
        "history": lambda: ask(support.USER, support.LAST_USER),
        "streamed": lambda: ask(support.USER, streamed=True),
        "tool loop": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=[Tools()]),
        "streamed tool loop": lambda: ask(support.USE_TOOLS, tools=[Tools()], streamed=True),
        "forced tool": lambda: ask(
            support.USE_TOOLS, tools=[Tools()], function_choice_behavior=FunctionChoiceBehavior.Required()
        ),
        "one call at a time": lambda: ask(support.USE_TOOLS, tools=[Tools()], parallel_tool_calls=False),
        "schema": lambda: ask(support.USER, response_format=support.Answer),
        "json": lambda: ask(support.JSON_PROMPT, response_format={"type": "json_object"}),
        "image": lambda: [
            describe(ImageContent(data_uri=support.PIXEL_URL)),
            describe(ImageContent(uri=support.IMAGE_URL)),
        ],
        "reasoning": lambda: ask(support.USE_TOOLS, tools=[Tools()], reasoning_effort="low"),
        "settings": lambda: ask(
            support.USER, temperature=0.2, top_p=0.9, max_completion_tokens=256, stop=["END"], user="user-1"
        ),
        "hints": lambda: ask(support.USER, seed=7),
    }
)
