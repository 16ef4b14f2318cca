"""Strands Agents, with its `OpenAIModel`."""

import base64

import support
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from support import USE_TOOLS, USER

TOOLS = [tool(support.get_weather), tool(support.get_time)]


def new_agent(tools=(), **params):
    model = OpenAIModel(
        client_args={"base_url": support.URL, "api_key": support.KEY}, model_id=support.MODEL, params=params
    )
    return Agent(model=model, tools=list(tools), system_prompt=support.SYSTEM, callback_handler=None)


def again(prompt, *tools, **params):
    agent = new_agent(tools, **params)
    agent(prompt)
    agent(support.LAST_USER)


def describe(block):
    new_agent()([{"text": support.DESCRIBE}, block])


PNG, PDF = base64.b64decode(support.PIXEL), base64.b64decode(support.PDF)

support.run(
    {
        "streamed": lambda: new_agent()(USER),
        "history": lambda: again(USER),
        "streamed tool loop": lambda: again(USE_TOOLS, *TOOLS),
        "schema": lambda: [
            new_agent()(USER, structured_output_model=support.Answer),
        ],
        "image": lambda: describe({"image": {"format": "png", "source": {"bytes": PNG}}}),
        "file": lambda: describe({"document": {"format": "pdf", "name": "a", "source": {"bytes": PDF}}}),
        "reasoning": lambda: again(USE_TOOLS, *TOOLS, reasoning_effort="low"),
        "settings": lambda: new_agent(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"])(USER),
    }
)
