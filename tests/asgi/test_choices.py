"""`n` choices: as many calls of the inner app at once, and one reply that is whole or fails as one."""

import json
import re
from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord, RequestBounds
from chatcompat.simulator import create_app
from tests.asgi.driver import HELLO, REPLY, Inner, Reply, call, chat, scope, streaming
from tests.asgi.test_observers import ERROR
from tests.asgi.test_thinking import BLOCKS, WANTED, answered, credential, events
from tests.extensions import EXTENSIONS
from tests.vendor import chat_sse, check_chat_reply

pytestmark = pytest.mark.anyio

TWO = RequestBounds(choices=2)
STREAMS = pytest.mark.parametrize("streams", [False, True])
STREAM = pytest.mark.parametrize("stream", [False, True])


class Several:
    """A messages app that answers each call in its own way, and keeps how each ended."""

    def __init__(self, *apps: Callable[[Scope, Receive, Send], Any]) -> None:
        self.apps = apps
        self.scopes: list[Scope] = []
        self.ends: dict[int, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = len(self.scopes)
        self.scopes.append(scope)
        try:
            await self.apps[number](scope, receive, send)
        except anyio.get_cancelled_exc_class():
            self.ends[number] = "cancelled"
            raise
        self.ends[number] = "returned"


def says(text: str, *, streams: bool, message_id: str = "msg_1") -> Inner:
    content = [{"type": "text", "text": text}]
    message = {**REPLY, "id": message_id, "content": content}
    if not streams:
        return Inner(json.dumps(message).encode())
    first, start, delta, *_ = HELLO
    return streaming([first, start, {**delta, "delta": {"type": "text_delta", "text": text}}, *HELLO[-3:]])


async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
    await anyio.sleep_forever()


async def begins(scope: Scope, receive: Receive, send: Send) -> None:
    """A stream that begins and does not end."""
    await streaming(HELLO[:3])(scope, receive, partial_send(send))
    while (await receive())["type"] != "http.disconnect":
        pass
    await anyio.sleep_forever()


def partial_send(send: Send) -> Send:
    async def send_more(message: Any) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    return send_more


async def ask(inner: Any, records: list[ExchangeRecord] | None = None, *, n: int = 2, **fields: Any) -> Reply:
    on_exchange = None if records is None else records.append
    app = ChatCompatMiddleware(inner, bounds=TWO, on_exchange=on_exchange, disconnect_grace=0)
    options = {"stream_options": {"include_usage": True}} if fields.get("stream") else {}
    return await call(app, chat(n=n, **options, **fields), headers=credential(b"key"))


def texts(reply: Reply, *, stream: bool) -> dict[int, str]:
    """The text of each choice, if the reply is whole by the vendor's types."""
    if not stream:
        assert check_chat_reply(reply.json(), allow=EXTENSIONS) == []
        return {choice["index"]: choice["message"]["content"] for choice in reply.json()["choices"]}
    found: dict[int, str] = {}
    for chunk in reply.data()[:-1]:
        for choice in chunk["choices"]:
            found[choice["index"]] = found.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return found


@STREAM
@STREAMS
async def test_each_choice_is_a_call_and_the_usages_are_summed(stream: bool, streams: bool) -> None:
    inner = Several(says("one", streams=streams), says("two", streams=streams))
    records: list[ExchangeRecord] = []
    reply = await ask(inner, records, stream=stream)
    assert (reply.status, reply.complete, len(inner.scopes)) == (200, True, 2)
    found = texts(reply, stream=stream)
    assert [sorted(found), sorted(found.values())] == [[0, 1], ["one", "two"]]  # which comes first is not said
    usage = {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10, "credits_consumed": 14}
    assert (reply.data()[-2] if stream else reply.json())["usage"] == usage
    (record,) = records
    assert (record.status, record.usage, record.finish_reason, record.error_type) == (200, usage, "stop", None)
    assert record.time_to_first_byte is not None
    assert (record.time_to_first_token is not None) == stream
    if stream:
        assert len({chunk["id"] for chunk in reply.data()[:-1]}) == 1
        assert reply.data()[-1] == "[DONE]"
        assert reply.data().count("[DONE]") == 1
        assert reply.data()[-2]["choices"] == []


@STREAM
async def test_the_simulators_choices_are_whole(stream: bool) -> None:
    app = ChatCompatMiddleware(create_app(), bounds=TWO)
    body = chat(model="caicaini/auto", n=2, stream=stream, messages=[{"role": "user", "content": "Say \u2028 hello"}])
    reply = await call(app, body, headers=credential(b"key"))
    assert reply.status == 200
    found = texts(reply, stream=stream)
    assert found[0] == found[1] != ""
    if stream:
        assert chat_sse(reply.body, include_usage=False, allow=EXTENSIONS) == []
        assert "\u2028" not in reply.body.decode()


@pytest.mark.parametrize(("n", "bounds"), [(2, RequestBounds()), (3, TWO)])
async def test_more_choices_than_the_bound_are_refused(n: int, bounds: RequestBounds) -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner, bounds=bounds), chat(n=n))
    assert (reply.status, reply.error["param"]) == (400, "n")
    assert not inner.scopes


