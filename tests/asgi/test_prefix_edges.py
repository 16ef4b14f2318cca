"""Edges of kept thinking: damaged values, turns that are too large to keep, and marks that move within results."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, MemoryStore, translate
from chatcompat.request.prefix import digest_of_request
from chatcompat.store import MAX_ENTRY_BYTES
from tests.asgi.driver import call, chat
from tests.asgi.test_store_conversations import KEY, Client, called, results, user
from tests.asgi.test_thinking import WANTED

pytestmark = pytest.mark.anyio

LOST = "messages[].reasoning_details"
EFFORT = Dialect(reasoning="effort", adaptive_thinking=True)
SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "s"}
CALL = {"type": "tool_call"}


class Rewriting(MemoryStore):
    """Keeps each value with some of its fields replaced."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.fields = fields

    async def put(self, key: bytes, value: bytes) -> None:
        await super().put(key, json.dumps(json.loads(value) | self.fields).encode())


async def restored(store: MemoryStore) -> list[str | None]:
    """The signatures of a turn whose thinking went through the store."""
    client = Client(dialect=EFFORT, store=store)
    message = await client.ask([user("hi")], called("kept", {}))
    return await client.signatures([user("hi"), message, *results(message)])


@pytest.mark.parametrize("fields", [{}, {"unknown": 1}, {"ids": []}])
async def test_an_intact_value_is_restored(fields: dict[str, Any]) -> None:
    assert await restored(Rewriting(**fields)) == ["kept"]


@pytest.mark.parametrize(
    "fields",
    [
        {"details": [{"type": "reasoning.text", "text": "x"}, CALL]},
        {"details": [{"type": "reasoning.text", "text": "x", "signature": ""}, CALL]},
        {"details": [{"type": "reasoning.encrypted"}, CALL]},
        {"details": [{"type": "reasoning.encrypted", "data": ""}, CALL]},
        {"details": [SIGNED, {"type": "content"}, CALL]},
        {"details": [SIGNED, {"type": "content", "length": -1}, CALL]},
        {"details": [SIGNED, {"type": "unknown"}, CALL]},
        {"details": [CALL]},
        {"details": [{"type": "content", "length": 1}, CALL]},
        {"details": None},
        {"details": [SIGNED | {"signature": "s" * MAX_ENTRY_BYTES}, CALL]},
        {"prefix": "not base64"},
        {"prefix": ""},
        {"ids": [1]},
    ],
    ids=range(14),
)
async def test_a_damaged_value_is_not_restored(fields: dict[str, Any]) -> None:
    assert await restored(Rewriting(**fields)) == [None]


async def test_encrypted_thinking_is_restored_as_it_was() -> None:
    client = Client(dialect=EFFORT)
    hidden = {"type": "redacted_thinking", "data": "hidden"}
    message = await client.ask([user("hi")], [hidden, *called("s", {})[1:]])
    await client.signatures([user("hi"), message, *results(message)])
    assert client.inner.bodies[0]["messages"][1]["content"][0] == hidden


async def test_no_ids_or_too_many_leave_those_of_the_client() -> None:
    for ids in ([], ["a", "b"]):
        client = Client(dialect=EFFORT, store=Rewriting(ids=ids))
        message = await client.ask([user("hi")], called("s", {}))
        message["tool_calls"][0]["id"] = "mine"
        assert await client.signatures([user("hi"), message, *results(message)]) == ["s"]
        assert client.inner.bodies[0]["messages"][1]["content"][-1]["id"] == "mine"
        assert client.inner.bodies[0]["messages"][2]["content"][0]["tool_use_id"] == "mine"


@pytest.mark.parametrize(
    ("large", "expected"),
    [
        pytest.param(0, [None, "s1", "s2"], id="first: the others were made without it"),
        pytest.param(1, [None, None, None], id="second: a hole"),
        pytest.param(2, [None, None, None], id="last: a hole"),
    ],
)
async def test_a_turn_too_large_to_keep_is_a_hole(large: int, expected: list[str | None]) -> None:
    client = Client(dialect=EFFORT)
    messages: list[Any] = [user("hi")]
    for number in range(3):
        given = {"x": "x" * MAX_ENTRY_BYTES} if number == large else {}
        message = await client.ask(messages, called(f"s{number}", given))
        messages += [message, *results(message)]
    assert await client.signatures(messages) == expected
    assert await reported(client, messages)


