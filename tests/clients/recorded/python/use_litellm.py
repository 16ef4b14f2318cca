"""LiteLLM as a client: its `openai/` provider."""

import support
from litellm import completion
from support import HELLO, HISTORY

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"{name} of a city.", "parameters": PARAMETERS}}
    for name in ("get_weather", "get_time")
]


def create(messages=HELLO, **more):
    return completion(
        model=f"openai/{support.MODEL}", api_base=support.URL, api_key=support.KEY, messages=messages, **more
    )


def tool_loop(**more):
    messages = support.loop(lambda messages: create(messages, tools=TOOLS, **more).choices[0].message)
    create([*messages, {"role": "user", "content": support.LAST_USER}], tools=TOOLS, **more)


def describe(part):
    create([{"role": "user", "content": [{"type": "text", "text": support.DESCRIBE}, part]}])


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "streamed": lambda: list(create(stream=True, stream_options={"include_usage": True})),
        "tool loop": tool_loop,
        "forced tool": lambda: [
            create(tools=TOOLS, tool_choice="required"),
            create(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_time"}}),
        ],
        "one call at a time": lambda: create(tools=TOOLS, parallel_tool_calls=False),
        "schema": lambda: create(response_format=support.Answer),
        "json": lambda: create(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}], response_format={"type": "json_object"}
        ),
        "image": lambda: [
            describe({"type": "image_url", "image_url": {"url": support.PIXEL_URL, "format": "image/png"}}),
            describe({"type": "image_url", "image_url": support.IMAGE_URL}),
        ],
        "file": lambda: describe(
            {"type": "file", "file": {"file_data": support.PDF_URL, "filename": "a.pdf", "format": "application/pdf"}}
        ),
        "reasoning": lambda: tool_loop(reasoning_effort="low"),
        "settings": lambda: create(
            temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], user="user-1", n=1, metadata={"topic": "greeting"}
        ),
    }
)
