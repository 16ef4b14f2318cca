"""Kept thinking goes back only behind the prefix that it was made with: a whole tool loop or nothing."""

from typing import Any

import pytest

from chatcompat import Dialect, MemoryStore
from tests.asgi.driver import call, chat
from tests.asgi.test_store_conversations import KEY, Client, called, results, user
from tests.asgi.test_thinking import WANTED

pytestmark = pytest.mark.anyio

LOST = "messages[].reasoning_details"
EFFORT = Dialect(reasoning="effort", adaptive_thinking=True)


async def loop(client: Client, count: int, *, silent: int = -1) -> list[Any]:
    """A loop of turns that all look the same; the turn `silent` does not think."""
    messages: list[Any] = [user("hi")]
    for number in range(count):
        blocks = called(f"s{number}", {})
        message = await client.ask(messages, blocks[1:] if number == silent else blocks)
        messages += [message, *results(message)]
    return messages


async def ignored(client: Client, messages: list[Any], **fields: Any) -> str:
    reply = await call(client.app, chat(messages=messages, **WANTED | fields), headers=KEY)
    assert reply.status == 200, reply.body
    return reply.headers.get("x-chatcompat-ignored", "")


async def test_a_loop_of_a_hundred_turns_is_restored_as_a_whole() -> None:
    client = Client()
    messages = await loop(client, 100)
    assert await client.signatures(messages) == [f"s{number}" for number in range(100)]


@pytest.mark.parametrize("silent", [0, 1, 2])
async def test_a_turn_that_did_not_think_is_no_hole(silent: int) -> None:
    client = Client(dialect=EFFORT)
    messages = await loop(client, 3, silent=silent)
    expected = [None if number == silent else f"s{number}" for number in range(3)]
    assert await client.signatures(messages) == expected
    assert LOST not in await ignored(client, messages)


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_of_a_loop_with_a_hole_nothing_is_restored(gone: int) -> None:
    store = MemoryStore()
    client = Client(dialect=EFFORT, store=store)
    messages = await loop(client, 3)
    del store._entries[list(store._entries)[gone]]
    assert await client.signatures(messages) == [None] * 3
    assert LOST in await ignored(client, messages)


OWN = {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "own"}]}
OTHER = {"type": "function", "function": {"name": "other"}}
SYSTEM = {"role": "system", "content": "new"}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("before", "fields"),
    [
        pytest.param([SYSTEM], {}, id="a clock in the system prompt"),
        pytest.param([user("earlier"), {"role": "assistant", "content": "said", **OWN}], {}, id="an earlier message"),
        pytest.param([], {"tools": [*WANTED["tools"], OTHER]}, id="a tool more"),
        pytest.param([], {"model": "n"}, id="another model"),
    ],
)
async def test_behind_a_changed_prefix_nothing_is_restored(before: list[Any], fields: Any, strict: bool) -> None:
    client = Client(dialect=EFFORT, strict=strict)
    messages = await loop(client, 2)
    assert await client.signatures([*before, *messages], **fields) == [*(["own"] * (len(before) > 1)), None, None]
    assert LOST in await ignored(client, [*before, *messages], **fields)
    assert LOST not in await ignored(client, messages)


async def test_moved_cache_breakpoints_are_no_change_of_the_prefix() -> None:
    client = Client()
    mark = {"type": "ephemeral"}
    system = {"role": "system", "content": "s"}
    marked = [{**system, "cache_control": mark}, {**user("hi"), "cache_control": mark}]
    message = await client.ask(marked, called("s0", {}))
    messages = [system, user("hi"), message, *results(message)]
    messages[-1]["cache_control"] = mark
    assert await client.signatures(messages) == ["s0"]
    second = await client.ask(messages, called("s1", {}))
    messages[-1] = {**messages[-1], "content": [{"type": "text", "text": "r", "cache_control": mark}]}
    assert await client.signatures([*messages, second, *results(second)]) == ["s0", "s1"]


async def test_thinking_that_the_client_sends_itself_is_passed() -> None:
    client = Client(dialect=EFFORT)
    details = [{"type": "reasoning.text", "text": "hm", "signature": "own"}]
    message = await client.ask([user("hi")], called("s", {}))
    messages = [SYSTEM, user("hi"), {**message, "reasoning_details": details}, *results(message)]
    assert await client.signatures(messages) == ["own"]


async def test_a_client_may_number_its_calls_anew_in_each_request() -> None:
    client = Client()
    messages = await loop(client, 3)
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            message["tool_calls"][0]["id"] = messages[number + 1]["tool_call_id"] = f"mine-{number}"
    assert await client.signatures(messages) == ["s0", "s1", "s2"]
