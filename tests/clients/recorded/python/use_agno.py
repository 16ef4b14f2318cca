"""Agno: an `Agent` with `OpenAILike`."""

import base64
import os

os.environ["AGNO_TELEMETRY"] = "false"

import support
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.media import File, Image
from agno.models.openai.like import OpenAILike
from support import USE_TOOLS, USER, get_time, get_weather

TOOLS = [get_weather, get_time]


def new_agent(model=None, **more):
    made = OpenAILike(id=support.MODEL, base_url=support.URL, api_key=support.KEY, **(model or {}))
    return Agent(model=made, system_message=support.SYSTEM, telemetry=False, **more)


def again(prompt, **more):
    agent = new_agent(db=InMemoryDb(), add_history_to_context=True, session_id="s", user_id="user-1", **more)
    agent.run(prompt)
    agent.run(support.LAST_USER)


SETTINGS = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 256, "stop": ["END"], "user": "user-1", "store": False}

support.run(
    {
        "plain": lambda: new_agent().run(USER),
        "history": lambda: again(USER),
        "streamed": lambda: list(new_agent().run(USER, stream=True)),
        "tool loop": lambda: again(USE_TOOLS, tools=TOOLS),
        "streamed tool loop": lambda: list(new_agent(tools=TOOLS).run(USE_TOOLS, stream=True)),
        "schema": lambda: [
            new_agent(output_schema=support.Answer).run(USER),
            new_agent(output_schema=support.Answer, structured_outputs=False).run(USER),
        ],
        "json": lambda: new_agent(output_schema=support.Answer, use_json_mode=True).run(USER),
        "image": lambda: [
            new_agent().run(support.DESCRIBE, images=[Image(content=base64.b64decode(support.PIXEL))]),
            new_agent().run(support.DESCRIBE, images=[Image(url=support.IMAGE_URL)]),
        ],
        "file": lambda: new_agent().run(
            support.DESCRIBE,
            files=[File(content=base64.b64decode(support.PDF), mime_type="application/pdf", filename="a.pdf")],
        ),
        "reasoning": lambda: again(USE_TOOLS, tools=TOOLS, model={"reasoning_effort": "low"}),
        "settings": lambda: new_agent(SETTINGS).run(USER),
        "hints": lambda: new_agent({"seed": 7, "metadata": {"topic": "greeting"}}).run(USER),
    }
)
