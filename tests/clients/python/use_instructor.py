"""instructor: `from_openai`, in each mode for chat completions. Its tool loop is a retry with what was invalid."""

import instructor
from openai import OpenAI
from pydantic import field_validator
from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USER,
    Answer,
    called,
    check_answer,
    check_left,
    check_stream,
    observed,
    run,
)

client = OpenAI(base_url=URL, api_key=KEY)
HELLO = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]


def plain() -> None:
    reply = instructor.from_openai(client).chat.completions.create(model=MODEL, messages=HELLO, response_model=None)
    assert "Zo\u00eb \U0001f44b" in reply.choices[0].message.content


def streamed() -> None:
    whole = instructor.from_openai(client)
    reply = whole.chat.completions.create(model=MODEL, messages=HELLO, response_model=None)
    chunks = whole.chat.completions.create(model=MODEL, messages=HELLO, response_model=None, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    check_stream(pieces, reply.choices[0].message.content)
    partial = list(whole.chat.completions.create_partial(model=MODEL, messages=HELLO, response_model=Answer))
    assert len(partial) > 2
    check_answer(Answer.model_validate(partial[-1].model_dump()))


def tool_loop() -> None:
    class Fussy(Answer):
        @field_validator("score")
        @classmethod
        def is_liked(cls, score: int) -> int:
            called.append("is_liked")
            if len(called) == 1:
                raise ValueError("this score is not liked")
            return score

    called.clear()
    asked = {"model": MODEL, "messages": HELLO, "response_model": Fussy, "max_retries": 2}
    answer, completion = instructor.from_openai(client).chat.completions.create_with_completion(**asked)
    check_answer(answer)
    assert len(called) == 2
    assert completion.choices[0].message.tool_calls[0].function.name == "Fussy"
    called.clear()


def structured_output() -> None:
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA, instructor.Mode.MD_JSON):
        made = instructor.from_openai(client, mode=mode)
        check_answer(made.chat.completions.create(model=MODEL, messages=HELLO, response_model=Answer, max_retries=1))


def abort() -> None:
    name, headers = observed()
    with OpenAI(base_url=OBSERVED_URL, api_key=KEY) as leaving:
        asked = {"model": MODEL, "messages": HELLO, "response_model": None, "stream": True, "extra_headers": headers}
        with instructor.from_openai(leaving).chat.completions.create(**asked) as stream:
            assert next(iter(stream)).choices
    check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
