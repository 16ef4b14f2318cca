"""LangChain: `ChatOpenAI`, and an agent of `langchain.agents`."""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI
from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USE_TOOLS,
    USER,
    Answer,
    check_answer,
    check_left,
    check_loop,
    check_stream,
    get_time,
    get_weather,
    observed,
    run,
)

model = ChatOpenAI(base_url=URL, api_key=KEY, model=MODEL, stream_usage=True)
HELLO = [("system", SYSTEM), ("user", USER)]


def plain() -> None:
    reply = model.invoke(HELLO)
    assert "Zo\u00eb \U0001f44b" in reply.content
    assert reply.response_metadata["finish_reason"] == "stop"
    assert reply.usage_metadata["total_tokens"] > reply.usage_metadata["output_tokens"] > 0


def streamed() -> None:
    whole = model.invoke(HELLO)
    chunks = list(model.stream(HELLO))
    check_stream([chunk.content for chunk in chunks if chunk.content], whole.content)
    joined = AIMessageChunk(content="")
    for chunk in chunks:
        joined += chunk
    assert joined.usage_metadata["total_tokens"] == whole.usage_metadata["total_tokens"]


def tool_loop() -> None:
    agent = create_agent(model, tools=[get_weather, get_time], system_prompt=SYSTEM)
    asked = {"messages": [("user", USE_TOOLS)]}
    check_loop(agent.invoke(asked)["messages"][-1].content)
    pieces = [
        message.content
        for message, _ in agent.stream(asked, stream_mode="messages")
        if isinstance(message, AIMessage) and message.content
    ]
    assert len(pieces) > 2
    check_loop("".join(pieces))


def structured_output() -> None:
    for method in ("json_schema", "function_calling"):
        check_answer(model.with_structured_output(Answer, method=method).invoke(HELLO))
    prompt = f"Answer with JSON of this schema: {Answer.model_json_schema()}".replace("'", '"')
    check_answer(model.with_structured_output(Answer, method="json_mode").invoke([("system", prompt), *HELLO]))


def abort() -> None:
    name, headers = observed()
    for _ in ChatOpenAI(base_url=OBSERVED_URL, api_key=KEY, model=MODEL, default_headers=headers).stream(HELLO):
        break
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