async def reported(client: Client, messages: list[Any]) -> bool:
    """Whether the reply says that thinking was lost."""
    reply = await call(client.app, chat(messages=messages, **WANTED), headers=KEY)
    return LOST in reply.headers.get("x-chatcompat-ignored", "")


@pytest.mark.parametrize("large", [0, 1, 2])
async def test_thinking_too_large_to_keep_is_left_out_and_reported(large: int) -> None:
    client = Client(dialect=EFFORT)
    messages: list[Any] = [user("hi")]
    for number in range(3):
        assert await reported(client, messages) == (number > large)
        thinking, *rest = called(f"s{number}", {})
        thinking["thinking"] = "x" * MAX_ENTRY_BYTES if number == large else "hm"
        message = await client.ask(messages, [thinking, *rest])
        messages += [message, *results(message)]
    assert await client.signatures(messages) == [None if number == large else f"s{number}" for number in range(3)]
    assert await reported(client, messages)


async def test_a_turn_with_too_many_ids_to_keep_is_not_kept() -> None:
    client = Client(dialect=EFFORT)
    blocks = called("s", *[{}] * 2)
    for block in blocks[1:]:
        block["id"] = "x" * MAX_ENTRY_BYTES
    message = await client.ask([user("hi")], blocks)
    assert await client.signatures([user("hi"), message, *results(message)]) == [None]


def digest(result: Any, *, marked: bool) -> bytes:
    """The digest of a loop with this result, with a cache breakpoint on all that may have one."""
    mark = {"cache_control": {"type": "ephemeral"}} if marked else {}
    arguments = '{"b": 2.50, "a": 123456789012345678901234567890, "cache_control": "\\u00e9\\/"}'
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, image | mark]},
            {"role": "assistant", "content": "so", "tool_calls": [call], **mark},
            {"role": "tool", "tool_call_id": "c", "content": result, **mark},
        ],
    }
    translation = translate(json.dumps(body).encode())
    assert translation.body.count(b'"cache_control":{') == (3 if marked else 0)
    return digest_of_request(translation.body)


PARTS = [[{"type": "text", "text": word} for word in words] for words in (["r"], ["r", "s"], ["r", "s", "t"])]


@pytest.mark.parametrize("result", ["r", *PARTS])
def test_a_breakpoint_on_any_block_leaves_the_digest(result: Any) -> None:
    assert digest(result, marked=True) == digest(result, marked=False)


SAID = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "search_result", "source": "s", "title": "t", "content": [SAID]},
        {"type": "document", "source": {"type": "content", "content": [SAID, SAID]}},
        {"type": "document", "source": {"type": "url", "url": "https://x"}},
    ],
)
def test_a_breakpoint_at_any_depth_leaves_the_digest(part: Any) -> None:
    text = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part]}]})
    marked = text.replace('"text": "x"', '"text": "x", "cache_control": {"type": "ephemeral"}')
    marked = marked.replace('"title": "t"', '"title": "t", "cache_control": {"type": "ephemeral"}')
    marked = marked.replace('"https://x"}', '"https://x"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}')
    bodies = [translate(each.encode()).body for each in (text, marked)]
    assert b"cache_control" in bodies[1]
    assert len({digest_of_request(body) for body in bodies}) == 1


def test_a_block_of_any_form_has_a_digest() -> None:
    block = {"type": "hologram", "content": [5, "x"], "source": None, "cache_control": None}
    messages = [{"role": "assistant", "content": [block]}]
    digests = [digest_of_request(json.dumps({"model": "m", "messages": messages}).encode()) for _ in range(2)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("marked", [False, True])
def test_each_result_has_a_digest_of_its_own(marked: bool) -> None:
    assert len({digest(result, marked=marked) for result in ("q", *PARTS)}) == 4
