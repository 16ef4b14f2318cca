"""Google's Agent Development Kit, with its model for LiteLLM."""

import asyncio
import base64

import support
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types

TOOLS = [support.get_weather, support.get_time]


def ask(*prompts, streamed=False, model=None, **more):
    async def go():
        llm = LiteLlm(f"openai/{support.MODEL}", api_base=support.URL, api_key=support.KEY, **(model or {}))
        runner = InMemoryRunner(LlmAgent(name="helper", model=llm, instruction=support.SYSTEM, **more), app_name="a")
        session = await runner.session_service.create_session(app_name="a", user_id="user-1")
        config = RunConfig(streaming_mode=StreamingMode.SSE if streamed else StreamingMode.NONE)
        for parts in prompts:
            content = types.Content(role="user", parts=[types.Part(text=parts)] if isinstance(parts, str) else parts)
            run = runner.run_async(user_id="user-1", session_id=session.id, new_message=content, run_config=config)
            [event async for event in run]

    asyncio.run(go())


def describe(data, kind):
    ask([types.Part(text=support.DESCRIBE), types.Part.from_bytes(data=base64.b64decode(data), mime_type=kind)])


SETTINGS = types.GenerateContentConfig(temperature=0.2, top_p=0.9, max_output_tokens=256, stop_sequences=["END"])

support.run(
    {
        "plain": lambda: ask(support.USER),
        "history": lambda: ask(support.USER, support.LAST_USER),
        "streamed": lambda: ask(support.USER, streamed=True),
        "tool loop": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS),
        "streamed tool loop": lambda: ask(support.USE_TOOLS, tools=TOOLS, streamed=True),
        "schema": lambda: ask(support.USER, output_schema=support.Answer),
        "image": lambda: describe(support.PIXEL, "image/png"),
        "reasoning": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS, model={"reasoning_effort": "low"}),
        "settings": lambda: ask(support.USER, generate_content_config=SETTINGS),
    }
)
