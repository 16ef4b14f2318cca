"""A plain HTTP client that keeps its connection, and can drop it."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.extensions import EXTENSIONS
from tests.servers.running import HOST
from tests.vendor import chat_sse

MODEL = "caicaini/auto"
TIMEOUT = 60.0  # seconds
HEADERS = {"authorization": "Bearer cai_api_test", "content-type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """A whole reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def choice(self) -> Any:
        assert self.status == 200, self.body
        return self.json()["choices"][0]

    def text(self, *, include_usage: bool = False) -> str:
        """The text of a stream, if the stream is whole by all rules of the vendor's."""
        assert chat_sse(self.body, include_usage=include_usage, allow=EXTENSIONS) == []
        assert self.body.endswith(b"data: [DONE]\n\n")
        chunks = [json.loads(line[6:]) for line in self.body.decode().split("\n\n") if line.startswith("data: {")]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


class Client:
    """One connection."""

    def __init__(self, port: int, prefix: str) -> None:
        self.http = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
        self.prefix = prefix

    def begin(self, path: str, body: Any, **headers: str) -> http.client.HTTPResponse:
        """Send a request, JSON if it is neither bytes nor pieces of them, and read the reply's headers."""
        sent = json.dumps(body).encode() if isinstance(body, dict) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.http.request("GET" if body is None else "POST", path, sent, HEADERS | named)
        return self.http.getresponse()

    def take(self, response: http.client.HTTPResponse) -> Reply:
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, response.read())

    def chat(self, messages: Any, *, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        """Ask for a chat completion; a text is the user's message."""
        body = {"model": MODEL, "messages": say(messages) if isinstance(messages, str) else messages, **fields}
        return self.take(self.begin(f"{self.prefix}/v1/chat/completions", body, **headers or {}))

    def get(self, path: str) -> Reply:
        return self.take(self.begin(path, None))


def say(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@contextmanager
def connected(port: int, prefix: str = "") -> Iterator[Client]:
    client = Client(port, prefix)
    try:
        yield client
    finally:
        client.http.close()


def fate_of(port: int, name: str, done: Callable[[Any], bool]) -> Any:
    """What became of the stream that a request with `x-observe: NAME` got, as soon as `done` says so."""
    deadline = time.monotonic() + TIMEOUT
    with connected(port) as client:
        while True:
            seen = client.get(f"/observed/{name}").json()
            if done(seen):
                return seen
            assert time.monotonic() < deadline, seen
            time.sleep(0.02)
