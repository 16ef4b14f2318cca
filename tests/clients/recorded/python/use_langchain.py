"""LangChain: `ChatOpenAI`, and an agent of `langchain.agents`."""

import support
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from support import get_time, get_weather

TOOLS = [get_weather, get_time]
HELLO = [("system", support.SYSTEM), ("user", support.USER)]


def new_model(**more):
    return ChatOpenAI(base_url=support.URL, api_key=support.KEY, model=support.MODEL, max_retries=0, **more)


model = new_model()


def history():
    reply = model.invoke(HELLO)
    model.invoke([*HELLO, reply, ("user", support.LAST_USER)])


def agent(model, streamed=False):
    made = create_agent(model, tools=TOOLS, system_prompt=support.SYSTEM)
    asked = {"messages": [("user", support.USE_TOOLS)]}
    list(made.stream(asked, stream_mode="messages")) if streamed else made.invoke(asked)


def forced_tool():
    model.bind_tools(TOOLS, tool_choice="any").invoke(HELLO)
    model.bind_tools(TOOLS, tool_choice="get_time", strict=True).invoke(HELLO)


def schema():
    for method in ("json_schema", "function_calling"):
        model.with_structured_output(support.Answer, method=method).invoke(HELLO)
    create_agent(model, tools=TOOLS, response_format=support.Answer).invoke({"messages": HELLO})


def describe(*parts):
    model.invoke([("user", [{"type": "text", "text": support.DESCRIBE}, *parts])])


def image():
    describe({"type": "image", "base64": support.PIXEL, "mime_type": "image/png"})
    describe({"type": "image", "url": support.IMAGE_URL})


def settings():
    new_model(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"], n=1).invoke(HELLO)


support.run(
    {
        "plain": lambda: model.invoke(HELLO),
        "history": history,
        "streamed": lambda: [list(model.stream(HELLO)), list(new_model(stream_usage=True).stream(HELLO))],
        "tool loop": lambda: agent(model),
        "streamed tool loop": lambda: agent(model, streamed=True),
        "forced tool": forced_tool,
        "one call at a time": lambda: model.bind_tools(TOOLS, parallel_tool_calls=False).invoke(HELLO),
        "schema": schema,
        "json": lambda: model.with_structured_output(None, method="json_mode").invoke(
            [*HELLO, ("user", support.JSON_PROMPT)]
        ),
        "image": image,
        "file": lambda: describe(
            {"type": "file", "base64": support.PDF, "mime_type": "application/pdf", "filename": "a.pdf"}
        ),
        "reasoning": lambda: agent(new_model(reasoning_effort="low")),
        "settings": settings,
        "hints": lambda: new_model(seed=7, logprobs=True).invoke(HELLO),
    }
)
