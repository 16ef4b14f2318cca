"""Ten things that clients do, over real sockets: the same for every server, framework and way of mounting."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.extensions import EXTENSIONS
from tests.servers.client import MODEL, Client, connected, fate_of, say
from tests.servers.conftest import Mounted
from tests.vendor import check_chat_reply, messages_event, messages_reply

STREAMS = 16
BIG = 6 * 1024 * 1024
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": SCHEMA}}
    for name in ("get_weather", "get_time")
]


@pytest.fixture
def client(port: int, mounted: Mounted) -> Any:
    with connected(port, mounted.chat) as connection:
        yield connection


def test_plain(client: Client) -> None:
    reply = client.chat("Say hello to Zo\u00eb \U0001f44b")
    assert check_chat_reply(reply.json(), allow=EXTENSIONS) == []
    assert "Zo\u00eb \U0001f44b" in reply.choice()["message"]["content"]
    assert reply.headers["x-request-id"].startswith("req_")


def test_streamed(client: Client) -> None:
    plain = client.chat("Say hello to Zo\u00eb \U0001f44b")
    streamed = client.chat("Say hello to Zo\u00eb \U0001f44b", stream=True, stream_options={"include_usage": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text(include_usage=True) == plain.choice()["message"]["content"]
    assert json.loads(streamed.body.split(b"\n\n")[-3][6:])["usage"] == plain.json()["usage"]


def test_a_tool_loop(client: Client) -> None:
    messages = say("Use get_weather and get_time.")
    called = client.chat(messages, tools=TOOLS).choice()
    assert called["finish_reason"] == "tool_calls"
    calls = called["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["get_weather", "get_time"]
    messages.append(called["message"])
    for call in calls:
        assert json.loads(call["function"]["arguments"]).keys() == {"city", "days"}
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"{call['function']['name']} is fine"})
    last = client.chat(messages, tools=TOOLS, stream=True).text()
    assert "get_weather is fine" in last
    assert "get_time is fine" in last


def test_structured_output(client: Client) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA, "strict": True}}
    choice = client.chat("Plan it.", response_format=wanted).choice()
    assert json.loads(choice["message"]["content"]).keys() == {"city", "days"}
    assert choice["finish_reason"] == "stop"
    streamed = client.chat("Plan it.", response_format=wanted, stream=True).text()
    assert json.loads(streamed) == json.loads(choice["message"]["content"])


def test_a_big_image_sent_in_pieces(client: Client) -> None:
    padded = PNG.rstrip("=") + "A" * (BIG - len(PNG))
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{padded[: len(padded) // 4 * 4]}"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": content}]}).encode()
    pieces = iter([body[start : start + 100_000] for start in range(0, len(body), 100_000)])
    reply = client.take(client.begin(f"{client.prefix}/v1/chat/completions", pieces))
    assert "image/png" in reply.choice()["message"]["content"]
    assert client.chat("And now?").choice()["finish_reason"] == "stop"


def test_errors(client: Client) -> None:
    for stream in (False, True):
        refused = client.chat("hi", stream=stream, headers={"x_simulate": "error=rate_limit_error"})
        assert refused.status == 429
        assert refused.json()["error"].keys() == {"message", "type", "param", "code"}
        assert refused.headers["retry-after"]
    assert client.chat("hi", temperature=9).json()["error"]["param"] == "temperature"
    for fault in ("error=overloaded_error; after=5", "cut=5"):
        broken = client.chat("hi", stream=True, headers={"x_simulate": fault})
        assert broken.status == 200
        assert broken.body.rstrip().rpartition(b"\n\n")[2].startswith(b'data: {"error":')
        assert b"[DONE]" not in broken.body


def test_a_client_that_leaves_in_mid_stream(client: Client, port: int) -> None:
    """The inner app is told, and cancelled since it goes on; what it had sent was with the client before it ended."""
    name = uuid.uuid4().hex
    request = {"model": MODEL, "stream": True, "messages": say("hi")}
    response = client.begin(f"{client.prefix}/v1/chat/completions", request, x_observe=name)
    while b'"content":"Hel"' not in response.readline():
        pass
    assert fate_of(port, name, bool) == {"told": False, "end": None}
    response.close()
    client.http.close()
    assert fate_of(port, name, lambda seen: seen["end"]) == {"told": True, "end": "cancelled"}


def test_a_connection_that_is_kept(client: Client) -> None:
    client.chat("hi")
    socket = client.http.sock
    assert socket is not None
    for fields in ({"stream": True}, {}, {"temperature": 9}, {"stream": True, "stop": ["hi"]}, {}):
        assert client.chat("hi", **fields).status == (400 if "temperature" in fields else 200)
        assert client.http.sock is socket


def test_streams_at_once(port: int, mounted: Mounted) -> None:
    """All are open together, and each tells its own text."""
    begun = threading.Barrier(STREAMS, timeout=60)

    def stream(number: int) -> str:
        with connected(port, mounted.chat) as client:
            request = {"model": MODEL, "stream": True, "messages": say(f"number {number}")}
            response = client.begin(f"{mounted.chat}/v1/chat/completions", request, x_simulate="delay=0.01")
            first = response.readline()
            begun.wait()
            reply = client.take(response)
            return type(reply)(reply.status, reply.headers, first + reply.body).text()

    with ThreadPoolExecutor(STREAMS) as threads:
        texts = list(threads.map(stream, range(STREAMS)))
    assert [f'"number {number}"' in text for number, text in enumerate(texts)] == [True] * STREAMS


def test_other_traffic_passes(client: Client, mounted: Mounted) -> None:
    path, version = f"{mounted.native}/v1/messages", {"anthropic_version": "2023-06-01"}
    request = {"model": MODEL, "max_tokens": 99, "messages": say("hi")}
    assert messages_reply(client.take(client.begin(path, request, **version)).json(), allow=EXTENSIONS) == []
    streamed = client.take(client.begin(path, request | {"stream": True}, **version))
    events = [json.loads(line[6:]) for line in streamed.body.decode().split("\n") if line.startswith("data: ")]
    assert [problem for event in events for problem in messages_event(event, allow=EXTENSIONS)] == []
    assert events[-1]["type"] == "message_stop"
    models = client.take(client.begin(f"{mounted.native}/v1/models", None, **version)).json()["data"]
    assert MODEL in [model["id"] for model in models]
    assert client.get(f"{mounted.chat}/v1/chat/completions").status == 405
    assert client.get(f"{mounted.native}/nothing").status == 404
