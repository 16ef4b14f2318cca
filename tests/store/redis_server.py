"""A real Redis for these tests, on a socket of its own, that can be killed and started again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.servers.running import stop

START_TIMEOUT = 30.0  # seconds


class RedisServer:
    """A server with a Unix socket, and no port. It saves nothing, so a restart empties it."""

    def __init__(self, command: str, folder: Path) -> None:
        self.url = f"unix://{folder}/redis.sock"
        self._command = [command, "--port", "0", "--unixsocket", str(folder / "redis.sock"), "--dir", str(folder)]
        self._command += ["--save", "", "--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"]
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "the server did not start"
                    time.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        stop(self.process, signal.SIGKILL)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A running server. In CI it must be installed; elsewhere the tests are skipped without it."""
    command = shutil.which("redis-server")
    if command is None:
        reason = "needs redis-server, such as Debian's package of that name"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(command, folder)
    try:
        yield server
    finally:
        server.kill()
