"""The load: `wrk` for requests a second, one socket for latencies and streams."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import httptools

LEAST = 200  # requests that a percentile is taken of


@dataclass(frozen=True)
class Target:
    """Where requests are sent, and which."""

    name: str
    port: int
    path: str
    whole: bytes = b"{}"
    streamed: bytes = b""
    more_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        common = {"content-type": "application/json", "authorization": "Bearer key", "x-api-key": "key"}
        return common | dict(self.more_headers)

    def request(self, *, stream: bool) -> bytes:
        """All bytes of a request."""
        body = self.streamed if stream else self.whole
        lines = [f"POST {self.path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def connect(self) -> socket.socket:
        """A connection that sends without delay."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class Reply:
    """A reply as it arrives, and after how many seconds its first text and its end came."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.status = 0
        self.first_text = self.seconds = 0.0
        self.complete = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True


def exchange(target: Target, connection: socket.socket, *, stream: bool = False, text: bytes = b"") -> Reply:
    """Send a request and read its reply; `text` is the first text of a stream."""
    reply, request = Reply(), target.request(stream=stream)
    parser = httptools.HttpResponseParser(reply)
    began = time.perf_counter()
    connection.sendall(request)
    while not reply.complete:
        data = connection.recv(1 << 18)
        reply.seconds = time.perf_counter() - began
        if not data:
            raise RuntimeError(f"{target.name} closed the connection: {reply.body[:500]!r}")
        parser.feed_data(data)
        if not reply.first_text and text in reply.body:
            reply.first_text = reply.seconds
    reply.status = parser.get_status_code()
    return reply


def latencies(target: Target, *, seconds: float) -> dict[str, float]:
    """The median and the 99th percentile in microseconds, of requests one after the other on one connection.

    `wrk` would round them: its tables have three digits, so milliseconds would come in steps of 10 µs.
    """
    taken: list[float] = []
    with target.connect() as connection:
        exchange(target, connection)
        until = time.monotonic() + seconds
        while len(taken) < LEAST or time.monotonic() < until:
            reply = exchange(target, connection)
            if reply.status != 200:
                raise RuntimeError(f"{target.name}: {reply.status} {reply.body[:500]!r}")
            taken.append(reply.seconds * 1e6)
    cuts = quantiles(taken, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


def requests_a_second(target: Target, *, connections: int, seconds: float, prefix: list[str]) -> float:
    """Requests a second on so many connections."""
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{target.whole.decode()}]==]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in target.headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write("\n".join(lines))
        script.flush()
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", script.name]
        command = [*prefix, "wrk", *options, f"http://127.0.0.1:{target.port}{target.path}"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if match is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{target.name}: {output}")
    return float(match[1])


def wrk_version() -> str:
    """The version of wrk, which exits with a status of 1 when asked."""
    asked = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (asked.stdout + asked.stderr).partition("[")[0].strip()


def resident(pid: int) -> float:
    """Mebibytes that a process and its children hold."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    children = [task.read_text(encoding="ascii").split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    return pages * 4096 / (1 << 20) + sum(resident(int(child)) for some in children for child in some)
