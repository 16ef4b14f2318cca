"""LlamaIndex: `OpenAILike`, and a `FunctionAgent`."""

import asyncio
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USE_TOOLS,
    USER,
    Answer,
    cancelled,
    check_answer,
    check_left,
    check_loop,
    check_stream,
    get_time,
    get_weather,
    observed,
    run,
)


def new_model(url: str = URL, **more: Any) -> OpenAILike:
    return OpenAILike(
        model=MODEL,
        api_base=url,
        api_key=KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        **more,
    )


model = new_model()
HELLO = [ChatMessage(role="system", content=SYSTEM), ChatMessage(role="user", content=USER)]


def plain() -> None:
    reply = model.chat(HELLO)
    assert "Zo\u00eb \U0001f44b" in reply.message.content
    assert reply.raw.choices[0].finish_reason == "stop"


def streamed() -> None:
    check_stream([piece.delta for piece in model.stream_chat(HELLO) if piece.delta], model.chat(HELLO).message.content)


def tool_loop() -> None:
    async def loop() -> str:
        agent = FunctionAgent(tools=[get_weather, get_time], llm=model, system_prompt=SYSTEM)
        return str(await agent.run(USE_TOOLS))

    check_loop(asyncio.run(loop()))


def structured_output() -> None:
    check_answer(model.as_structured_llm(Answer).chat(HELLO).raw)
    prompt = PromptTemplate("{asked}")
    check_answer(model.structured_predict(Answer, prompt, asked=USER))
    check_answer(new_model(should_use_structured_outputs=True).structured_predict(Answer, prompt, asked=USER))


def abort() -> None:
    name, headers = observed()
    leaving = new_model(OBSERVED_URL, default_headers=headers)

    async def read(begun: asyncio.Event) -> None:
        async for _ in await leaving.astream_chat(HELLO):
            begun.set()

    asyncio.run(cancelled(read))
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