@STREAM
@pytest.mark.parametrize("first", [True, False])
async def test_a_choice_that_is_refused_fails_the_whole(stream: bool, first: bool) -> None:
    refuses = Inner(json.dumps(ERROR).encode(), status=429, headers=[(b"retry-after", b"7")])
    inner = Several(*((refuses, hangs) if first else (hangs, refuses)))
    records: list[ExchangeRecord] = []
    reply = await ask(inner, records, stream=stream)
    assert (reply.status, reply.complete, reply.headers["retry-after"]) == (429, True, "7")
    assert reply.error["type"] == "rate_limit_error"
    assert "cancelled" in inner.ends.values()
    assert (records[0].status, records[0].error_type, records[0].finish_reason) == (429, "rate_limit_error", None)


@pytest.mark.parametrize(
    "second",
    [
        streaming([*HELLO[:3], ERROR]),
        Inner(json.dumps(ERROR).encode(), status=429),
        streaming(HELLO[:3]),
    ],
    ids=["an error event", "an error reply", "cut off"],
)
async def test_a_choice_that_fails_ends_the_stream_with_an_error(second: Any) -> None:
    async def later(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(0.05)
        await second(scope, receive, send)

    inner = Several(begins, later)
    records: list[ExchangeRecord] = []
    reply = await ask(inner, records, stream=True)
    assert (reply.status, reply.complete) == (200, True)
    assert "error" in reply.data()[-1]
    assert not any(choice["finish_reason"] for chunk in reply.data()[:-1] for choice in chunk["choices"])
    assert inner.ends[0] == "cancelled"
    assert records[0].error_type not in (None, "cancelled")


@STREAM
async def test_an_exception_of_a_choice_is_raised_again(stream: bool) -> None:
    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(0.01)
        raise LookupError("SECRET")

    inner = Several(begins if stream else hangs, raises)
    records: list[ExchangeRecord] = []
    with pytest.raises(LookupError):
        await ask(inner, records, stream=stream)
    assert inner.ends[0] == "cancelled"
    assert records[0].error_type == "server_error"


@STREAMS
@STREAM
async def test_an_exception_behind_a_whole_reply_costs_no_choice(stream: bool, streams: bool) -> None:
    raised = anyio.Event()

    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        await says("a", streams=streams)(scope, receive, send)
        raised.set()
        raise LookupError("SECRET")

    async def later(scope: Scope, receive: Receive, send: Send) -> None:
        await raised.wait()
        await anyio.sleep(0.01)
        await says("b", streams=streams)(scope, receive, send)

    replies: list[Reply] = []
    app = ChatCompatMiddleware(Several(raises, later), bounds=TWO)

    async def keep(reply: Reply) -> None:
        replies[:] = [reply]

    with pytest.raises(LookupError):
        await call(app, chat(n=2, stream=stream), on_send=keep)
    assert replies[0].complete
    assert sorted(texts(replies[0], stream=stream).values()) == ["a", "b"]


@STREAM
async def test_a_client_that_leaves_ends_all_calls(stream: bool) -> None:
    inner = Several(begins, begins) if stream else Several(hangs, hangs)
    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(inner, bounds=TWO, on_exchange=records.append, disconnect_grace=0)
    leave = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(app, chat(n=2, stream=stream), leave=leave))
        await anyio.sleep(0.05)
        leave.set()
    assert inner.ends == {0: "cancelled", 1: "cancelled"}
    assert records[0].error_type == "client_disconnected"


