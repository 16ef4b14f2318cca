"""The peers behind the same interface as chatcompat."""

from __future__ import annotations

import json
import logging
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise litellm fetches its table of models when imported

import litellm
import openai
from llm_rosetta import ConversionError, ConversionPipeline

from tests.fidelity.ours import JSON, Crashed, Refused, frame, named, normal, read_chunks, read_completion

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
