"""Long sessions of the unmodified client, which drops unknown fields; the model binds thinking to its prefix.

In each third turn the service searches the web by itself. All requests and replies, of both APIs, are as the vendors'
own types have them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.extensions import EXTENSIONS
from tests.servers.running import HOST, ROOT, free_port, stop, wait_for
from tests.simulator.driver import events_of
from tests.store.redis_server import redis_server
from tests.vendor import (
    chat_chunk,
    chat_request,
    check_chat_reply,
    check_messages_request,
    lint_chat_chunks,
    messages_event,
    messages_reply,
)

TURNS = 30
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock")
]
FIELDS: Any = {"model": "sim-2", "tools": TOOLS, "reasoning_effort": "high", "web_search_options": {}}
CREDITS = "credits_consumed"  # of the simulator's usage


@contextmanager
def serving(store: str, records: Path) -> Iterator[str]:
    """A server process of its own."""
    port = free_port()
    options = ["--factory", "--host", HOST, "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *options, "tests.prefix.service:service"],
        cwd=ROOT,
        env=os.environ | {"SHARED_STORE": store, "RECORDS": str(records)},
    ) as process:
        try:
            wait_for(port)
            yield f"http://{HOST}:{port}/v1"
        finally:
            stop(process)


@pytest.mark.parametrize(
    ("processes", "loops", "store"), [(1, 1, "folder"), (1, 5, "folder"), (2, 1, "folder"), (2, 5, "redis")]
)
def test_each_turn_of_a_long_session_is_accepted(processes: int, loops: int, store: str, tmp_path: Path) -> None:
    """Thirty turns with parallel calls, in one tool loop or in some. Each turn goes to the next process."""
    kept, records = tmp_path / "store", tmp_path / "records"
    kept.mkdir()
    records.mkdir()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(tmp_path)) if store == "redis" else None
        place = str(kept) if redis is None else redis.url
        urls = [stack.enter_context(serving(place, records)) for _ in range(processes)]
        clients = [OpenAI(base_url=url, api_key="key", max_retries=0) for url in urls]
        messages = talk(clients, loops)
        number = len([*kept.iterdir()]) if redis is None else redis.client().dbsize()
    assert number == TURNS
    check_records(records, requests=TURNS + loops)
    searched = [message for message in messages if "I have found a page." in str(message.get("content"))]
    assert len(searched) == TURNS / 3


def talk(clients: list[OpenAI], loops: int) -> list[Any]:
    """A session. Every second reply is a stream."""
    messages: list[Any] = [{"role": "system", "content": "Be brief."}]
    for turn in range(TURNS):
        client, search = clients[turn % len(clients)], "" if turn % 3 else "Use web_search. "
        messages.append({"role": "user", "content": f"{search}Ask the weather and the clock ({turn})."})
        kept = ask(client, messages, stream=bool(turn % 2))
        assert len(kept["tool_calls"]) == 2
        assert all(len(one["id"]) <= 40 and one["id"].startswith("call_") for one in kept["tool_calls"])
        results = [{"role": "tool", "tool_call_id": one["id"], "content": "r"} for one in kept["tool_calls"]]
        messages += [kept, *results]
        if turn % (TURNS // loops) == 0:
            messages.append(ask(client, messages, stream=False))  # an answer in words ends the loop
    return messages


def ask(client: OpenAI, messages: list[Any], *, stream: bool) -> dict[str, Any]:
    """The reply as such a client keeps it."""
    body = {"messages": messages, **FIELDS, **({"stream": True} if stream else {})}
    assert chat_request(body) == []
    raw = client.chat.completions.with_raw_response.create(**body)
    assert "x-chatcompat-ignored" not in raw.headers
    if stream:
        state, chunks = ChatCompletionStreamState(), []
        for chunk in raw.parse():
            state.handle_chunk(chunk)
            chunks.append(chunk.model_dump(mode="json", exclude_unset=True))
        assert [problem for one in chunks for problem in chat_chunk(one, allow=(*EXTENSIONS, CREDITS))] == []
        assert lint_chat_chunks(chunks) == []
        completion = state.get_final_completion()
    else:
        completion = raw.parse()
        assert check_chat_reply(json.loads(raw.text), allow=(*EXTENSIONS, CREDITS)) == []
    message = completion.choices[0].message
    assert getattr(message, "reasoning_details", None), "the model did not think"
    calls = [
        {"id": one.id, "type": "function", "function": {"name": one.function.name, "arguments": one.function.arguments}}
        for one in message.tool_calls or ()
    ]
    return {"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {})}


def check_records(folder: Path, *, requests: int) -> None:
    """What the service got and sent is as the vendor has it."""
    bodies = [json.loads(file.read_bytes()) for file in folder.glob("*.request")]
    replies = [file.read_text() for file in folder.glob("*.reply")]
    assert len(bodies) == len(replies) == requests
    assert [problem for body in bodies for problem in check_messages_request(body)] == []
    streams = [events_of(reply) for reply in replies if not reply.startswith("{")]
    events = [event for stream in streams for event in stream]
    assert [problem for event in events for problem in messages_event(event, allow=(CREDITS,))] == []
    whole = [json.loads(reply) for reply in replies if reply.startswith("{")]
    assert [problem for reply in whole for problem in messages_reply(reply, allow=(CREDITS,))] == []