@STREAM
@pytest.mark.parametrize("cost", ["1e308", "1e400", "9" * 5000, "9" * 400, '"a"'])
async def test_a_usage_without_a_finite_sum_costs_no_other_count(stream: bool, cost: str) -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "cost": 0, "credits": 2}
    inner = Inner(json.dumps(REPLY | {"usage": usage}).replace('"cost": 0', f'"cost": {cost}').encode())
    reply = await ask(Several(inner, inner), stream=stream)
    assert reply.status == 200
    assert f'"cost":{cost}'.encode() in reply.body
    shown = json.loads(re.findall(rb'"usage":(\{[^}]*\})', reply.body)[-1], parse_int=str, parse_float=str)
    assert (shown["prompt_tokens"], shown["completion_tokens"], shown["credits"]) == ("2", "2", "4")


async def test_an_app_that_is_shielded_sends_nothing_more() -> None:
    async def shielded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await streaming()(scope, receive, send)

    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(0.02)
        await Inner(json.dumps(ERROR).encode(), status=429)(scope, receive, send)

    reply = await ask(Several(shielded, refuses), stream=True)
    assert (reply.status, reply.complete) == (429, True)


async def test_a_receive_that_raises_is_a_client_that_left() -> None:
    inner = Several(hangs, hangs)
    received = iter([{"type": "http.request", "body": body} for body in (chat(n=2), b"")])

    async def receive() -> Any:
        for message in received:
            return message
        raise RuntimeError("SECRET")

    async def send(message: Any) -> None:
        raise AssertionError

    await ChatCompatMiddleware(inner, bounds=TWO, disconnect_grace=0)(scope(), receive, send)
    assert inner.ends == {0: "cancelled", 1: "cancelled"}


async def test_a_server_that_cancels_is_recorded() -> None:
    records: list[ExchangeRecord] = []
    with anyio.move_on_after(0.05):
        await ask(Several(hangs, hangs), records)
    assert records[0].error_type == "cancelled"
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ask(Several(hangs, hangs), records)
    assert {record.error_type for record in records} <= {"cancelled", "client_disconnected"}


@STREAM
async def test_thinking_of_each_choice_is_kept(stream: bool) -> None:
    def thinker(name: str) -> Inner:
        thought, said, *calls = cast("list[Any]", BLOCKS)
        blocks = [{**thought, "signature": name}, {**said, "text": name}, *calls]
        message = {**REPLY, "content": blocks, "stop_reason": "tool_use"}
        return streaming(events(message)) if stream else Inner(json.dumps(message).encode())

    last = Inner()
    inner = Several(thinker("one"), thinker("two"), last)
    app = ChatCompatMiddleware(inner, bounds=TWO)
    await call(app, chat(n=2, stream=stream, **WANTED), headers=credential(b"key"))
    await call(app, answered(content="two"), headers=credential(b"key"))
    assert json.loads(last.bodies[0])["messages"][1]["content"][0]["signature"] == "two"


async def test_frames_of_the_choices_are_sent_one_at_a_time() -> None:
    """The server's `send` is never called while it is still sending."""
    app = ChatCompatMiddleware(Several(*[streaming([*HELLO[:3], *[HELLO[2]] * 20, *HELLO[3:]])] * 2), bounds=TWO)
    sending = False

    async def slow(reply: Reply) -> None:
        nonlocal sending
        assert not sending
        sending = True
        await anyio.sleep(0.001)
        sending = False

    reply = await call(app, chat(n=2, stream=True), on_send=slow)
    assert reply.data()[-1] == "[DONE]"


async def test_a_record_of_usages_without_a_finite_sum_has_none() -> None:
    inner = Inner(json.dumps(REPLY | {"usage": {"input_tokens": 1, "output_tokens": 1, "cost": 1e308}}).encode())
    records: list[ExchangeRecord] = []
    await ask(Several(inner, inner), records)
    assert records[0].usage is None
