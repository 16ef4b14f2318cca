"""smolagents: `OpenAIServerModel`, a `ToolCallingAgent` and a `CodeAgent`."""

import base64
import io

import support
from PIL import Image
from smolagents import OpenAIServerModel, ToolCallingAgent, tool
from support import HELLO, HISTORY

TOOLS = [tool(support.get_weather), tool(support.get_time)]


def new_model(**more):
    return OpenAIServerModel(model_id=support.MODEL, api_base=support.URL, api_key=support.KEY, **more)


model = new_model()


def loop(model=model, **more):
    agent = ToolCallingAgent(tools=TOOLS, model=model, max_steps=3, verbosity_level=0, **more)
    agent.run(support.USE_TOOLS)


def image():
    pixel = Image.open(io.BytesIO(base64.b64decode(support.PIXEL)))
    content = [{"type": "text", "text": support.DESCRIBE}, {"type": "image", "image": pixel}]
    model.generate([{"role": "user", "content": content}])


SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": support.Answer.model_json_schema()}}

support.run(
    {
        "plain": lambda: model.generate(HELLO),
        "history": lambda: model.generate(HISTORY),
        "streamed": lambda: list(model.generate_stream(HELLO)),
        "tool loop": loop,
        "streamed tool loop": lambda: loop(stream_outputs=True),
        "schema": lambda: model.generate(HELLO, response_format=SCHEMA),
        "image": image,
        "reasoning": lambda: loop(new_model(reasoning_effort="low", tool_choice="auto")),
        "settings": lambda: new_model(temperature=0.2, max_tokens=256).generate(HELLO, stop_sequences=["END"]),
    }
)
