"""A real server, started with the command that a user would type."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.servers.running import HOST, running, stop, wait_for


@pytest.fixture(scope="session")
def serve_output() -> Iterator[list[str]]:
    """What `chatcompat serve` prints before it serves; it serves for as long as the tests of this folder run."""
    command = [sys.executable, "-m", "chatcompat", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].rstrip().endswith("}'"):
            line = process.stdout.readline()
            assert line, f"the server ended: {lines}"
            lines.append(line)
        try:
            yield lines
        finally:
            assert stop(process, signal.SIGINT) == 0


@pytest.fixture(scope="session")
def url(serve_output: list[str]) -> str:
    """The server's base URL."""
    found = re.search(r"http://127\.0\.0\.1:\d+", "".join(serve_output))
    assert found
    return found[0]


@pytest.fixture(scope="session")
def observed_url() -> Iterator[str]:
    """A server that tells what becomes of a stream whose client left."""
    with running("uvicorn", "starlette_service") as port:
        wait_for(port)
        yield f"http://{HOST}:{port}"
