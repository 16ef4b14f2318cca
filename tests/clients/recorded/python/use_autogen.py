"""AutoGen: `OpenAIChatCompletionClient`, and an `AssistantAgent`."""

import asyncio
import base64
import io

import support
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import MultiModalMessage
from autogen_core import Image
from autogen_core.models import AssistantMessage, ModelInfo, SystemMessage, UserMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from PIL import Image as Pixels

INFO = ModelInfo(vision=True, function_calling=True, json_output=True, structured_output=True, family="unknown")
HELLO = [SystemMessage(content=support.SYSTEM), UserMessage(content=support.USER, source="user")]
TOOLS = [FunctionTool(tool, description=tool.__doc__) for tool in (support.get_weather, support.get_time)]
HISTORY = [
    *HELLO,
    AssistantMessage(content="Hello!", source="assistant"),
    UserMessage(content=support.LAST_USER, source="user"),
]


def new_client(**more):
    return OpenAIChatCompletionClient(
        model=support.MODEL, base_url=support.URL, api_key=support.KEY, model_info=INFO, max_retries=0, **more
    )


def create(messages=HELLO, client=None, **more):
    return asyncio.run((client or new_client()).create(messages, **more))


async def streamed():
    return [piece async for piece in new_client().create_stream(HELLO)]


def loop(streamed=False, **more):
    async def go():
        agent = AssistantAgent(
            "assistant",
            model_client=new_client(**more),
            tools=TOOLS,
            system_message=support.SYSTEM,
            reflect_on_tool_use=True,
            model_client_stream=streamed,
        )
        await agent.run(task=support.USE_TOOLS)
        await agent.run(task=support.LAST_USER)

    asyncio.run(go())


def image():
    async def go():
        pixel = Image(Pixels.open(io.BytesIO(base64.b64decode(support.PIXEL))))
        agent = AssistantAgent("assistant", model_client=new_client())
        await agent.run(task=MultiModalMessage(content=[support.DESCRIBE, pixel], source="user"))

    asyncio.run(go())


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "streamed": lambda: asyncio.run(streamed()),
        "tool loop": loop,
        "streamed tool loop": lambda: loop(streamed=True),
        "forced tool": lambda: create(tools=TOOLS, tool_choice="required"),
        "one call at a time": lambda: create(tools=TOOLS, client=new_client(parallel_tool_calls=False)),
        "schema": lambda: create(json_output=support.Answer),
        "json": lambda: create([*HELLO, UserMessage(content=support.JSON_PROMPT, source="user")], json_output=True),
        "image": image,
        "reasoning": lambda: loop(reasoning_effort="low"),
        "settings": lambda: create(
            client=new_client(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], user="user-1")
        ),
        "hints": lambda: create(client=new_client(seed=7)),
    }
)
