"""What the scripts of this folder share: the endpoint, what is asked, and how a script says what it does.

A script runs in the environment of its client, which has neither chatcompat nor pytest.
"""

import os
import traceback
import urllib.request
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field

ROOT = os.environ["CHATCOMPAT_URL"]
URL = ROOT + "/v1"
MODEL = "caicaini/auto"
KEY = "cai_api_test"
SYSTEM = "You are concise."
USER = "Say hello to Zo\u00eb \U0001f44b"
USE_TOOLS = "Use get_weather and get_time."
LAST_USER = "And once more, please."
DESCRIBE = "Describe this."
JSON_PROMPT = "Answer with a JSON object."
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
PIXEL_URL = f"data:image/png;base64,{PIXEL}"
IMAGE_URL = "https://example.com/bridge.jpg"
PDF = (
    "JVBERi0xLjEKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbXS9Db3Vu"
    "dCAwPj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="
)
PDF_URL = f"data:application/pdf;base64,{PDF}"

SYSTEM_MESSAGE = {"role": "system", "content": SYSTEM}
HELLO = [SYSTEM_MESSAGE, {"role": "user", "content": USER}]
HISTORY = [*HELLO, {"role": "assistant", "content": "Hello Zo\u00eb!"}, {"role": "user", "content": LAST_USER}]
USE_TOOLS_MESSAGES = [SYSTEM_MESSAGE, {"role": "user", "content": USE_TOOLS}]


class Step(BaseModel):
    """A step of an answer."""

    explanation: str
    output: int


class Answer(BaseModel):
    """An answer in steps."""

    steps: list[Step] = Field(min_length=1)
    score: int
    kind: Literal["short", "long"]
    note: str | None = None


def get_weather(city: str, days: int = 1) -> str:
    """Get the weather of a city.

    Args:
        city: The name of the city.
        days: For how many days.
    """
    return f"the weather of {city} is fine for {days} days"


def get_time(zone: Literal["utc", "local"]) -> str:
    """Get the time in a zone.

    Args:
        zone: Which time to tell.
    """
    return f"it is noon in {zone}"


def loop(ask: Callable[[list[Any]], Any]) -> list[Any]:
    """Call tools until there is a text. `ask` returns the message of the client, which goes back as it is."""
    messages: list[Any] = [{"role": "user", "content": USE_TOOLS}]
    while (message := ask(messages)).tool_calls:
        messages += [message, *map(answer, message.tool_calls)]
    return [*messages, message]


def answer(call: Any) -> dict[str, str]:
    """The result of a call."""
    name = call.function.name
    return {"role": "tool", "tool_call_id": call.id, "name": name, "content": f"{name} is fine"}


def run(scenarios: dict[str, Callable[[], object]]) -> None:
    """Do each scenario, and print its name and outcome."""
    for name, scenario in scenarios.items():
        urllib.request.urlopen(urllib.request.Request(f"{ROOT}/scenario", name.encode(), method="POST")).close()
        try:
            scenario()
        except Exception:
            print(f"not ok {name}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {name}", flush=True)
