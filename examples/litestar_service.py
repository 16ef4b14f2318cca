"""Chat completions around a Litestar app: `uvicorn examples.litestar_service:app`.

Replace the simulator with your own messages app, or with a Litestar handler of `POST /v1/messages`.
"""

from typing import Any

from litestar import Litestar, asgi, get

from chatcompat import ChatCompatMiddleware
from chatcompat.simulator import create_app


@get("/hello")
async def hello() -> str:
    """Any other route."""
    return "Litestar serves this."


# Litestar has its own types for an ASGI app.
service: Any = Litestar([hello, asgi(["/v1/messages", "/v1/models"], copy_scope=True)(create_app())])
app = ChatCompatMiddleware(service)
