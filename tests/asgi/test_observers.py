"""What the service is told of each exchange, and strictness."""

import json
import logging
from contextlib import suppress
from dataclasses import FrozenInstanceError
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ExchangeRecord, InvalidRequest, translate
from chatcompat.record import combine_observers
from tests.asgi.driver import HELLO, REPLY, Inner, call, chat, frame, scope, streaming

pytestmark = pytest.mark.anyio

ERROR = {"type": "error", "error": {"type": "rate_limit_error", "message": "SECRET"}}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "credits_consumed": 7}


async def record(inner: Any, body: bytes, **more: Any) -> ExchangeRecord:
    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(inner, on_exchange=records.append, disconnect_grace=0)
    with suppress(RuntimeError):
        await call(app, body, **more)
    assert len(records) == 1
    assert "SECRET" not in repr(records[0])
    return records[0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_whole_exchange(stream: bool, streams: bool) -> None:
    outcome = await record(streaming() if streams else Inner(), chat(stream=stream, seed=1))
    assert outcome == ExchangeRecord(
        model="m",
        streaming=stream,
        status=200,
        finish_reason="stop",
        usage=USAGE,
        ignored=("seed",),
        time_to_first_byte=outcome.time_to_first_byte,
        duration=outcome.duration,
        error_type=None,
        response_id="chatcmpl_1",
        response_model="m",
        time_to_first_token=outcome.time_to_first_token,
    )
    with pytest.raises(FrozenInstanceError):
        outcome.status = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("stream", "streams", "first_byte", "first_token", "end"),
    [(False, False, 2, None, 2), (False, True, 8, None, 8), (True, False, 2, 2, 2), (True, True, 2, 4, 8)],
)
async def test_the_times_of_an_exchange(
    stream: bool, streams: bool, first_byte: int, first_token: int | None, end: int
) -> None:
    """The inner app takes a second for each message."""
    inner = streaming() if streams else Inner()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_late(message: Message) -> None:
            await anyio.sleep(1)
            await send(message)

        await inner(scope, receive, send_late)

    outcome = await record(slow, chat(stream=stream))
    assert (outcome.time_to_first_byte, outcome.time_to_first_token, outcome.duration) == (first_byte, first_token, end)


async def test_a_refused_request() -> None:
    outcome = await record(Inner(), chat(temperature=9))
    assert (outcome.model, outcome.status, outcome.error_type) == (None, 400, "invalid_request_error")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_of_the_inner_app(stream: bool) -> None:
    outcome = await record(Inner(json.dumps(ERROR).encode(), status=429), chat(stream=stream))
    assert (outcome.status, outcome.error_type, outcome.finish_reason, outcome.usage) == (
        429,
        "rate_limit_error",
        None,
        None,
    )


async def test_an_error_in_mid_stream() -> None:
    outcome = await record(streaming([*HELLO[:3], ERROR]), chat(stream=True))
    assert (outcome.status, outcome.error_type, outcome.finish_reason) == (200, "rate_limit_error", None)


async def test_an_inner_app_that_raises() -> None:
    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("SECRET")

    outcome = await record(inner, chat())
    assert (outcome.status, outcome.error_type) == (500, "server_error")


async def test_a_client_that_left() -> None:
    leave = anyio.Event()

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        await receive()
        leave.set()
        await receive()

    outcome = await record(inner, chat(), leave=leave)
    assert (outcome.status, outcome.error_type, outcome.time_to_first_byte) == (None, "client_disconnected", None)


async def test_a_client_that_left_a_stream() -> None:
    leave = anyio.Event()

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        app = streaming(HELLO[:3])
        app.pieces.append(b"")

        async def more(message: Any) -> None:
            await send({**message, "more_body": True})

        await app(s, receive, more)
        leave.set()
        await receive()

    outcome = await record(inner, chat(stream=True), leave=leave)
    assert (outcome.status, outcome.error_type, outcome.finish_reason) == (200, "client_disconnected", None)


async def test_a_usage_that_nobody_could_read_is_not_told() -> None:
    reply = {**REPLY, "usage": {"input_tokens": "x"}}
    outcome = await record(Inner(json.dumps(reply).encode()), chat(stream=True))
    assert (outcome.finish_reason, outcome.usage) == ("stop", None)


async def test_an_error_in_mid_stream_has_the_id_and_the_model() -> None:
    outcome = await record(streaming([*HELLO[:3], ERROR]), chat(stream=True))
    assert (outcome.response_id, outcome.response_model) == ("chatcmpl_1", "m")
    outcome = await record(streaming([ERROR]), chat(stream=True))
    assert (outcome.response_id, outcome.response_model) == (None, None)


