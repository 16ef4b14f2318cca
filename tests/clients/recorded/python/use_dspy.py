"""DSPy: `LM`, `Predict` and `ReAct`, which use LiteLLM."""

from contextlib import suppress

import dspy
import support
from dspy.utils.exceptions import AdapterParseError
from support import HELLO


def new_lm(**more):
    return dspy.LM(
        f"openai/{support.MODEL}", api_base=support.URL, api_key=support.KEY, cache=False, num_retries=0, **more
    )


lm = new_lm()


class Greet(dspy.Signature):
    """Greet the user."""

    text: str = dspy.InputField()
    answer: support.Answer = dspy.OutputField()


class Describe(dspy.Signature):
    """Describe the image."""

    image: dspy.Image = dspy.InputField()
    text: str = dspy.OutputField()


class Call(dspy.Signature):
    """Call the tools."""

    text: str = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    calls: dspy.ToolCalls = dspy.OutputField()


def predict(signature, adapter, lm=lm, **inputs):
    """The simulator does not write what DSPy parses, so that may fail once all is sent."""
    with dspy.context(lm=lm, adapter=adapter), suppress(AdapterParseError):
        dspy.Predict(signature)(**inputs)


TOOLS = [dspy.Tool(support.get_weather), dspy.Tool(support.get_time)]

support.run(
    {
        "plain": lambda: lm(messages=HELLO),
        "history": lambda: lm(messages=support.HISTORY),
        "tool loop": lambda: predict(
            Call, dspy.ChatAdapter(use_native_function_calling=True), text=support.USE_TOOLS, tools=TOOLS
        ),
        "schema": lambda: predict(Greet, dspy.JSONAdapter(), text=support.USER),
        "json": lambda: lm(
            messages=[*HELLO, {"role": "user", "content": support.JSON_PROMPT}],
            response_format={"type": "json_object"},
        ),
        "image": lambda: predict(Describe, dspy.ChatAdapter(), image=dspy.Image(support.PIXEL_URL)),
        "reasoning": lambda: new_lm(reasoning_effort="low")(messages=HELLO),
        "settings": lambda: new_lm(temperature=0.2, max_tokens=256, stop=["END"])(messages=HELLO),
    }
)
