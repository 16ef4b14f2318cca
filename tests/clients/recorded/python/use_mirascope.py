"""Mirascope, with its `openai` provider on chat completions."""

import base64

import support
from mirascope import llm

llm.register_provider("openai", api_key=support.KEY, base_url=support.URL)
NAME = "openai/sim-1:completions"  # it takes no name with two slashes
HELLO = [llm.messages.system(support.SYSTEM), llm.messages.user(support.USER)]
TOOLS = [llm.tool(support.get_weather), llm.tool(support.get_time)]


def new_model(**params):
    return llm.model(NAME, **params)


model = new_model()


def history():
    model.call([*model.call(HELLO).messages, llm.messages.user(support.LAST_USER)])


def loop(**params):
    reply = new_model(**params).call(support.USE_TOOLS, tools=TOOLS)
    while reply.tool_calls:
        reply = reply.resume(reply.execute_tools())
    reply.resume(support.LAST_USER)


def streamed_loop():
    reply = model.stream(support.USE_TOOLS, tools=TOOLS)
    reply.finish()
    while reply.tool_calls:
        reply = reply.resume(reply.execute_tools())
        reply.finish()


def schema():
    for mode in ("strict", "tool", "json"):
        model.call(HELLO, format=llm.format(support.Answer, mode=mode))


def image():
    model.call([llm.messages.user([support.DESCRIBE, llm.Image.from_bytes(base64.b64decode(support.PIXEL))])])
    model.call([llm.messages.user([support.DESCRIBE, llm.Image.from_url(support.IMAGE_URL)])])


support.run(
    {
        "plain": lambda: model.call(HELLO),
        "history": history,
        "streamed": lambda: model.stream(HELLO).finish(),
        "tool loop": loop,
        "streamed tool loop": streamed_loop,
        "schema": schema,
        "image": image,
        "reasoning": lambda: loop(thinking={"level": "low"}),
        "settings": lambda: new_model(temperature=0.2, top_p=0.9, max_tokens=256, stop_sequences=["END"]).call(HELLO),
        "hints": lambda: new_model(seed=7).call(HELLO),
    }
)
