"""What the middleware adds to a plain exchange in process: a small request, and a whole reply of text.

    pip install -e . && python benchmarks/exchange.py

The inner app answers at once. It is called alone and through the middleware, with the headers that the `openai` client
sends and with three. The event loop runs between the samples, outside of the measured time.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.asgi import exchange, make_scope
from benchmarks.report import headline, make_parser, markdown, number
from benchmarks.timing import keep_freed_memory
from benchmarks.workloads import Workload, make_workloads
from chatcompat import ChatCompatMiddleware

Headers = list[tuple[bytes, bytes]]
CALLS = 50  # a sample

STAINLESS = {
    "lang": "python",
    "package-version": "2.9.0",
    "os": "Linux",
    "arch": "x64",
    "runtime": "CPython",
    "runtime-version": "3.11.7",
    "async": "false",
    "retry-count": "0",
    "read-timeout": "600",
}


def client_headers(body: bytes) -> Headers:
    """The headers of the `openai` client, as uvicorn gives them."""
    return [
        (b"host", b"127.0.0.1:8000"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"connection", b"keep-alive"),
        (b"accept", b"application/json"),
        (b"content-type", b"application/json"),
        (b"user-agent", b"OpenAI/Python 2.9.0"),
        *((f"x-stainless-{name}".encode(), value.encode()) for name, value in STAINLESS.items()),
        (b"authorization", b"Bearer sk-0123456789abcdef0123456789abcdef"),
        (b"content-length", b"%d" % len(body)),
    ]


def inner_app(reply: bytes) -> Any:
    """An app that answers at once."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})

    return app


async def sample(app: Any, body: bytes, headers: Headers, path: str) -> float:
    """CPU microseconds an exchange."""
    scope = {**make_scope(body), "path": path, "raw_path": path.encode()}
    began = process_time()
    for _ in range(CALLS):
        await exchange(app, body, len, {**scope, "headers": [*headers]})
    taken = process_time() - began
    await asyncio.sleep(0)
    return taken / CALLS * 1e6


async def measure(workload: Workload, rounds: int) -> dict[str, list[float]]:
    """The samples of the app alone, and what the middleware adds, in turns."""
    app, body = inner_app(workload.native[0]), workload.chat
    wrapped, every = ChatCompatMiddleware(app), client_headers(body)
    few = [header for header in every if header[0] in (b"host", b"content-type", b"content-length")]
    taken: dict[str, list[float]] = {"bare app": [], "three headers": [], f"{len(every)} headers": []}
    for _ in range(rounds):
        alone = await sample(app, body, every, "/v1/messages")
        taken["bare app"].append(alone)
        for name, headers in zip([*taken][1:], (few, every), strict=True):
            taken[name].append(await sample(wrapped, body, headers, "/v1/chat/completions") - alone)
    return taken


def main() -> None:
    options = make_parser(__doc__, rounds=200).parse_args()
    allocator = keep_freed_memory()
    workload = next(one for one in make_workloads() if one.name == "reply text")
    gc.collect()
    gc.freeze()
    taken = asyncio.run(measure(workload, options.rounds))
    head = headline(["chatcompat", "msgspec"], allocator)
    rows = [[name, number(median(us)), number(min(us))] for name, us in taken.items()]
    print(head, markdown(["µs added", "median", "least"], rows), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps({"machine": head, "results": taken}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
