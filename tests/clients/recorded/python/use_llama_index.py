"""LlamaIndex: `OpenAILike`, and its `FunctionAgent`."""

import asyncio

import support
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, DocumentBlock, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from support import Answer, get_time, get_weather

HELLO = [ChatMessage(role="system", content=support.SYSTEM), ChatMessage(role="user", content=support.USER)]
TOOLS = [FunctionTool.from_defaults(get_weather), FunctionTool.from_defaults(get_time)]


def new_model(**more):
    return OpenAILike(
        model=support.MODEL,
        api_base=support.URL,
        api_key=support.KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        **more,
    )


model = new_model()


def history():
    reply = model.chat(HELLO)
    model.chat([*HELLO, reply.message, ChatMessage(role="user", content=support.LAST_USER)])


def agent(streamed, **more):
    async def loop():
        made = FunctionAgent(
            tools=[get_weather, get_time], llm=new_model(**more), system_prompt=support.SYSTEM, streaming=streamed
        )
        await made.run(support.USE_TOOLS)

    asyncio.run(loop())


def schema():
    model.as_structured_llm(Answer).chat(HELLO)
    prompt = PromptTemplate("{asked}")
    model.structured_predict(Answer, prompt, asked=support.USER)
    new_model(should_use_structured_outputs=True).structured_predict(Answer, prompt, asked=support.USER)


def describe(block):
    model.chat([ChatMessage(role="user", blocks=[TextBlock(text=support.DESCRIBE), block])])


def image():
    describe(ImageBlock(image=support.PIXEL.encode(), image_mimetype="image/png"))
    describe(ImageBlock(url=support.IMAGE_URL, detail="auto"))


support.run(
    {
        "plain": lambda: model.chat(HELLO),
        "history": history,
        "streamed": lambda: list(model.stream_chat(HELLO)),
        "tool loop": lambda: agent(streamed=False),
        "streamed tool loop": lambda: agent(streamed=True),
        "forced tool": lambda: [
            model.chat_with_tools(TOOLS, support.USER, tool_required=True),
            model.chat_with_tools(TOOLS, support.USER, tool_choice="get_time"),
        ],
        "one call at a time": lambda: model.chat_with_tools(TOOLS, support.USER, allow_parallel_tool_calls=False),
        "schema": schema,
        "image": image,
        "file": lambda: describe(
            DocumentBlock(data=support.PDF.encode(), document_mimetype="application/pdf", title="a.pdf")
        ),
        "reasoning": lambda: agent(streamed=False, reasoning_effort="low"),
        "settings": lambda: new_model(temperature=0.2, max_tokens=256, additional_kwargs={"stop": ["END"]}).chat(HELLO),
    }
)
