"""What the scripts of this folder share: the endpoint, what is asked, and how a script tells what it found.

A script runs in the environment of its client, which has neither chatcompat nor pytest.
"""

import asyncio
import json
import os
import time
import traceback
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, Field

URL = os.environ["CHATCOMPAT_URL"] + "/v1"
OBSERVED_URL = os.environ["CHATCOMPAT_OBSERVED_URL"] + "/v1"
MODEL = "caicaini/auto"
KEY = "cai_api_test"
SYSTEM = "You are concise."
USER = "Say hello to Zo\u00eb \U0001f44b"
USE_TOOLS = "Use get_weather and get_time."

_TIMEOUT = 20.0  # seconds


class Step(BaseModel):
    """A step of an answer."""

    explanation: str
    output: int


class Answer(BaseModel):
    """What a client validates by a schema of its own."""

    steps: list[Step] = Field(min_length=1)
    score: int
    kind: Literal["short", "long"]


called: list[str] = []
"""The tools that were called, in order."""


def get_weather(city: str, days: int) -> str:
    """Get the weather of a city for so many days."""
    assert isinstance(days, int)
    called.append("get_weather")
    return f"the weather of {len(city)} letters is fine"


def get_time(zone: Literal["utc", "local"]) -> str:
    """Get the time in a zone."""
    called.append("get_time")
    return f"it is noon in {zone}"


def check_loop(text: str) -> None:
    """Whether both tools were called once, at once or in turn, and the last text has what they returned."""
    assert sorted(called) == ["get_time", "get_weather"], called
    assert "letters is fine" in text, text
    assert "it is noon in utc" in text, text
    called.clear()


def check_answer(answer: Any) -> None:
    """Whether the client made an object of the class, and so validated it."""
    assert isinstance(answer, Answer), answer


def check_stream(pieces: Sequence[str], plain: str) -> None:
    """Whether a stream came in several pieces, and says what the whole reply says."""
    assert len(pieces) > 1, pieces
    assert "".join(pieces) == plain


async def cancelled(read: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `read`, and cancel it once it has set the event."""
    begun = asyncio.Event()
    task = asyncio.ensure_future(read(begun))
    await asyncio.wait_for(begun.wait(), _TIMEOUT)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def observed() -> tuple[str, dict[str, str]]:
    """A name, and the header that asks for a stream without an end, whose end `check_left` finds by that name."""
    name = uuid.uuid4().hex
    return name, {"x-observe": name}


def check_left(name: str) -> None:
    """Whether the service was told that the client left, and its stream was cancelled."""
    deadline = time.monotonic() + _TIMEOUT
    while True:
        with urllib.request.urlopen(f"{OBSERVED_URL.removesuffix('/v1')}/observed/{name}", timeout=_TIMEOUT) as reply:
            seen = json.load(reply)
        if seen and seen["end"]:
            break
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
    assert seen == {"told": True, "end": "cancelled"}, seen


def run(*scenarios: Callable[[], None]) -> None:
    """Run each scenario, and print its name and outcome: a line `ok NAME`, or `not ok NAME` and the traceback."""
    for scenario in scenarios:
        name = scenario.__name__.replace("_", " ")
        try:
            scenario()
        except Exception:
            print(f"not ok {name}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {name}", flush=True)
