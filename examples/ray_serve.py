"""Chat completions in front of a messages service, in two replicas on Ray Serve.

    pip install chatcompat 'ray[serve]'
    python examples/ray_serve.py

On a cluster: `serve run examples.ray_serve:app`. Replace the simulator with your own messages app.
"""

import argparse

import ray
from ray import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatcompat import ChatCompatMiddleware, simulator


class Replica:
    """Adds the replica's name to each reply as a header, and counts incomplete replies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.name = serve.get_replica_context().replica_id.unique_id
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        complete = False

        async def named(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-replica", self.name.encode())]}
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self.app(scope, receive, named)
        finally:
            self.left += not complete

    async def tell(self, request: Request) -> JSONResponse:
        return JSONResponse({"replica": self.name, "left": self.left})


def create_app() -> Starlette:
    """Create the service of one replica. Ray calls this in the replica, so the app is never pickled."""
    replica = Replica(simulator.create_app())
    app = Starlette(routes=[Route("/replica", replica.tell), Mount("/", replica)])
    app.add_middleware(ChatCompatMiddleware)
    return app


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5})
@serve.ingress(create_app)
class ChatCompletions:
    """One replica."""


app = ChatCompletions.bind()  # type: ignore[attr-defined]  # the decorators give it


def main() -> None:
    """Serve on this machine alone, without a dashboard, until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Chat completions in two replicas on Ray Serve.")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 * 1024 * 1024)
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    serve.run(app, blocking=True)


if __name__ == "__main__":
    main()
