"""Mounted in Starlette and FastAPI services that have lifespans and routes of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from chatcompat import ChatCompatMiddleware
from tests.asgi.driver import HELLO, REPLY, call, chat, frame

pytestmark = pytest.mark.anyio


async def messages(request: Request) -> Response:
    body = await request.json()
    greeting = request.state.greeting
    reply = {**REPLY, "content": [{"type": "text", "text": f"{greeting} {body['messages'][0]['content']}"}]}
    if not body.get("stream"):
        return JSONResponse(reply, headers={"request-id": "req_1"})

    async def events() -> AsyncIterator[bytes]:
        for event in HELLO:
            yield frame(event)

    return StreamingResponse(events(), media_type="text/event-stream")


async def index(request: Request) -> Response:
    return JSONResponse({"url": str(request.url.path)})


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
    yield {"greeting": "Good day,"}


ROUTES = [Route("/v1/messages", messages, methods=["POST"]), Route("/", index)]


def starlette_with_middleware() -> Any:
    app = Starlette(routes=ROUTES, lifespan=lifespan)
    app.add_middleware(ChatCompatMiddleware)
    return app, ""


def starlette_with_option() -> Any:
    middleware = [Middleware(ChatCompatMiddleware, max_body_bytes=1024)]
    return Starlette(routes=ROUTES, lifespan=lifespan, middleware=middleware), ""


def starlette_mounted() -> Any:
    inner = ChatCompatMiddleware(Starlette(routes=ROUTES))
    return Starlette(routes=[Mount("/compat", inner), *ROUTES], lifespan=lifespan), "/compat"


def starlette_mounted_twice() -> Any:
    inner = ChatCompatMiddleware(Starlette(routes=ROUTES))
    return Starlette(routes=[Mount("/a", routes=[Mount("/b", inner)])], lifespan=lifespan), "/a/b"


def fastapi_with_middleware() -> Any:
    app = FastAPI(lifespan=lifespan)
    app.add_route("/v1/messages", messages, methods=["POST"])
    app.add_route("/", index)
    app.add_middleware(ChatCompatMiddleware)
    return app, ""


def fastapi_mounted() -> Any:
    app = FastAPI(lifespan=lifespan)
    app.mount("/compat", ChatCompatMiddleware(Starlette(routes=ROUTES)))
    return app, "/compat"


def wrapped() -> Any:
    return ChatCompatMiddleware(Starlette(routes=ROUTES, lifespan=lifespan)), ""


SERVICES = [
    starlette_with_middleware,
    starlette_with_option,
    starlette_mounted,
    starlette_mounted_twice,
    fastapi_with_middleware,
    fastapi_mounted,
    wrapped,
]


@pytest.mark.parametrize("service", SERVICES)
async def test_chat_completions_are_served_below_the_prefix(service: Any) -> None:
    app, prefix = service()
    async with LifespanManager(app) as manager:
        path = f"{prefix}/v1/chat/completions"
        state = dict(manager._state)
        plain = await call(app, chat(), path=path, state=state)
        assert plain.json()["choices"][0]["message"]["content"] == "Good day, hi"
        assert plain.headers["x-request-id"] == "req_1"
        streamed = await call(app, chat(stream=True), path=path, state=state)
        assert streamed.text() == "Hello"
        assert streamed.data()[-1] == "[DONE]"
        refused = await call(app, chat(temperature=9), path=path, state=state)
        assert (refused.status, refused.error["param"]) == (400, "temperature")
        assert (await call(app, path=path, method="GET", state=state)).status == 405


@pytest.mark.parametrize("service", SERVICES)
async def test_the_services_own_routes_are_as_before(service: Any) -> None:
    app, prefix = service()
    async with LifespanManager(app) as manager:
        state = dict(manager._state)
        assert (await call(app, path=f"{prefix}/", method="GET", state=state)).json() == {"url": f"{prefix}/"}
        native = await call(app, chat(), path=f"{prefix}/v1/messages", state=state)
        assert native.json()["type"] == "message"
