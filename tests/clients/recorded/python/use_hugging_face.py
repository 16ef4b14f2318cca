"""Hugging Face: `InferenceClient` with a base URL."""

import support
from huggingface_hub import InferenceClient
from support import HELLO, HISTORY

client = InferenceClient(base_url=support.URL, api_key=support.KEY)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"{name} of a city.", "parameters": PARAMETERS}}
    for name in ("get_weather", "get_time")
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": support.Answer.model_json_schema()}}


def create(messages=HELLO, **more):
    return client.chat_completion(messages, model=support.MODEL, **more)


def describe(part):
    create([{"role": "user", "content": [{"type": "text", "text": support.DESCRIBE}, part]}])


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "streamed": lambda: list(create(stream=True, stream_options={"include_usage": True})),
        "tool loop": lambda: support.loop(lambda messages: create(messages, tools=TOOLS).choices[0].message),
        "forced tool": lambda: [
            create(tools=TOOLS, tool_choice="required"),
            create(tools=TOOLS, tool_choice={"function": {"name": "get_time"}}),
        ],
        "schema": lambda: create(response_format=SCHEMA),
        "json": lambda: create(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}], response_format={"type": "json_object"}
        ),
        "image": lambda: describe({"type": "image_url", "image_url": {"url": support.PIXEL_URL}}),
        "settings": lambda: create(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], n=1, logprobs=False),
        "hints": lambda: create(seed=7, frequency_penalty=0.5),
    }
)
