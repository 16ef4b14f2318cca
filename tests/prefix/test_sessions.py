"""Long sessions of the unmodified client, which drops unknown fields; the model binds thinking to its prefix."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.servers.running import HOST, ROOT, free_port, stop, wait_for

TURNS = 30
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock")
]
KEPT = ("role", "content", "tool_calls")


@contextmanager
def serving(store: Path) -> Iterator[str]:
    """A server process of its own."""
    port = free_port()
    options = ["--factory", "--host", HOST, "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *options, "tests.prefix.service:service"],
        cwd=ROOT,
        env=os.environ | {"SHARED_STORE": str(store)},
    ) as process:
        try:
            wait_for(port)
            yield f"http://{HOST}:{port}/v1"
        finally:
            stop(process)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("loops", [1, 5])
def test_each_turn_of_a_long_session_is_accepted(processes: int, loops: int, tmp_path: Path) -> None:
    """Thirty turns with parallel calls, in one tool loop or in some. Each turn goes to the next process."""
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(tmp_path)) for _ in range(processes)]
        clients = [OpenAI(base_url=url, api_key="key", max_retries=0) for url in urls]
        messages: list[Any] = [{"role": "system", "content": "Be brief."}]
        for turn in range(TURNS):
            messages.append({"role": "user", "content": f"Ask the weather and the clock ({turn})."})
            kept = ask(clients[turn % processes], messages)
            assert len(kept["tool_calls"]) == 2
            assert all(len(one["id"]) <= 40 and one["id"].startswith("call_") for one in kept["tool_calls"])
            results = [{"role": "tool", "tool_call_id": one["id"], "content": "r"} for one in kept["tool_calls"]]
            messages += [kept, *results]
            if turn % (TURNS // loops) == 0:
                messages.append(ask(clients[turn % processes], messages))  # an answer in words ends the loop
    assert len([*tmp_path.iterdir()]) == TURNS


def ask(client: OpenAI, messages: list[Any]) -> dict[str, Any]:
    """The reply as such a client keeps it."""
    raw = client.chat.completions.with_raw_response.create(
        model="sim-2", messages=messages, tools=TOOLS, reasoning_effort="high"
    )
    assert "messages[].reasoning_details" not in raw.headers.get("x-chatcompat-ignored", "")
    message = raw.parse().choices[0].message.model_dump()
    assert message["reasoning_details"], "the model did not think"
    return {name: message[name] for name in KEPT if message.get(name)}
