"""The load of `serve.py`: `wrk` for many connections, one socket for latencies and streams."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

_TIMEOUT = 60.0
_END_OF_CHUNKS = b"\r\n0\r\n\r\n"
_HEAD = 2_000  # bytes in which the headers end
_LEAST = 200  # requests that a percentile is taken of


@dataclass(frozen=True)
class Target:
    """Where a request is sent, and which."""

    name: str
    port: int
    path: str
    request: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, *, stream: bool) -> bytes:
        """The request's bytes."""
        return json.dumps(self.request | ({"stream": True} if stream else {}), separators=(",", ":")).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers that every request here has."""
        return {"content-type": "application/json", "authorization": "Bearer key", "x-api-key": "key", **self.headers}


def wrk(target: Target, *, connections: int, seconds: float, prefix: list[str]) -> float:
    """Requests a second of so many connections."""
    lines = ['wrk.method = "POST"', f"wrk.body = [==[{target.body(stream=False).decode()}]==]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in target.all_headers().items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command = [*prefix, "wrk", *options, "-s", script.name, f"http://127.0.0.1:{target.port}{target.path}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if match is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"{target.name}: {told}")
    return float(match[1])


def wrk_version() -> str:
    """The version of wrk, which it tells with a status of 1."""
    told = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (told.stdout + told.stderr).partition("[")[0].removeprefix("wrk").strip()


def alone(target: Target, *, seconds: float) -> dict[str, float]:
    """The median and the 99th percentile of one connection's requests, one after the other, in microseconds.

    `wrk` would round them: its tables have three digits, so that a gateway's milliseconds come in steps of 10 µs.
    """
    taken: list[float] = []
    with connect(target) as connection:
        exchange(target, stream=False, connection=connection)
        until = time.monotonic() + seconds
        while len(taken) < _LEAST or time.monotonic() < until:
            _, whole, reply = exchange(target, stream=False, connection=connection)
            if not reply.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{target.name}: {reply[:500]!r}")
            taken.append(whole * 1e6)
    cuts = quantiles(taken, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


def connect(target: Target) -> socket.socket:
    """A connection that sends at once what it is given."""
    connection = socket.create_connection(("127.0.0.1", target.port), timeout=_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(target: Target, *, stream: bool, connection: socket.socket | None = None) -> tuple[float, float, bytes]:
    """Seconds to the first word of the answer and to its end, and all bytes of the reply."""
    if connection is None:
        with connect(target) as its_own:
            return exchange(target, stream=stream, connection=its_own)
    body = target.body(stream=stream)
    lines = [f"POST {target.path} HTTP/1.1", f"host: 127.0.0.1:{target.port}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in target.all_headers().items()]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    reply, first, whole = bytearray(), 0.0, _END_OF_CHUNKS
    began = last = time.perf_counter()
    connection.sendall(request)
    while not reply.endswith(whole):
        piece = connection.recv(1 << 18)
        last = time.perf_counter()
        if not piece:
            raise RuntimeError(f"{target.name} closed the connection: {bytes(reply[:500])!r}")
        reply += piece
        if not first and b"word0" in reply:
            first = last - began
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", reply[:_HEAD])
        if length and len(reply.partition(b"\r\n\r\n")[2]) >= int(length[1]):
            whole = b""
    return first, last - began, bytes(reply)


def content_of(reply: bytes) -> tuple[int, bytes]:
    """The status and the body of a reply, its chunks joined (RFC 9112, section 7.1)."""
    head, _, rest = reply.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" not in head.lower():
        return status, rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            break
    return status, body


def resident(pid: int) -> float:
    """Mebibytes that a process and its children hold."""
    pages = 0
    for each in [pid, *_children(pid)]:
        pages += int(Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / (1 << 20)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += [int(child), *_children(int(child))]
    return found
