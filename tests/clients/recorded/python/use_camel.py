"""CAMEL: a `ChatAgent` with an OpenAI-compatible model."""

import base64
import io

import support
from camel.agents import ChatAgent
from camel.messages import BaseMessage
from camel.models import ModelFactory
from camel.toolkits import FunctionTool
from camel.types import ModelPlatformType
from camel.utils import BaseTokenCounter
from PIL import Image


class Counter(BaseTokenCounter):
    """Counts characters: the usual counter downloads its table."""

    def count_tokens_from_messages(self, messages):
        return sum(len(str(message)) for message in messages)

    def encode(self, text):
        return [*text.encode()]

    def decode(self, token_ids):
        return bytes(token_ids).decode()


TOOLS = [FunctionTool(support.get_weather), FunctionTool(support.get_time)]


def new_agent(tools=(), **config):
    model = ModelFactory.create(
        model_platform=ModelPlatformType.OPENAI_COMPATIBLE_MODEL,
        model_type=support.MODEL,
        url=support.URL,
        api_key=support.KEY,
        token_counter=Counter(),
        model_config_dict=config,
    )
    return ChatAgent(support.SYSTEM, model=model, tools=list(tools))


def again(prompt, *tools, **config):
    agent = new_agent(tools, **config)
    agent.step(prompt)
    agent.step(support.LAST_USER)


def image():
    pixel = Image.open(io.BytesIO(base64.b64decode(support.PIXEL)))
    new_agent().step(BaseMessage.make_user_message("User", support.DESCRIBE, image_list=[pixel]))


support.run(
    {
        "plain": lambda: new_agent().step(support.USER),
        "history": lambda: again(support.USER),
        "streamed": lambda: [part.msg for part in new_agent(stream=True).step(support.USER)],
        "tool loop": lambda: again(support.USE_TOOLS, *TOOLS),
        "schema": lambda: new_agent().step(support.USER, response_format=support.Answer),
        "image": image,
        "reasoning": lambda: again(support.USE_TOOLS, *TOOLS, reasoning_effort="low"),
        "settings": lambda: new_agent(
            temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], user="user-1", n=1
        ).step(support.USER),
    }
)
