"""Calls the simulator in process, and checks its replies against the vendor's types."""

import json
from typing import Any, Final

import httpx2
from starlette.testclient import TestClient

from chatcompat.simulator import create_app
from chatcompat.simulator.signature import sign
from tests.vendor import messages_error, messages_event, messages_reply, messages_request

OLD: Final = "2023-06-01"
LATEST: Final = "2026-10-21"
EXTENSIONS: Final = ("credits_consumed",)
UNTYPED: Final = ("conflict_error", "request_too_large")  # in the docs' table of errors, but not in the types
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

Json = dict[str, Any]

MARK: Final[Json] = {"cache_control": {"type": "ephemeral"}}
LONG_MARK: Final[Json] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
BUDGET: Final[Json] = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
THOUGHT: Final[Json] = {"type": "thinking", "thinking": "hm", "signature": sign("hm")}


def client() -> TestClient:
    return TestClient(create_app(), headers={"x-api-key": "key", "anthropic-version": LATEST})


def user(*content: Any) -> Json:
    """A user message of text, or of blocks; text among blocks becomes one."""
    if len(content) == 1 and isinstance(content[0], str):
        return {"role": "user", "content": content[0]}
    return {"role": "user", "content": [text(c) if isinstance(c, str) else c for c in content]}


def assistant(*content: Any) -> Json:
    return {**user(*content), "role": "assistant"}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def image(data: str = PIXEL, media_type: str = "image/png") -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def tool(name: str, **properties: Any) -> Json:
    return {"name": name, "input_schema": {"type": "object", "properties": properties}}


WEATHER: Final = tool("get_weather", city={"type": "string"})


def offer(*names: str) -> list[Json]:
    return [tool(name) for name in names]


def schema_tool(schema: Any) -> Json:
    return {"name": "a", "input_schema": schema}


def document(source: Json) -> Json:
    return {"type": "document", "source": source}


def call(call_id: str, name: str = "get_weather", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any = "sunny", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def body(*messages: Any, **options: Any) -> Json:
    """A request; messages that are text are the user's."""
    turns = [user(message) if isinstance(message, str) else message for message in messages]
    return {"model": "sim-1", "max_tokens": 512, "messages": turns or [user("Hi there")], **options}


def post(request: Any, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    """Send a body, as JSON unless it is bytes. `x_simulate` and the like are headers."""
    content = request if isinstance(request, bytes) else json.dumps(request).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client().post(path, content=content, headers={"content-type": "application/json", **named})


def ask(*messages: Any, version: str = LATEST, simulate: str = "", **options: Any) -> Json:
    """A whole reply to a request that is good."""
    request = body(*messages, **options)
    assert messages_request(request, version=version) == []
    response = post(request, anthropic_version=version, x_simulate=simulate)
    assert response.status_code == 200, response.text
    reply: Json = response.json()
    assert messages_reply(reply, allow=EXTENSIONS) == []
    return reply


def stream(*messages: Any, version: str = LATEST, simulate: str = "", **options: Any) -> list[Json]:
    """The events of the stream for a request that is good."""
    request = body(*messages, **options, stream=True)
    assert messages_request(request, version=version) == []
    response = post(request, anthropic_version=version, x_simulate=simulate)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert [problem for event in events for problem in messages_event(event, allow=EXTENSIONS)] == []
    return events


def events_of(raw: str) -> list[Json]:
    """Parse the frames of a stream strictly: one event line, one data line, the same type in both."""
    assert raw.endswith("\n\n") or not raw
    events = []
    for frame in raw.split("\n\n")[:-1]:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def collected(events: list[Json]) -> Json:
    """The whole reply that a stream amounts to; a call's input stays text."""
    message: Json = events[0]["message"]
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
            case "content_block_delta":
                _add(message["content"][event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


def _add(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            if block["input"] == {}:
                block["input"] = ""
            block["input"] += delta["partial_json"]


def refused(response: httpx2.Response, status: int, kind: str, message: str) -> None:
    """Check that a response is this native error; `message` is a part of the error's."""
    error = response.json()
    typed = "api_error" if kind in UNTYPED else kind
    assert messages_error({**error, "error": {**error["error"], "type": typed}}) == []
    assert message in error["error"]["message"]
    assert (response.status_code, error["error"]["type"]) == (status, kind)
    assert error["request_id"] == response.headers["request-id"]


def keeps_quiet(cases: dict[str, tuple[Any, str]]) -> None:
    """Check that no refusal has a text of the conversation in it."""
    for request, _ in cases.values():
        if isinstance(request, dict) and request.get("messages"):
            secret = {**request, "messages": [user("sesame"), assistant("sesame"), *request["messages"]]}
            response = post(secret)
            assert response.status_code == 400
            assert "sesame" not in response.text


def said(reply: Json) -> str:
    return "".join(block["text"] for block in reply["content"] if block["type"] == "text")


def called(reply: Json) -> list[str]:
    return [block["name"] for block in reply["content"] if block["type"] == "tool_use"]
