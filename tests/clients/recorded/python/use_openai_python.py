"""The official `openai` package."""

import support
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel
from support import HELLO, HISTORY, MODEL, USER, loop

completions = OpenAI(base_url=support.URL, api_key=support.KEY, max_retries=0).chat.completions

parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": parameters}},
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "parameters": {"type": "object", "properties": {"zone": {"enum": ["utc", "local"]}}, "required": ["zone"]},
        },
    },
]


class GetWeather(BaseModel):
    """Get the weather of a city."""

    city: str


def create(messages=HELLO, **more):
    return completions.create(model=MODEL, messages=messages, **more)


def say(*parts):
    return [{"role": "user", "content": [{"type": "text", "text": support.DESCRIBE}, *parts]}]


def streamed():
    list(create(stream=True, stream_options={"include_usage": True}))
    with completions.stream(model=MODEL, messages=HELLO) as stream:
        stream.get_final_completion()


def tool_loop():
    loop(lambda messages: create(messages, tools=TOOLS).choices[0].message)


def streamed_tool_loop():
    def ask(messages):
        with completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
            return stream.get_final_completion().choices[0].message

    loop(ask)


def forced_tool():
    create(tools=TOOLS, tool_choice="required")
    create(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_time"}})
    tool = {"type": "function", "function": {"name": "get_time"}}
    create(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool]}})
    completions.parse(model=MODEL, messages=HELLO, tools=[pydantic_function_tool(GetWeather)], tool_choice="required")


def schema():
    completion = completions.parse(model=MODEL, messages=HELLO, response_format=support.Answer)
    again = [*HELLO, completion.choices[0].message, {"role": "user", "content": USER}]
    completions.parse(model=MODEL, messages=again, response_format=support.Answer)


def image():
    create(say({"type": "image_url", "image_url": {"url": support.PIXEL_URL}}))
    create(say({"type": "image_url", "image_url": {"url": support.IMAGE_URL, "detail": "auto"}}))


def reasoning():
    message = create(reasoning_effort="low", max_completion_tokens=4096).choices[0].message
    create([*HELLO, message, {"role": "user", "content": USER}], reasoning_effort="low")
    loop(lambda messages: create(messages, tools=TOOLS, reasoning_effort="medium").choices[0].message)


def settings():
    create(
        max_completion_tokens=256,
        temperature=0.2,
        top_p=0.9,
        stop=["END", "STOP"],
        n=1,
        user="user-1",
        frequency_penalty=0,
        presence_penalty=0,
        logprobs=False,
        store=False,
        service_tier="auto",
    )
    create(max_tokens=256, temperature=0, stop="END", safety_identifier="user-1", n=2)


def hints():
    create(seed=7)
    create(verbosity="low", metadata={"topic": "greeting"}, store=True)


support.run(
    {
        "plain": create,
        "history": lambda: create(HISTORY),
        "streamed": streamed,
        "tool loop": tool_loop,
        "streamed tool loop": streamed_tool_loop,
        "forced tool": forced_tool,
        "one call at a time": lambda: create(tools=TOOLS, parallel_tool_calls=False),
        "schema": schema,
        "json": lambda: create(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}], response_format={"type": "json_object"}
        ),
        "image": image,
        "file": lambda: create(say({"type": "file", "file": {"filename": "a.pdf", "file_data": support.PDF_URL}})),
        "reasoning": reasoning,
        "settings": settings,
        "hints": hints,
    }
)
