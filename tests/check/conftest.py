"""One real server: a correct endpoint at the root, and each planted fault below its rule's id."""

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from chatcompat import ChatCompatMiddleware
from chatcompat.cli.serve import url_of
from chatcompat.simulator import create_app
from tests.check.table import FAULTS, ORIGIN


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of the good one; with a rule's id behind it, that of the one with its fault."""
    ours = CORSMiddleware(
        ChatCompatMiddleware(create_app()), allow_origins=[ORIGIN], allow_methods=["POST"], allow_headers=["*"]
    )
    routes = [Mount(f"/{rule}", fault(ours)) for rule, fault in FAULTS.items()]
    app = Starlette(routes=[*routes, Mount("/", ours)])
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=5)
    with config.bind_socket() as listener:
        listener.listen(config.backlog)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield url_of(listener)
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