@pytest.mark.parametrize("first", [0, 2])
async def test_the_first_token_is_none_of_what_stands_before_the_text(first: int) -> None:
    """The role, an opened block, pings and comments are no token."""
    pieces = [frame(event) for event in HELLO]
    pieces.insert(2, frame({"type": "ping"}))

    async def inner(s: Scope, receive: Receive, send: Send) -> None:
        app = Inner([*pieces[:first], b"".join(pieces[first:4]), *pieces[4:]], media="text/event-stream")

        async def slowly(message: Any) -> None:
            if b"Hel" in message.get("body", b""):
                await anyio.sleep(0.05)
            await send(message)

        await app(s, receive, slowly)

    outcome = await record(inner, chat(stream=True))
    assert outcome.time_to_first_byte is not None
    assert outcome.time_to_first_token is not None
    waited = outcome.time_to_first_token - outcome.time_to_first_byte if first else outcome.time_to_first_byte
    assert waited > 0.04


@pytest.mark.parametrize("kind", ["thinking", "tool_use"])
async def test_thinking_and_calls_are_tokens_and_an_empty_reply_has_none(kind: str) -> None:
    block: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
    delta: dict[str, Any] = {"type": "thinking_delta", "thinking": "x"}
    if kind == "tool_use":
        block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": "{}"}
    events = [HELLO[0], {**HELLO[1], "content_block": block}, {**HELLO[2], "delta": delta}, *HELLO[4:]]
    assert (await record(streaming(events), chat(stream=True))).time_to_first_token is not None
    assert (await record(streaming([HELLO[0], *HELLO[5:]]), chat(stream=True))).time_to_first_token is None


async def test_a_client_that_left_while_it_sent_its_request() -> None:
    records: list[ExchangeRecord] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await ChatCompatMiddleware(Inner(), on_exchange=records.append)(scope(), receive, send)
    assert [(outcome.status, outcome.error_type) for outcome in records] == [(None, "client_disconnected")]
    assert records[0].time_to_first_byte is None


async def test_a_dialect_that_raises() -> None:
    def dialect(model: str) -> Any:
        raise RuntimeError("SECRET")

    records: list[ExchangeRecord] = []
    await call(ChatCompatMiddleware(Inner(), dialect=dialect, on_exchange=records.append), chat())
    [record] = records
    assert (record.status, record.error_type, record.error_code) == (500, "server_error", "dialect_failed")


async def test_a_server_that_raises() -> None:
    async def receive() -> Any:
        raise RuntimeError("SECRET")

    records: list[ExchangeRecord] = []
    app = ChatCompatMiddleware(Inner(), on_exchange=records.append)
    with pytest.raises(RuntimeError, match="SECRET"):
        await app(scope(), receive, print)  # type: ignore[arg-type]
    assert [(outcome.status, outcome.error_type) for outcome in records] == [(500, "server_error")]


async def test_several_observers_are_all_told_whatever_one_of_them_raises(caplog: pytest.LogCaptureFixture) -> None:
    def observer(outcome: ExchangeRecord) -> None:
        raise LookupError

    first, last = list[ExchangeRecord](), list[ExchangeRecord]()
    app = ChatCompatMiddleware(Inner(), on_exchange=combine_observers(first.append, observer, last.append, observer))
    with caplog.at_level(logging.ERROR):
        assert (await call(app, chat())).status == 200
    assert first == last
    assert len(first) == 1
    assert [entry.message for entry in caplog.records] == ["on_exchange failed"]
    assert caplog.records[0].exc_info is not None
    failed = caplog.records[0].exc_info[1]
    assert isinstance(failed, ExceptionGroup)
    assert [type(error) for error in failed.exceptions] == [LookupError, LookupError]
    combine_observers(first.append)(first[0])
    assert len(first) == 2


async def test_what_an_observer_raises_is_logged_and_never_reaches_the_client(caplog: pytest.LogCaptureFixture) -> None:
    def observer(outcome: ExchangeRecord) -> None:
        raise LookupError

    app = ChatCompatMiddleware(Inner(), on_exchange=observer)
    with caplog.at_level(logging.ERROR):
        assert (await call(app, chat())).status == 200
        assert (await call(app, b"nope")).status == 400
    assert [entry.message for entry in caplog.records] == ["on_exchange failed"] * 2


# ---------------------------------------------------------------- strict


async def test_strict_refuses_what_would_be_ignored() -> None:
    inner = Inner()
    app = ChatCompatMiddleware(inner, strict=True)
    reply = await call(app, chat(seed=4))
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, "seed", "unsupported_parameter")
    assert not inner.scopes
    assert (await call(app, chat(n=1, seed=None))).status == 200


@pytest.mark.parametrize(("name", "param"), [("zz", "zz"), ("x" * 5000, "*"), ("SECRET text", "*")])
async def test_strict_names_an_unknown_field_that_looks_like_one(name: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate(chat(**{name: 1}), strict=True)
    assert raised.value.param == param
