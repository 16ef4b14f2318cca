"""any-llm, with its `openai` provider."""

import support
from any_llm import completion
from support import HELLO, HISTORY


def create(messages=HELLO, **more):
    return completion(
        model=support.MODEL, provider="openai", api_base=support.URL, api_key=support.KEY, messages=messages, **more
    )


def tool_loop(**more):
    tools = [support.get_weather, support.get_time]
    messages = support.loop(lambda messages: create(messages, tools=tools, **more).choices[0].message)
    create([*messages, {"role": "user", "content": support.LAST_USER}], tools=tools, **more)


def describe(part):
    create([{"role": "user", "content": [{"type": "text", "text": support.DESCRIBE}, part]}])


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "streamed": lambda: list(create(stream=True)),
        "tool loop": tool_loop,
        "forced tool": lambda: create(tools=[support.get_time], tool_choice="required"),
        "schema": lambda: create(response_format=support.Answer),
        "json": lambda: create(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}], response_format={"type": "json_object"}
        ),
        "image": lambda: describe({"type": "image_url", "image_url": {"url": support.PIXEL_URL}}),
        "reasoning": lambda: tool_loop(reasoning_effort="low"),
        "settings": lambda: create(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], user="user-1"),
    }
)
