"""aisuite, with its `openai` provider."""

import aisuite
import support
from support import HELLO, HISTORY

client = aisuite.Client({"openai": {"base_url": support.URL, "api_key": support.KEY}})


def create(messages=HELLO, **more):
    return client.chat.completions.create(model=f"openai:{support.MODEL}", messages=messages, **more)


def describe(part):
    create([{"role": "user", "content": [{"type": "text", "text": support.DESCRIBE}, part]}])


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "tool loop": lambda: create(
            support.USE_TOOLS_MESSAGES, tools=[support.get_weather, support.get_time], max_turns=3
        ),
        "json": lambda: create(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}], response_format={"type": "json_object"}
        ),
        "image": lambda: describe({"type": "image_url", "image_url": {"url": support.PIXEL_URL}}),
        "settings": lambda: create(temperature=0.2, max_tokens=256, stop=["END"], user="user-1"),
    }
)
