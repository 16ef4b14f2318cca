"""A warning for each invalid reply of the inner app, with the place, and without its text."""

import json
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, Inner, call, chat, frame, streaming

pytestmark = pytest.mark.anyio


def broken_event(event: dict[str, Any]) -> Inner:
    return streaming([*HELLO[:3], event])


SENT = "The messages service sent"
NOT_MESSAGE = "The messages service sent a reply that is not a message."
NO_EVENT = "The messages service sent an event that cannot be read."
CASES: list[tuple[Inner, str]] = [
    (
        Inner(json.dumps(REPLY | {"content": [{"type": "text", "text": 5}]}).encode()),
        f"{NOT_MESSAGE} (at content[0].text)",
    ),
    (Inner(json.dumps(REPLY | {"stop_reason": ["SECRET"]}).encode()), f"{NOT_MESSAGE} (at stop_reason)"),
    (Inner(json.dumps(REPLY | {"content": [{"type": "new"}, {}]}).encode()), f"{NOT_MESSAGE} (at content[1])"),
    (Inner(b'{"id": SECRET}'), f"{NOT_MESSAGE} (at byte 7)"),
    (Inner(b'{"id": "\xff"}'), f"{NOT_MESSAGE} (at byte 8)"),
    (
        Inner(b"SECRET", media="text/plain"),
        "The messages service sent a reply that is neither JSON nor an event stream.",
    ),
    (
        broken_event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ["SECRET"]}}),
        f"{NO_EVENT} (at content_block_delta: delta.text)",
    ),
    (broken_event({"type": "message_start", "message": {"SECRET": 5}}), f"{NO_EVENT} (at message_start: message)"),
    (
        streaming(HELLO[:3]),
        "The messages service ended its stream before the message was complete.",
    ),
    (Inner([frame(HELLO[0]), b"data: {SECRET}\n\n"], media="text/event-stream"), f"{NO_EVENT} (at byte 1)"),
]


@pytest.mark.parametrize(("inner", "cause"), CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("stream", [True, False])
async def test_an_invalid_reply_is_a_warning_with_its_place(
    inner: Inner, cause: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await call(ChatCompatMiddleware(inner), chat(stream=stream))
    (record,) = [record for record in caplog.records if record.name == "chatcompat.replies"]
    assert (record.levelname, record.getMessage()) == ("WARNING", f"Invalid reply for the model 'm': {cause}")
    assert "SECRET" not in caplog.text
    assert b" (at " not in reply.body  # the place is for the operator


async def test_an_invalid_list_of_models_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    await call(ChatCompatMiddleware(Inner(b'{"data": [5]}')), path="/v1/models", method="GET")
    assert caplog.messages == [
        "Invalid reply for the model '': The messages service sent an invalid list of models. (at data[0])"
    ]


@pytest.mark.parametrize("body", [b'{"type":"error","error":{"type":"api_error","message":"SECRET"}}', b"{}"])
async def test_an_error_of_the_inner_app_is_no_warning(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    await call(ChatCompatMiddleware(Inner(body, status=500)), chat())
    assert caplog.records == []
