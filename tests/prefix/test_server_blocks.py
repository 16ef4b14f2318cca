"""Blocks of the service's own tools go to the client and back, and the service takes each turn."""

import json
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from chatcompat.simulator import create_app
from tests.asgi.driver import call, chat
from tests.simulator.test_running_tools import BETA, PLAIN
from tests.strategies.client import as_history, read_stream, read_whole

pytestmark = pytest.mark.anyio

CASES: Any = {
    **{name: (text, {"tools": tools}) for name, (text, tools, _) in PLAIN.items() if name != "both"},
    **{name: (text, fields) for name, (text, fields, _) in BETA.items()},
}
THOUGHTFUL: Any = {"thinking": {"type": "adaptive"}}


class Listening:
    """Keeps the last request and reply of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.request = self.reply = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reply = b""

        async def received() -> Message:
            message = await receive()
            self.request = message.get("body", self.request)
            return message

        async def sent(message: Message) -> None:
            self.reply += message.get("body", b"")
            await send(message)

        await self.app(scope, received, sent)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [{}, THOUGHTFUL], ids=["silent", "thinking"])
@pytest.mark.parametrize(("text", "fields"), CASES.values(), ids=CASES)
async def test_the_blocks_of_a_reply_come_back_as_they_were(text: str, fields: Any, more: Any, stream: bool) -> None:
    inner = Listening(create_app())
    app, user = ChatCompatMiddleware(inner), {"role": "user", "content": text}
    wanted = {"model": "sim-1", "max_tokens": 9_000, **fields, **more}
    await call(app, chat(messages=[user], **wanted))
    content = json.loads(inner.reply)["content"]
    reply = await call(app, chat(messages=[user], stream=stream, **wanted))
    message = as_history((read_stream if stream else read_whole)(reply.body)["message"])
    thanks = {"role": "user", "content": "Thanks."}
    again = await call(app, chat(messages=[user, message, thanks], **wanted))
    assert again.status == 200
    assert "x-chatcompat-ignored" not in again.headers
    assert json.loads(inner.request)["messages"][1]["content"] == content
