"""Every test of this folder runs for each server, framework and way in which the service mounts the middleware."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.servers.running import SERVERS, running, wait_for


class Mounted(NamedTuple):
    """How a service mounts the middleware, and the prefixes that chat and native traffic have there."""

    how: str
    chat: str = ""
    native: str = ""


FRAMEWORKS = {
    "Starlette": [Mounted("`add_middleware`"), Mounted("`Mount`", "/mounted", "/mounted")],
    "FastAPI": [Mounted("`add_middleware`"), Mounted("`mount`", "/mounted", "/mounted")],
    "Litestar": [Mounted("around the app"), Mounted("`asgi`", "/mounted")],
}
CELLS = [((server, framework), way) for server in SERVERS for framework, ways in FRAMEWORKS.items() for way in ways]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mounted" in metafunc.fixturenames:
        ids = [f"{server}-{framework}-{way.how.strip('`')}" for (server, framework), way in CELLS]
        metafunc.parametrize(("port", "mounted"), CELLS, indirect=["port"], ids=ids, scope="session")


@pytest.fixture(scope="session")
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a running service."""
    server, framework = request.param
    with running(server, f"{framework.lower()}_service") as opened:
        wait_for(opened)
        yield opened
