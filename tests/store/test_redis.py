"""Thinking in a real Redis: shared by processes, kept apart by credential, and never a reason to fail a request."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio

from chatcompat import ChatCompatMiddleware
from chatcompat.redis import RedisStore
from chatcompat.store import BatchThinkingStore
from tests.asgi.driver import call, chat
from tests.asgi.test_thinking import BLOCKS, WANTED, Thinker, answered, credential
from tests.cli.test_serve import served
from tests.servers.client import Client, connected, say
from tests.servers.running import running, wait_for
from tests.store.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.anyio

LOOPS = int(os.environ.get("REDIS_LOOPS", "5000"))  # of the test of memory
KEYS = [bytes([number]) * 32 for number in range(5)]
TOOLS = [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def commands(server: RedisServer) -> Iterator[Any]:
    """What the server has been asked, counted from here."""
    with server.client() as client:
        client.flushall()
        client.config_resetstat()
        yield lambda: {
            name.removeprefix("cmdstat_"): stat["calls"]
            for name, stat in client.info("commandstats").items()
            if name in ("cmdstat_get", "cmdstat_mget", "cmdstat_set")
        }


async def test_a_value_is_stored_under_its_key_and_expires(server: RedisServer) -> None:
    store = RedisStore(server.url, prefix="p:", max_age=2.0)
    await store.put(KEYS[0], b"value")
    with server.client() as client:
        assert client.get(b"p:" + KEYS[0]) == b"value"
        assert 0 < client.pttl(b"p:" + KEYS[0]) <= 2000
    assert await store.get(KEYS[0]) == b"value"
    assert await store.get(KEYS[1]) is None
    await store.aclose()


async def test_several_values_are_one_command_in_order(server: RedisServer, commands: Any) -> None:
    store = RedisStore(server.url)
    assert isinstance(store, BatchThinkingStore)
    for key in KEYS[1:4]:
        await store.put(key, key[:1])
    assert await store.get_many([KEYS[3], KEYS[0], KEYS[1]]) == [KEYS[3][:1], None, KEYS[1][:1]]
    assert commands() == {"set": 3, "mget": 1}
    await store.aclose()


async def test_a_value_that_is_too_large_is_not_stored(server: RedisServer, commands: Any) -> None:
    store = RedisStore(server.url, max_entry_bytes=4)
    await store.put(KEYS[4], b"12345")
    assert commands() == {}
    await store.put(KEYS[4], b"1234")
    assert commands() == {"set": 1}
    await store.aclose()


@pytest.mark.parametrize("options", [{"max_age": 0.0004}, {"max_age": float("inf")}, {"max_entry_bytes": 0}])
def test_a_bound_that_cannot_be_is_an_error(options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RedisStore("redis://127.0.0.1", **options)


def test_a_url_of_another_scheme_is_an_error() -> None:
    with pytest.raises(ValueError, match="redis://"):
        RedisStore("http://127.0.0.1")


async def test_a_client_can_be_given_and_needs_asyncio(server: RedisServer, anyio_backend: str) -> None:
    store = RedisStore(redis.asyncio.Redis.from_url(server.url))
    if anyio_backend == "asyncio":
        await store.put(KEYS[0], b"given")
        assert await store.get(KEYS[0]) == b"given"
        await store.aclose()
    else:
        with pytest.raises(RuntimeError, match="give RedisStore a URL"):
            await store.get(KEYS[0])
        await store.aclose()


async def test_thinking_is_restored_in_another_process(server: RedisServer, commands: Any) -> None:
    inner = Thinker()
    stores = [RedisStore(server.url), RedisStore(server.url)]
    first, second = (ChatCompatMiddleware(inner, store=store) for store in stores)
    await call(first, chat(**WANTED), headers=credential(b"key"))
    reply = await call(second, answered(), headers=credential(b"key"))
    assert inner.bodies[1]["messages"][1]["content"] == BLOCKS
    assert "x-chatcompat-ignored" not in reply.headers
    assert commands() == {"set": 2, "mget": 1}
    other = await call(second, answered(), headers=credential(b"other"))
    assert other.headers["x-chatcompat-ignored"] == "reasoning_effort"
    assert "thinking" not in json.dumps(inner.bodies[2])
    for store in stores:
        await store.aclose()


async def test_a_server_that_is_killed_costs_thinking_and_no_request(tmp_path: Path) -> None:
    inner = Thinker()
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        app = ChatCompatMiddleware(inner, store=store)
        outcomes = []
        for step in (None, server.kill, server.start):
            if step is not None:
                step()
            replies = [
                await call(app, body, headers=credential(b"key"))
                for body in (chat(**WANTED), answered(), chat(stream=True, **WANTED), answered())
            ]
            assert [reply.status for reply in replies] == [200] * 4
            assert replies[2].data()[-1] == "[DONE]"
            outcomes.append([reply.headers.get("x-chatcompat-ignored") for reply in replies])
        assert outcomes == [[None] * 4, [None, "reasoning_effort"] * 2, [None] * 4]
        await store.aclose()


async def test_a_loop_may_go_over_a_restart_of_the_server(tmp_path: Path) -> None:
    """The restarted server is empty: the turn from before is lost, which is reported."""
    inner = Thinker()
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        app = ChatCompatMiddleware(inner, store=store)
        await call(app, chat(**WANTED), headers=credential(b"key"))
        server.kill()
        server.start()
        reply = await call(app, answered(), headers=credential(b"key"))
        assert (reply.status, reply.headers["x-chatcompat-ignored"]) == (200, "reasoning_effort")
        assert "thinking" not in inner.bodies[1]
        await store.aclose()


async def test_memory_stays_within_the_servers_bound(server: RedisServer) -> None:
    """Each loop stores a new turn. The server has room for a few thousand of these."""
    store = RedisStore(server.url)

    async def many(first: int) -> None:
        for number in range(first, LOOPS, 20):
            key = number.to_bytes(32, "big")
            await store.put(key, b"x" * 8000)
            await store.get(key)  # or None: the server evicts about the oldest

    async with anyio.create_task_group() as tasks:
        for first in range(20):
            tasks.start_soon(many, first)
    with server.client() as client:
        info: Any = client.info("all")
    assert info["used_memory"] <= 1.1 * info["maxmemory"]
    assert info["evicted_keys"] > 0
    await store.aclose()


# ------------------------------------------------------------ two server processes


@pytest.fixture
def clients(server: RedisServer) -> Iterator[list[Client]]:
    """Two processes with one store."""
    environment = {"STORE_URL": server.url}
    with (
        running("uvicorn", "tests.store.service:app", environment) as first,
        running("uvicorn", "tests.store.service:app", environment) as second,
    ):
        wait_for(first)
        wait_for(second)
        with connected(first) as one, connected(second) as two:
            yield [one, two]


def test_tool_loops_of_ten_turns_over_two_processes(clients: list[Client], commands: Any) -> None:
    """The client sends no thinking back, and each result goes to the process that did not send the call."""
    messages: list[Any] = []
    for turn in range(10):
        if turn % 2 == 0:
            messages += say("Use get_time.")
        reply = clients[turn % 2].chat(messages, tools=TOOLS, reasoning_effort="low", max_tokens=9000)
        assert "x-chatcompat-ignored" not in reply.headers, turn
        message = reply.choice()["message"]
        assert bool(message.get("tool_calls")) == (turn % 2 == 0)
        messages.append({name: message[name] for name in ("role", "content", "tool_calls") if name in message})
        for made in message.get("tool_calls", ()):
            messages.append({"role": "tool", "tool_call_id": made["id"], "content": "noon"})
    assert commands()["set"] == 5
    assert commands()["mget"] >= 5


def test_two_serve_commands_share_a_store(server: RedisServer, commands: Any, tmp_path: Path) -> None:
    with (
        served(tmp_path, "--store", server.url) as one,
        served(tmp_path, "--store", server.url, "--choices", "2") as two,
    ):
        tool: Any = TOOLS
        asked: Any = {"model": "caicaini/auto", "tools": tool, "reasoning_effort": "low", "max_tokens": 9000}
        messages: list[Any] = say("Use get_time.")
        message = one.client().chat.completions.create(messages=messages, **asked).choices[0].message
        assert message.tool_calls
        calls = [call.model_dump() for call in message.tool_calls]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "noon"} for call in calls]
        reply = two.client().chat.completions.with_raw_response.create(messages=messages, **asked)
        assert "x-chatcompat-ignored" not in reply.headers
        assert len(two.client().chat.completions.create(messages=say("Hi"), model="caicaini/auto", n=2).choices) == 2
    assert commands()["set"] >= 1


def test_a_store_that_is_no_redis_url_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chatcompat", "serve", "--store", "http://:sk-hidden@host"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--store must be the URL of a Redis server" in done.stderr
    assert "sk-hidden" not in done.stderr
