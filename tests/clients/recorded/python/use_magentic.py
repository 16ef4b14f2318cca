"""magentic: prompts as functions."""

import base64

import support
from magentic import (
    AssistantMessage,
    FunctionCall,
    ImageUrl,
    OpenaiChatModel,
    StreamedStr,
    SystemMessage,
    UserMessage,
    chatprompt,
    prompt_chain,
)
from magentic.chat_model.message import ImageBytes


def new_model(**more):
    return OpenaiChatModel(support.MODEL, base_url=support.URL, api_key=support.KEY, **more)


model = new_model()


def ask(output, *messages, model=model, functions=()):
    asked = messages or (SystemMessage(support.SYSTEM), UserMessage(support.USER))

    @chatprompt(*asked, model=model, functions=list(functions))
    def answer() -> output: ...

    return answer()


def loop():
    @prompt_chain(support.USE_TOOLS, model=model, functions=[support.get_weather, support.get_time])
    def chain() -> str: ...

    chain()


def image():
    ask(str, UserMessage([support.DESCRIBE, ImageBytes(base64.b64decode(support.PIXEL))]))
    ask(str, UserMessage([support.DESCRIBE, ImageUrl(support.IMAGE_URL)]))


support.run(
    {
        "plain": lambda: ask(str),
        "history": lambda: ask(
            str, UserMessage(support.USER), AssistantMessage("Hello!"), UserMessage(support.LAST_USER)
        ),
        "streamed": lambda: list(ask(StreamedStr)),
        "tool loop": loop,
        "forced tool": lambda: ask(FunctionCall[str], functions=[support.get_time]),
        "schema": lambda: [ask(support.Answer), ask(list[int])],
        "image": image,
        "settings": lambda: ask(str, model=new_model(temperature=0.2, max_tokens=256)),
        "hints": lambda: ask(str, model=new_model(seed=7)),
    }
)
