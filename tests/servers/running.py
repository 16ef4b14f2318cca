"""Real servers, each in a process of its own, started with the command that a user would type."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
HOST = "127.0.0.1"
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 15.0

SERVERS = {
    "uvicorn": ("uvicorn", "--host", HOST, "--port", "{port}", "--log-level", "warning"),
    "hypercorn": ("hypercorn", "--bind", HOST + ":{port}", "--graceful-timeout", "1"),
    "granian": ("granian", "--interface", "asgi", "--host", HOST, "--port", "{port}", "--log-level", "warning"),
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@contextmanager
def running(server: str, app: str, environment: dict[str, str] | None = None) -> Iterator[int]:
    """Serve `app`, a name in `services` or another module's, and give the port; see `wait_for`: it may not be open."""
    port = free_port()
    options = [option.format(port=port) for option in SERVERS[server]]
    command = [sys.executable, "-m", *options, app if ":" in app else f"tests.servers.services:{app}"]
    more: dict[str, Any] = {"cwd": ROOT, "env": os.environ | (environment or {})}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more) as process:
        try:
            yield port
            assert process.poll() is None, f"{server} ended"
        finally:
            stop(process)


def stop(process: subprocess.Popen[Any], number: int = signal.SIGTERM, timeout: float = STOP_TIMEOUT) -> int:
    """Stop a process by a signal, and give its status. One that does not stop in time is killed, and fails the test."""
    process.send_signal(number)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()  # or `Popen.__exit__` waits for ever
        raise


def wait_for(port: int) -> None:
    """Wait until the port takes connections."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        else:
            return
