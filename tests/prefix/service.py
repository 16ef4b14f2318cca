"""The simulator behind the middleware, for several processes that share a store. The environment names the folders.

Each request that the simulator gets, and each reply, is kept as a file for the test to look at.
"""

import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, ThinkingStore
from chatcompat.dialect import NATIVE_2026
from chatcompat.redis import RedisStore
from chatcompat.simulator import create_app

SEARCHING = replace(NATIVE_2026, adaptive_thinking=True, web_search="web_search_20260318")


class FolderStore:
    """Keeps each value in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def get(self, key: bytes) -> bytes | None:
        file = self.folder / key.hex()
        return file.read_bytes() if file.exists() else None

    async def put(self, key: bytes, value: bytes) -> None:
        (self.folder / key.hex()).write_bytes(value)


class Recorded:
    """Writes each request and its reply to files."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app = app
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name, reply = uuid4().hex, bytearray()

        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                (self.folder / f"{name}.request").write_bytes(message["body"])
            return message

        async def sent(message: Message) -> None:
            reply.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                (self.folder / f"{name}.reply").write_bytes(reply)
            await send(message)

        await self.app(scope, received, sent)


def service() -> ChatCompatMiddleware:
    store = os.environ["SHARED_STORE"]
    shared: ThinkingStore = RedisStore(store) if "://" in store else FolderStore(Path(store))
    return ChatCompatMiddleware(Recorded(create_app(), Path(os.environ["RECORDS"])), dialect=SEARCHING, store=shared)
