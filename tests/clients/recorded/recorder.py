"""A service that keeps what clients send: the simulator behind the middleware, on a port of this machine."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from msgspec import Raw
from starlette.requests import Request as HTTPRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, RequestBounds
from chatcompat.simulator import create_app
from tests.clients.recorded.recording import HEADERS, Request

_TIMEOUT = 30.0  # seconds


class Recorder:
    """Keeps the chat requests that pass. A POST to `/scenario` names the scenario of those that follow."""

    def __init__(self, app: ASGIApp) -> None:
        self.requests: list[Request] = []
        self.failed: list[str] = []
        self._app = app
        self._scenario = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request, scenario = HTTPRequest(scope, receive), self._scenario
        body: bytes | None = await request.body()
        assert body is not None
        if scope["path"] == "/scenario":
            self._scenario = body.decode()
            await Response(status_code=204)(scope, receive, send)
            return
        if not scope["path"].endswith("/chat/completions"):
            self.failed.append(f"{scenario}: a request for {scope['path']}")
            await Response(status_code=404)(scope, receive, send)
            return
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        self.requests.append(Request(scenario, scope["method"], scope["path"], headers, Raw(body)))

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            message, body = {"type": "http.request", "body": body}, None
            return message

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                self.failed.append(f"{scenario}: {scope['path']} was answered with {message['status']}")
            await send(message)

        await self._app(scope, replay, watch)


@contextmanager
def serving() -> Iterator[tuple[Recorder, str]]:
    """Serve a recorder in a thread, and give it with its URL."""
    recorder = Recorder(ChatCompatMiddleware(create_app(), bounds=RequestBounds(choices=4)))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(recorder, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            deadline = time.monotonic() + _TIMEOUT
            while not server.started:
                if time.monotonic() > deadline:
                    raise TimeoutError("the recorder did not start")
                time.sleep(0.02)
            yield recorder, f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
