"""`examples/ray_serve.py` as it stands, in two replicas: `pip install -e '.[test,ray]' && pytest -m ray`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.client import MODEL, connected, say
from tests.servers.running import ROOT, free_port, stop

pytestmark = pytest.mark.ray
TIMEOUT = 120.0  # seconds


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ray") / "output"


@pytest.fixture(scope="module")
def port(output: Path) -> Iterator[int]:
    found = free_port()
    command = [sys.executable, str(ROOT / "examples" / "ray_serve.py"), "--port", str(found)]
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: process.poll() is not None or replica(found) is not None)
            assert process.poll() is None, output.read_text()
            yield found
        finally:
            stop(process, timeout=TIMEOUT)


def until(done: Any) -> Any:
    """What `done` gives, as soon as it gives something."""
    deadline = time.monotonic() + TIMEOUT
    while not (given := done()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return given


def replica(port: int) -> Any:
    """What one of the replicas tells of itself, or None if none is there yet."""
    try:
        with connected(port) as client:
            told = client.get("/replica")
    except OSError:
        return None
    return told.json() if told.status == 200 else None


def test_both_replicas_serve(port: int) -> None:
    seen: set[str] = set()

    def both() -> bool:
        with connected(port) as client:
            plain = client.chat("Say hello.")
            streamed = client.chat("Say hello.", stream=True)
        assert streamed.text() == plain.choice()["message"]["content"]
        seen.update((plain.headers["x-replica"], streamed.headers["x-replica"]))
        return len(seen) == 2

    until(both)


def test_a_client_that_leaves_is_told_to_its_replica(port: int) -> None:
    """What it got came before the rest was there; the replica's app ends though its stream had long to go."""
    request = {"model": MODEL, "stream": True, "messages": say("word " * 60)}
    with connected(port) as client:
        response = client.begin("/v1/chat/completions", request, x_simulate="delay=0.5")
        name = response.headers["x-replica"]
        while b'"content":"I have' not in response.readline():
            pass
        response.close()
    until(lambda: {"replica": name, "left": 1} == replica(port))
    with connected(port) as client:
        assert client.chat("Still there?").choice()["finish_reason"] == "stop"
