"""Each example, started as its first lines say, and asked by the official client: a whole reply and a stream."""

import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from openai import APIError, AuthenticationError, InternalServerError, NotFoundError, OpenAI
from starlette.testclient import TestClient

from tests.asgi.driver import HELLO, frame
from tests.servers.running import HOST, ROOT, free_port, running, stop, wait_for
from tests.store.redis_server import redis_server

EXAMPLES = ROOT / "examples"
LOGS = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Example(NamedTuple):
    """How to ask an example."""

    key: str = "any-key"
    prefix: str = ""
    model: str = "caicaini/auto"


STARTED = {
    "fastapi_service": Example(key="my-key"),
    "starlette_service": Example(prefix="/llm"),
    "litestar_service": Example(),
    "gateway": Example(),
    "redis_store": Example(),
}


@contextmanager
def started(name: str, environment: dict[str, str]) -> Iterator[str]:
    """Run the command in the example's docstring, and give the URL of its server."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    found = re.search(r"`((?:[A-Z_]+=\S+ )?(uvicorn .+?))`", source)
    assert found, f"{name} does not say how it is started"
    assert set(re.findall(r"([A-Z_]+)=", found[1])) == set(environment)
    port = free_port()
    command = [sys.executable, "-m", *shlex.split(found[2]), "--port", str(port)]
    more: dict[str, Any] = {"cwd": ROOT, "env": os.environ | environment, **LOGS}
    with subprocess.Popen(command, **more) as process:
        try:
            wait_for(port)
            yield f"http://{HOST}:{port}"
            assert process.poll() is None, "the server ended"
        finally:
            stop(process)


@contextmanager
def needed(name: str, folder: Path) -> Iterator[dict[str, str]]:
    """What the example needs: a messages service, or a Redis."""
    if name == "gateway":
        with running("uvicorn", "starlette_service") as port:
            wait_for(port)
            yield {"MESSAGES_URL": f"http://{HOST}:{port}"}
    elif name == "redis_store":
        with redis_server(folder) as server:
            yield {"REDIS_URL": server.url}
            assert server.client().keys("chatcompat:thinking:*"), "no thinking was kept"
    else:
        yield {}


def ask(client: OpenAI, model: str) -> None:
    """A whole reply and a stream have the same text, and the stream comes in pieces."""
    messages: Any = [{"role": "user", "content": "Hello there"}]
    whole = client.chat.completions.create(model=model, messages=messages).choices[0]
    assert whole.message.content
    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True))
    pieces = [text for chunk in chunks if (text := chunk.choices[0].delta.content)]
    assert len(pieces) > 1
    assert "".join(pieces) == whole.message.content
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason == "stop"


def ask_for_a_stream(client: OpenAI, model: str) -> None:
    list(client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}], stream=True))


@contextmanager
def served_once(reply: bytes) -> Iterator[str]:
    """A service that answers one request with these bytes, and closes the connection."""
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://{HOST}:{server.getsockname()[1]}"
        thread.join()


def think_and_call(client: OpenAI, model: str) -> None:
    tool: Any = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    messages: Any = [{"role": "user", "content": "Use now"}]
    reply = client.chat.completions.create(model=model, messages=messages, tools=[tool], reasoning_effort="low")
    assert reply.choices[0].message.tool_calls


@pytest.mark.parametrize("name", STARTED)
def test_an_example_serves_whole_replies_and_streams(name: str, tmp_path: Path) -> None:
    example = STARTED[name]
    with needed(name, tmp_path) as environment, started(name, environment) as url:
        with OpenAI(base_url=f"{url}{example.prefix}/v1", api_key=example.key, max_retries=0) as client:
            ask(client, example.model)
            if name == "redis_store":
                think_and_call(client, example.model)
        if name == "fastapi_service":
            client = OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
            with client, pytest.raises(AuthenticationError, match="Invalid API key"):
                ask(client, example.model)


def test_the_gateway_answers_errors_in_the_chat_shape() -> None:
    with running("uvicorn", "starlette_service") as port:
        wait_for(port)
        with started("gateway", {"MESSAGES_URL": f"http://{HOST}:{port}"}) as url:
            client = OpenAI(base_url=f"{url}/v1", api_key="any-key", max_retries=0)
            with client, pytest.raises(NotFoundError, match="model"):
                ask(client, "no-such-model")


def test_the_gateway_says_that_its_service_cannot_be_reached() -> None:
    with started("gateway", {"MESSAGES_URL": f"http://{HOST}:{free_port()}"}) as url:
        client = OpenAI(base_url=f"{url}/v1", api_key="any-key", max_retries=0)
        with client, pytest.raises(InternalServerError, match="cannot be reached"):
            ask(client, "caicaini/auto")


def test_the_gateway_ends_a_broken_stream_with_an_error() -> None:
    """The service announces more than it sends."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
    events = b"".join(frame(event) for event in HELLO[:3])
    with served_once(head + events) as url, started("gateway", {"MESSAGES_URL": url}) as gateway:
        client = OpenAI(base_url=f"{gateway}/v1", api_key="any-key", max_retries=0)
        with client, pytest.raises(APIError, match="ended its stream"):
            ask_for_a_stream(client, "any")


def test_the_app_of_the_ray_example_serves_in_one_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Ray. `tests/servers/test_ray_serve.py` starts it with Ray."""
    replica_id = SimpleNamespace(unique_id="replica-1")
    serve: Any = ModuleType("ray.serve")
    serve.get_replica_context = lambda: SimpleNamespace(replica_id=replica_id)
    serve.ingress = lambda create: lambda kind: kind
    serve.deployment = lambda **_: lambda kind: SimpleNamespace(bind=kind)
    ray: Any = ModuleType("ray")
    ray.serve = serve
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.serve", serve)
    create_app = runpy.run_path(str(EXAMPLES / "ray_serve.py"))["create_app"]
    client = TestClient(create_app(), headers={"authorization": "Bearer any-key"})
    body = {"model": "caicaini/auto", "messages": [{"role": "user", "content": "Hello"}]}
    whole = client.post("/v1/chat/completions", json=body)
    assert whole.json()["choices"][0]["finish_reason"] == "stop"
    assert whole.headers["x-replica"] == "replica-1"
    streamed = client.post("/v1/chat/completions", json=body | {"stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert client.get("/replica").json() == {"replica": "replica-1", "left": 0}


def test_each_example_is_started_by_a_test() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*STARTED, "ray_serve"}
