"""Services as their authors write them in each framework: native messages, and chat completions beside them.

Each has the middleware around the whole app, and once more around a mounted app below `/mounted`.
"""

from typing import Any

import anyio
from fastapi import FastAPI
from litestar import Litestar, asgi, get
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from chatcompat import ChatCompatMiddleware
from chatcompat.simulator import create_app
from tests.asgi.driver import HELLO, frame

GRACE = 0.1  # seconds

_simulator = create_app()
_observed: dict[str, dict[str, Any]] = {}


async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """The simulator; a request with `x-observe: NAME` gets a stream without an end, and what becomes of it is told."""
    headers = dict(scope.get("headers", ()))
    if b"x-observe" in headers:
        await _endless(headers[b"x-observe"].decode(), receive, send)
    else:
        await _simulator(scope, receive, send)


async def _endless(name: str, receive: Receive, send: Send) -> None:
    seen = _observed[name] = {"told": False, "end": None}

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        seen["told"] = True

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            await send(start)
            for event in HELLO[:2]:
                await send({"type": "http.response.body", "body": frame(event), "more_body": True})
            while True:  # an app that does not care that it was told
                await send({"type": "http.response.body", "body": frame(HELLO[2]), "more_body": True})
                await anyio.sleep(0.01)
    except BaseException as error:
        seen["end"] = "cancelled" if isinstance(error, anyio.get_cancelled_exc_class()) else repr(error)
        raise


# ---------------------------------------------------------------- Starlette


async def _observe(request: Request) -> JSONResponse:
    return JSONResponse(_observed.get(request.path_params["name"]))


starlette_service = Starlette(
    routes=[
        Route("/observed/{name}", _observe),
        Mount("/mounted", ChatCompatMiddleware(messages, disconnect_grace=GRACE)),
        Mount("/", messages),
    ]
)
starlette_service.add_middleware(ChatCompatMiddleware, disconnect_grace=GRACE)

# ---------------------------------------------------------------- FastAPI

fastapi_service = FastAPI()


@fastapi_service.get("/observed/{name}")
async def _observe_in_fastapi(name: str) -> dict[str, Any] | None:
    return _observed.get(name)


fastapi_service.mount("/mounted", ChatCompatMiddleware(messages, disconnect_grace=GRACE))
fastapi_service.mount("/", messages)
fastapi_service.add_middleware(ChatCompatMiddleware, disconnect_grace=GRACE)

# ---------------------------------------------------------------- Litestar


@get("/observed/{name:str}")
async def _observe_in_litestar(name: str) -> dict[str, Any] | None:
    return _observed.get(name)


# Litestar ends the path of what is mounted with a slash, and its own `middleware` comes behind its routing.
_mounted = ChatCompatMiddleware(messages, path="/v1/chat/completions/", disconnect_grace=GRACE)
_litestar: Any = Litestar(  # its types of an ASGI app are its own
    [
        _observe_in_litestar,
        asgi(["/v1/messages", "/v1/models"], copy_scope=True)(messages),
        asgi("/mounted", is_mount=True, copy_scope=True)(_mounted),
    ]
)
litestar_service = ChatCompatMiddleware(_litestar, disconnect_grace=GRACE)
