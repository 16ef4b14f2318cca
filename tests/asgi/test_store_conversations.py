"""Kept thinking goes back to its own conversation, whatever numbers its calls have, and to no other."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcompat import ChatCompatMiddleware, Dialect
from chatcompat.request.structured_output import JSON_TOOL
from tests.asgi.driver import call, chat
from tests.asgi.test_thinking import TOOLS, WANTED, Thinker
from tests.strategies.client import as_history, read_stream, read_whole
from tests.strategies.walker import PROPERTY

pytestmark = pytest.mark.anyio

KEY = [(b"authorization", b"Bearer key")]
FORMS = pytest.mark.parametrize(("stream", "streams"), [(False, False), (False, True), (True, False), (True, True)])
Body = dict[str, Any]


def called(signature: str, *inputs: Any, text: str = "", name: str = "f") -> list[Body]:
    """A reply with thinking and calls, whose ids are those of every other reply."""
    return [
        {"type": "thinking", "thinking": "hm", "signature": signature},
        *([{"type": "text", "text": text}] if text else []),
        *({"type": "tool_use", "id": f"call_{n}", "name": name, "input": given} for n, given in enumerate(inputs)),
    ]


class Client:
    """Talks to one middleware; what it gets back it keeps without the thinking, as nearly all clients do."""

    def __init__(self, *, stream: bool = False, streams: bool = False, **options: Any) -> None:
        self.inner = Thinker(stream=streams)
        self.stream = stream
        self.app = ChatCompatMiddleware(self.inner, **options)

    async def ask(self, messages: list[Any], blocks: list[Body], headers: Any = KEY, **fields: Any) -> Body:
        """The message of a reply, whose native blocks are these."""
        self.inner.blocks = blocks
        body = chat(messages=messages, stream=self.stream, **WANTED | fields)
        reply = await call(self.app, body, headers=headers)
        message = as_history((read_stream if self.stream else read_whole)(reply.body)["message"])
        return {name: value for name, value in message.items() if not name.startswith("reasoning")}

    async def signatures(self, messages: list[Any], headers: Any = KEY, **fields: Any) -> list[str | None]:
        """With which signature each turn reaches the inner app; None for a turn without thinking."""
        self.inner.bodies.clear()
        self.inner.blocks = [{"type": "text", "text": "done"}]  # a reply whose thinking is not kept in turn
        reply = await call(self.app, chat(messages=messages, **WANTED | fields), headers=headers)
        assert reply.status == 200
        turns = [turn["content"] for turn in self.inner.bodies[0]["messages"] if turn["role"] == "assistant"]
        return [turn[0].get("signature") for turn in turns]


def user(text: Any) -> Body:
    return {"role": "user", "content": text}


def results(message: Body, said: str = "r") -> list[Body]:
    return [{"role": "tool", "tool_call_id": one["id"], "content": said} for one in message.get("tool_calls", ())]


def with_arguments(message: Body, arguments: str) -> Body:
    """The message of a client that wrote the arguments of its first call again."""
    changed = json.loads(json.dumps(message))
    changed["tool_calls"][0]["function"]["arguments"] = arguments
    return dict(changed)


@FORMS
@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param((user("Rome"), called("s1", {})), (user("Oslo"), called("s2", {})), id="question"),
        pytest.param((user("a"), called("s1", {"x": 1})), (user("a"), called("s2", {"x": 2})), id="arguments"),
        pytest.param((user("a"), called("s1", {}, text="so")), (user("a"), called("s2", {}, text="no")), id="text"),
        pytest.param((user("a"), called("s1", {})), (user("a"), called("s2", {}, {})), id="calls"),
        pytest.param((user("a"), called("s1", {})), (user("a"), called("s2", {}, name="g")), id="name"),
    ],
)
async def test_conversations_with_the_same_ids_get_each_its_own(
    one: Any, two: Any, stream: bool, streams: bool
) -> None:
    client = Client(stream=stream, streams=streams)
    first, second = [await client.ask([asked], blocks) for asked, blocks in (one, two)]
    assert await client.signatures([one[0], first, *results(first)]) == ["s1"]
    assert await client.signatures([two[0], second, *results(second)]) == ["s2"]


@FORMS
async def test_each_turn_of_a_loop_gets_its_own(stream: bool, streams: bool) -> None:
    """A model that calls the same again and again: what tells the turns apart is what they answer."""
    client = Client(stream=stream, streams=streams)
    messages: list[Any] = [user("hi")]
    for number in range(4):
        message = await client.ask(messages, called(f"s{number}", {}))
        messages += [message, *results(message, str(number))]
    assert await client.signatures(messages) == ["s0", "s1", "s2", "s3"]


@FORMS
async def test_a_client_may_number_its_calls_anew(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    message = await client.ask([user("hi")], called("s", {}, {"x": 1}))
    for number, one in enumerate(message["tool_calls"]):
        one["id"] = f"mine-{number}"
    assert await client.signatures([user("hi"), message, *results(message)]) == ["s"]


@FORMS
async def test_a_client_may_write_the_same_json_again(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    given = {"b": [1, 2.50, {"d": "\u00e9\n", "c": None}], "a": 123456789012345678901234567890, "": {}}
    message = await client.ask([user("hi")], called("s", given))
    for arguments in (json.dumps(given, sort_keys=True, indent=1), json.dumps(given, ensure_ascii=False)):
        again = with_arguments(message, arguments)
        assert await client.signatures([user("hi"), again, *results(again)]) == ["s"]


@FORMS
@pytest.mark.parametrize("arguments", ['{"x":2}', '{"x":"1"}', '{"x":1,"y":1}', '{"x":1.0}', "{}"])
async def test_a_turn_whose_arguments_were_edited_gets_none(arguments: str, stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    message = await client.ask([user("hi")], called("s", {"x": 1}))
    edited = with_arguments(message, arguments)
    assert await client.signatures([user("hi"), edited, *results(edited)]) == [None]


@FORMS
async def test_a_turn_whose_text_was_edited_gets_none(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    message = await client.ask([user("hi")], called("s", {}, text="so"))
    for content in ("so", [{"type": "text", "text": "s"}, {"type": "text", "text": "o"}]):
        assert await client.signatures([user("hi"), message | {"content": content}, *results(message)]) == ["s"]
    for edited in (message | {"content": "no"}, message | {"content": None}):
        assert await client.signatures([user("hi"), edited, *results(edited)]) == [None]


@FORMS
async def test_no_text_is_the_same_as_null_and_as_empty_text(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    message = await client.ask([user("hi")], called("s", {}))
    for again in (message | {"content": None}, message | {"content": ""}, message | {"content": list[Any]()}):
        assert await client.signatures([user("hi"), again, *results(again)]) == ["s"]


@FORMS
async def test_calls_without_arguments_are_the_same_in_each_form(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    message = await client.ask([user("hi")], called("s", {}))
    for arguments in ("{}", "", " ", "{ }"):
        again = with_arguments(message, arguments)
        assert await client.signatures([user("hi"), again, *results(again)]) == ["s"]


@FORMS
async def test_questions_that_differ_in_a_picture_alone_differ(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)

    def shows(data: str, name: str = "image") -> Body:
        part: Body = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        if name == "file":
            part = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}"}}
        if name == "file_id":
            part = {"type": "file", "file": {"file_id": f"file_{data}"}}
        return user([{"type": "text", "text": "what?"}, part])

    asked = [shows(data, name) for name in ("image", "file", "file_id") for data in ("AAAA", "BBBB")]
    said = [await client.ask([question], called(f"s{number}", {})) for number, question in enumerate(asked)]
    for number, (question, message) in enumerate(zip(asked, said, strict=True)):
        assert await client.signatures([question, message, *results(message)]) == [f"s{number}"]


@FORMS
async def test_custom_and_legacy_calls_get_their_thinking_back(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    custom: Body = {"tools": [{"type": "custom", "custom": {"name": "f"}}, *TOOLS[1:]]}
    message = await client.ask([user("hi")], called("s1", {"input": "text"}), **custom)
    assert message["tool_calls"][0]["custom"] == {"name": "f", "input": "text"}
    assert await client.signatures([user("hi"), message, *results(message)], **custom) == ["s1"]
    message["tool_calls"][0]["custom"]["input"] = " text"
    assert await client.signatures([user("hi"), message, *results(message)], **custom) == [None]
    legacy: Body = {"functions": [{"name": "f"}], "tools": None}
    message = await client.ask([user("hi")], called("s2", {"x": 1}, {"x": 2}), **legacy)
    assert message["function_call"] == {"name": "f", "arguments": '{"x": 1}'}
    answer = {"role": "function", "name": "f", "content": "r"}
    assert await client.signatures([user("hi"), message, answer], **legacy) == ["s2"]
    message["function_call"]["arguments"] = '{"x": 3}'
    assert await client.signatures([user("hi"), message, answer], **legacy) == [None]


@FORMS
async def test_json_beside_calls_is_the_text_of_the_turn(stream: bool, streams: bool) -> None:
    client = Client(stream=stream, streams=streams)
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    fields: Body = {"response_format": shape, "reasoning_effort": None}
    document = {"type": "tool_use", "id": "j", "name": JSON_TOOL, "input": {"a": 1}}
    message = await client.ask([user("hi")], [*called("s", {}, text="so"), document], **fields)
    assert json.loads(message["content"]) == {"a": 1}
    assert await client.signatures([user("hi"), message, *results(message)], **fields) == ["s"]


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        pytest.param([("x-api-key", "a"), ("authorization", "b")], [("x-api-key", "a"), ("authorization", "c")], False),
        pytest.param([("x-api-key", "a"), ("authorization", "b")], [("x-api-key", "b"), ("authorization", "a")], False),
        pytest.param([("x-api-key", "a"), ("authorization", "b")], [("x-api-key", "a")], False),
        pytest.param([("x-api-key", "a")], [("authorization", "a")], False),
        pytest.param([("authorization", "a"), ("authorization", "b")], [("authorization", "a")], False),
        pytest.param([("x-api-key", "a"), ("authorization", "b")], [("authorization", "b"), ("X-API-Key", "a")], True),
    ],
)
async def test_thinking_is_shared_only_where_all_credentials_are(first: Any, second: Any, shared: bool) -> None:
    one, two = ([(name.encode(), value.encode()) for name, value in headers] for headers in (first, second))
    client = Client()
    message = await client.ask([user("hi")], called("s", {}), headers=one)
    history = [user("hi"), message, *results(message)]
    assert await client.signatures(history, headers=two) == ["s" if shared else None]
    assert await client.signatures(history, headers=one) == ["s"]


@pytest.mark.parametrize("asked", [[user("hi")], []])
async def test_thinking_is_found_behind_the_start_of_a_reply(asked: list[Any]) -> None:
    """A start that the client gave, and what went on from it, are two messages of one turn."""
    client = Client(dialect=Dialect(repeats_prefill=True))
    start = {"role": "assistant", "content": "so"}
    message = await client.ask([*asked, start], called("s", {}, text="so what"))
    assert message["content"] == " what"
    assert await client.signatures([*asked, start, message, *results(message)]) == [None], "it begins with text"
    assert client.inner.bodies[0]["messages"][1]["content"][1] == called("s")[0]


# ---------------------------------------------------------------- any clients

WORDS = st.sampled_from(["a", "b"])
INPUTS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 1) | WORDS, max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Any, ...]:
    """A question, and for each reply its text, its inputs and what their results say."""
    turns = st.tuples(st.sampled_from(["", "so", "no"]), st.lists(INPUTS, min_size=1, max_size=2), WORDS)
    return draw(WORDS), draw(st.lists(turns, min_size=1, max_size=3))


def rewritten(draw: Callable[[st.SearchStrategy[Any]], Any], message: Body) -> Body:
    """The message with ids of the client's own, and its arguments written by the client's own JSON."""
    ids = iter(draw(st.permutations([f"call_{number}" for number in range(4)])))
    for one in message["tool_calls"]:
        one["id"] = next(ids)
        given = json.loads(one["function"]["arguments"])
        keys = draw(st.permutations(sorted(given)))
        one["function"]["arguments"] = json.dumps(
            {key: given[key] for key in keys}, indent=draw(st.none() | st.just(2))
        )
    return message


@PROPERTY
@given(st.lists(conversations(), min_size=1, max_size=4), st.booleans(), st.booleans(), st.data())
def test_ids_and_json_of_a_clients_own_neither_lose_nor_cross_thinking(
    talks: list[Any], stream: bool, streams: bool, data: st.DataObject
) -> None:
    """All at once, turn by turn. A signature tells what was said and answered, and nothing more."""

    async def run() -> None:
        client = Client(stream=stream, streams=streams)
        histories: list[list[Any]] = [[user(question)] for question, _ in talks]
        expected: list[list[str]] = [[] for _ in talks]
        answered = [question for question, _ in talks]
        for number in range(3):
            for talk, (_, turns) in enumerate(talks):
                if number < len(turns):
                    text, inputs, result = turns[number]
                    signature = json.dumps([answered[talk], text, inputs], sort_keys=True)
                    message = await client.ask(histories[talk], called(signature, *inputs, text=text))
                    message = rewritten(data.draw, message)
                    histories[talk] += [message, *results(message, result)]
                    expected[talk].append(signature)
                    answered[talk] = result * len(inputs)
        for history, signatures in zip(histories, expected, strict=True):
            assert await client.signatures(history) == signatures

    anyio.run(run)
