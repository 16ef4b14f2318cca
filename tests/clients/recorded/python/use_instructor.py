"""instructor, in each of its modes, with a retry that sends back what was wrong."""

import instructor
import support
from openai import OpenAI
from pydantic import field_validator
from support import HELLO, MODEL, Answer

openai = OpenAI(base_url=support.URL, api_key=support.KEY, max_retries=0)
client = instructor.from_openai(openai)


def create(messages=HELLO, model=Answer, mode=instructor.Mode.TOOLS, **more):
    completions = instructor.from_openai(openai, mode=mode).chat.completions
    return completions.create(model=MODEL, messages=messages, response_model=model, **more)


def retry(mode):
    """Ask again with what the validation said."""
    seen = []

    class Fussy(Answer):
        @field_validator("score")
        @classmethod
        def is_liked(cls, score: int) -> int:
            seen.append(score)
            if len(seen) == 1:
                raise ValueError("this score is not liked")
            return score

    create(model=Fussy, mode=mode, max_retries=2)


def image():
    content = [support.DESCRIBE, instructor.Image.from_base64(support.PIXEL_URL)]
    create([{"role": "user", "content": content}])


support.run(
    {
        "plain": lambda: create(model=None),
        "streamed": lambda: list(client.chat.completions.create_partial(Answer, messages=HELLO, model=MODEL)),
        "forced tool": lambda: list(client.chat.completions.create_iterable(HELLO, Answer, model=MODEL)),
        "one call at a time": lambda: create(mode=instructor.Mode.TOOLS_STRICT),
        "tool loop": lambda: retry(instructor.Mode.TOOLS),
        "schema": lambda: [create(), create(mode=instructor.Mode.JSON_SCHEMA), retry(instructor.Mode.JSON_SCHEMA)],
        "json": lambda: [
            create(mode=instructor.Mode.JSON),
            create(mode=instructor.Mode.MD_JSON),
            retry(instructor.Mode.JSON),
        ],
        "image": image,
        "reasoning": lambda: create(reasoning_effort="low", mode=instructor.Mode.JSON_SCHEMA),
        "settings": lambda: create(temperature=0.2, max_tokens=512, stop=["END"], user="user-1"),
    }
)
