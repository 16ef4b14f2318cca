"""What a client library costs where messages go on to another server: the first byte, and each chunk of a stream.

    pip install -e '.[bench]' && python benchmarks/upstream.py

A uvicorn process on loopback answers with as many chunks as the query says, each an event. Both libraries read them
raw, with a kept connection, on uvloop, and take turns; beside them the whole of `Upstream`, as an ASGI app.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import aiohttp
import httpx2
import uvloop

from chatcompat.upstream import Upstream

EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" hello"}}\n\n'
)
BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}'
HEADERS = {"content-type": "application/json"}

Asked = Callable[[int], Awaitable[tuple[float, float]]]
"""Asks for so many chunks; gives the seconds until the first and until the last."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The messages service: so many chunks, and nothing else."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for _ in range(int(scope["query_string"] or 1)):
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def by_httpx2(client: httpx2.AsyncClient, url: str) -> Asked:
    async def ask(chunks: int) -> tuple[float, float]:
        began, first, size = time.perf_counter(), 0.0, 0
        async with client.stream("POST", f"{url}?{chunks}", content=BODY, headers=HEADERS) as response:
            async for piece in response.aiter_raw():
                first = first or time.perf_counter() - began
                size += len(piece)
        assert size == chunks * len(EVENT)
        return first, time.perf_counter() - began

    return ask


def by_aiohttp(session: aiohttp.ClientSession, url: str) -> Asked:
    async def ask(chunks: int) -> tuple[float, float]:
        began, first, size = time.perf_counter(), 0.0, 0
        async with session.post(f"{url}?{chunks}", data=BODY, headers=HEADERS) as response:
            async for piece in response.content.iter_any():
                first = first or time.perf_counter() - began
                size += len(piece)
        assert size == chunks * len(EVENT)
        return first, time.perf_counter() - began

    return ask


def by_upstream(upstream: Upstream) -> Asked:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]

    async def ask(chunks: int) -> tuple[float, float]:
        began, first, size, given = time.perf_counter(), 0.0, 0, False
        left = asyncio.Event()

        async def receive() -> Any:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": BODY, "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal first, size
            if message["type"] == "http.response.body":
                first = first or time.perf_counter() - began
                size += len(message["body"])

        scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"%d" % chunks}
        await upstream(scope | {"headers": headers}, receive, send)
        assert size == chunks * len(EVENT)
        return first, time.perf_counter() - began

    return ask


async def measure(port: int, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
        session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        upstream = Upstream(base)
        stack.push_async_callback(upstream.aclose)
        asked = {
            "httpx2": by_httpx2(client, f"{base}/v1/messages"),
            "aiohttp": by_aiohttp(session, f"{base}/v1/messages"),
            "Upstream": by_upstream(upstream),
        }
        firsts: dict[str, list[float]] = {name: [] for name in asked}
        lasts: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(options.rounds):
            for name, ask in asked.items():
                firsts[name] += [(await ask(1))[0] for _ in range(100)]
                lasts[name].append((await ask(options.chunks))[1])
    return {
        name: (statistics.median(firsts[name][100:]), options.chunks / statistics.median(lasts[name])) for name in asked
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--chunks", type=int, default=5000)
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "upstream:app", "--app-dir", sys.path[0], "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "error"]) as server:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(measure(port, options))
        finally:
            server.terminate()
    print(f"CPython {platform.python_version()}, httpx2 {version('httpx2')}, aiohttp {version('aiohttp')}\n")
    print("| | first byte, median | chunks a second |\n|---|--:|--:|")
    for name, (first, rate) in found.items():
        print(f"| {name} | {first * 1e6:.0f} µs | {rate:,.0f} |")


if __name__ == "__main__":
    main()
