"""What the tests of replies share: golden files, native events as bytes, ways to cut them, and a client's reading."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatcompat import Translation, translate

Json = dict[str, Any]

GOLDEN = Path(__file__).parent.parent / "golden"
CREATED = 1746748800

CHAT: Json = {"model": "caicaini/auto", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED: Json = {**CHAT, "stream": True}
WITH_USAGE: Json = {**STREAMED, "stream_options": {"include_usage": True}}
AS_JSON: Json = {**STREAMED, "response_format": {"type": "json_object"}}

# Documented extensions of the choices, and native usage fields that have no chat name.
EXTENSIONS = ("native_finish_reason", "stop_sequence", "stop_details")
USAGE_EXTRAS = ("cache_creation", "credits_consumed", "inference_geo", "region", "server_tool_use", "service_tier")
REASONING = ("reasoning_content", "reasoning_details")
ALLOWED = (*EXTENSIONS, *USAGE_EXTRAS, *REASONING, "annotations", "citations")


def translation(request: Json | None = None, **options: Any) -> Translation:
    return translate(json.dumps(request or STREAMED).encode(), created=CREATED, **options)


def golden_translation(folder: str, name: str) -> Translation:
    """The translation that a golden reply answers: NAME.request.json, else a plain request."""
    request = GOLDEN / folder / f"{name}.request.json"
    return translation(json.loads(request.read_text()) if request.exists() else STREAMED)


def golden_names(folder: str, suffix: str) -> list[str]:
    return sorted(path.name.removesuffix(suffix) for path in (GOLDEN / folder).glob(f"*{suffix}"))


# ------------------------------------------------------------------ native events
STOP: Json = {"type": "message_stop"}
PING: Json = {"type": "ping"}


def frame(event: Json | str | bytes) -> bytes:
    """One event as servers write it; text stands for data that is no event."""
    if isinstance(event, dict):
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        return b"event: %b\ndata: %b\n\n" % (str(event.get("type")).encode(), data)
    return b"event: x\ndata: %b\n\n" % (event if isinstance(event, bytes) else event.encode())


def frames(*events: Json | str | bytes) -> bytes:
    return b"".join(map(frame, events))


def start(usage: Json | None = None) -> Json:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    nothing = {"stop_reason": None, "stop_sequence": None}
    usage = usage or {"input_tokens": 12, "output_tokens": 1}
    return {"type": "message_start", "message": {**head, **nothing, "usage": usage}}


def open_text(index: int = 0) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}


def open_tool(index: int, call: str, name: str) -> Json:
    block = {"type": "tool_use", "id": call, "name": name, "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def text(piece: Any, index: int = 0) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}


def partial(piece: Any, index: int = 0) -> Json:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def close_block(index: int = 0) -> Json:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: Any) -> Json:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5, **usage}}


# ------------------------------------------------------------------ cuts
def each_frame(raw: bytes) -> list[bytes]:
    """As most servers send it, each frame in a piece of its own."""
    return [piece for piece in re.split(rb"(?<=\n\n)", raw) if piece]


def each_byte(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]


def cuts(raw: bytes) -> Iterator[list[bytes]]:
    """Whole, a frame at a time, byte by byte, and in two pieces at every index."""
    yield [raw]
    yield each_frame(raw)
    yield each_byte(raw)
    for at in range(len(raw) + 1):
        yield [raw[:at], raw[at:]]


def stream(pieces: list[bytes], of: Translation, **options: int) -> bytes:
    """What a client gets for the pieces of a native stream."""
    chunks = of.stream(**options)
    return b"".join([*map(chunks.feed, pieces), chunks.close()])


# ------------------------------------------------------------------ a client's reading
@dataclass
class Read:
    """A reply as a client puts it together, from chunks or from a completion."""

    content: str | None = None
    refusal: str | None = None
    calls: list[list[str]] = field(default_factory=list)  # id, name, arguments
    finish: list[Any] = field(default_factory=list)  # finish_reason, and the extensions
    usage: Json | None = None
    error: Json | None = None


def read_completion(body: bytes) -> Read:
    completion = json.loads(body)
    (choice,) = completion["choices"]
    message = choice["message"]
    calls = [[c["id"], c["function"]["name"], c["function"]["arguments"]] for c in message.get("tool_calls", [])]
    return Read(message["content"], message["refusal"], calls, _finish(choice), completion["usage"])


def read_chunks(raw: bytes) -> Read:
    read = Read()
    for payload in re.findall(rb"^data: (.*)\n\n", raw, re.MULTILINE):
        if payload == b"[DONE]":
            continue
        chunk = json.loads(payload)
        read.error = chunk.get("error")
        read.usage = chunk.get("usage") or read.usage
        for choice in chunk.get("choices", []):
            _add_delta(read, choice["delta"])
            if choice["finish_reason"] is not None:
                read.finish = _finish(choice)
    return read


def _add_delta(read: Read, delta: Json) -> None:
    if content := delta.get("content"):  # a stream says "" where a whole reply says null
        read.content = (read.content or "") + content
    if refusal := delta.get("refusal"):
        read.refusal = (read.refusal or "") + refusal
    for call in delta.get("tool_calls", []):
        if "id" in call:
            read.calls.append([call["id"], call["function"]["name"], ""])
        read.calls[call["index"]][2] += call["function"]["arguments"]


def _finish(choice: Json) -> list[Any]:
    return [choice["finish_reason"], *map(choice.get, EXTENSIONS)]
