"""The three translators behind one interface: requests to the native side, replies and streams back."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import litellm
import openai
from llm_rosetta import ConversionError, ConversionPipeline

from chatcompat import InvalidReply, InvalidRequest, translate

JSON = dict[str, Any]


class Refused(Exception):
    """The request was refused, by an error that blames it."""


class Crashed(Exception):
    """Anything else that went wrong."""


class Translator(Protocol):
    """One of the three."""

    name: str

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        """The native request."""

    def reply(self, chat: JSON, native: JSON) -> JSON:
        """What a client reads from a whole reply."""

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        """What a client reads from a stream, its deltas joined."""


# ---------------------------------------------------------------- what is compared


def blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def normal(request: JSON) -> JSON:
    """A native request with each text as a list of blocks."""
    request = json.loads(json.dumps(request))
    if "system" in request:
        request["system"] = blocks(request["system"])
    for message in request["messages"]:
        message["content"] = blocks(message["content"])
        for block in message["content"]:
            if "content" in block:
                block["content"] = blocks(block["content"])
    return request


def named(value: Any, request: JSON) -> Any:
    """A reply with the names that this translator gave the tools: of JSON output, and of a tool that it renamed."""
    text = json.dumps(value)
    tools = request.get("tools") or [{"name": "none"}]
    forced = (request.get("tool_choice") or {}).get("name") or tools[-1]["name"]
    return json.loads(
        text.replace('"$json"', json.dumps(forced)).replace('"$native:a.b"', json.dumps(tools[0]["name"]))
    )


def read_calls(calls: Any) -> list[JSON]:
    return [
        {"id": one.get("id"), "index": one.get("index"), **(one.get("function") or one.get("custom") or {})}
        for one in calls or ()
    ]


def read_completion(completion: JSON) -> JSON:
    choice = completion["choices"][0]
    message = choice["message"]
    return {
        "id": completion.get("id"),
        "error": False,
        "finish_reason": choice["finish_reason"],
        "content": message.get("content"),
        "refusal": message.get("refusal"),
        "reasoning_content": message.get("reasoning_content"),
        "annotations": message.get("annotations"),
        "tool_calls": read_calls(message.get("tool_calls")),
        "usage": completion.get("usage"),
    }


def read_chunks(chunks: list[JSON], *, error: bool) -> JSON:
    """Join chunks as clients do."""
    calls: dict[int, JSON] = {}
    joined: JSON = {"content": "", "reasoning_content": "", "finish_reason": None, "usage": None, "error": error}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices") or ()]
    for delta in deltas:
        for name in ("content", "reasoning_content"):
            joined[name] += delta.get(name) or ""
        for one in delta.get("tool_calls") or ():
            call = calls.setdefault(one["index"], {"index": one["index"], "id": None, "name": "", "arguments": ""})
            call["id"] = one.get("id") or call["id"]
            given = one.get("function") or {}
            call["name"] += given.get("name") or ""
            call["arguments"] += given.get("arguments") or ""
    for chunk in chunks:
        joined["usage"] = chunk.get("usage") or joined["usage"]
        joined["error"] = joined["error"] or "error" in chunk
        for choice in chunk.get("choices") or ():
            joined["finish_reason"] = choice.get("finish_reason") or joined["finish_reason"]
    joined["tool_calls"] = [calls[index] for index in sorted(calls)]
    joined["roles"] = sum(delta.get("role") == "assistant" for delta in deltas)
    joined["first_role"] = bool(deltas) and deltas[0].get("role") == "assistant"
    joined["heads"] = len({(chunk.get("id"), chunk.get("created"), chunk.get("model")) for chunk in chunks})
    return joined


# ---------------------------------------------------------------- chatcompat


class Ours:
    name = "chatcompat"

    def _translate(self, chat: JSON) -> Any:
        try:
            return translate(json.dumps(chat).encode())
        except InvalidRequest as error:
            raise Refused from error

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        return normal(json.loads(self._translate(chat).body))

    def reply(self, chat: JSON, native: JSON) -> JSON:
        translation = self._translate(chat)
        try:
            raw = translation.reply(json.dumps(named(native, json.loads(translation.body))).encode())
        except InvalidReply as error:
            raise Crashed(str(error)) from error
        return read_completion(json.loads(raw))

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        translation = self._translate({**chat, "stream": True})
        stream = translation.stream()
        raw = b"".join(map(frame, named(events, json.loads(translation.body))))
        out = (stream.feed(raw) + stream.close()).decode()
        chunks = [json.loads(line[6:]) for line in out.split("\n\n") if line.startswith("data: {")]
        return read_chunks([chunk for chunk in chunks if "error" not in chunk], error=stream.error is not None)


def frame(event: JSON) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


# ---------------------------------------------------------------- litellm


class Canned(ThreadingHTTPServer):
    """A messages service on loopback that gives the answer it was given, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: JSON = {}
        self.answer: Any = None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answering(BaseHTTPRequestHandler):
    server: Canned

    def do_POST(self) -> None:
        self.server.got = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = named(self.server.answer, self.server.got)
        streams = isinstance(answer, list)
        body = b"".join(map(frame, answer)) if streams else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


WHOLE = {
    "id": "msg_0",
    "type": "message",
    "role": "assistant",
    "model": "sim-1",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


class LiteLLM:
    name = "litellm"

    def __init__(self) -> None:
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        litellm.suppress_debug_info = True
        self._service = Canned()

    def _complete(self, chat: JSON, answer: Any, *, lenient: bool = True) -> Any:
        litellm.drop_params = lenient
        self._service.answer = answer
        return litellm.completion(
            **{**chat, "model": f"anthropic/{chat['model']}"},
            api_base=f"http://127.0.0.1:{self._service.server_port}",
            api_key="key",
            num_retries=0,
            max_retries=0,
        )

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        self._service.got = {}
        try:
            self._complete(chat, WHOLE, lenient=lenient)
        except openai.APIStatusError as error:
            if not self._service.got and error.status_code < 500:
                raise Refused from error
            if not self._service.got:
                raise Crashed(repr(error)) from error
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error
        return normal(self._service.got)

    def reply(self, chat: JSON, native: JSON) -> JSON:
        try:
            return read_completion(self._complete(chat, native).model_dump())
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        chunks: list[JSON] = []
        try:
            for chunk in self._complete({**chat, "stream": True}, events):
                chunks.append(chunk.model_dump())  # noqa: PERF401 - what came before an error counts
        except openai.APIError:
            return read_chunks(chunks, error=True)
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error
        return read_chunks(chunks, error=False)


# ---------------------------------------------------------------- llm-rosetta


class Rosetta:
    name = "llm-rosetta"

    def _convert(self, chat: JSON) -> tuple[ConversionPipeline, JSON]:
        pipeline = ConversionPipeline("openai_chat", "anthropic", hoist_system_messages=False)
        try:
            return pipeline, pipeline.convert_request(json.loads(json.dumps(chat)))
        except (ConversionError, ValueError) as error:
            raise Refused from error
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        return normal(self._convert(chat)[1])

    def reply(self, chat: JSON, native: JSON) -> JSON:
        pipeline, request = self._convert(chat)
        try:
            return read_completion(pipeline.convert_response(named(native, request)))
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        pipeline, request = self._convert({**chat, "stream": True})
        chunks: list[JSON] = []
        try:
            processor = pipeline.create_stream_processor()
            for event in named(events, request):
                chunks += processor.process_chunk(event)
        except Exception as error:  # whatever a peer raises is a result here
            raise Crashed(repr(error)) from error
        return read_chunks(chunks, error=False)
