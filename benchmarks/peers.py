"""The peers: four that `core` calls in process, and two gateways that `serve` starts.

In process, only a peer's own translation functions are called, plus whatever it takes to have bytes on both sides.
Everything else is left out, in its favour: clients, routing, logging, retries, and events split across chunks.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.core.contenders import Chunks, Contender, SeparateTurns, chat_stream, dumps
from benchmarks.workloads import MODEL, PING


def installed_peers() -> tuple[list[Contender], dict[str, str]]:
    """The peers that can be imported, and why the others cannot."""
    peers: list[Contender] = []
    left_out: dict[str, str] = {}
    for peer in (LiteLLM, Rosetta, AnyLLM, AISuite):
        try:
            peers.append(peer())
        except Exception as error:  # a broken installation should not stop the others
            left_out[peer.name] = f"cannot be imported: {error!r}"
    return peers, left_out


class LiteLLM(SeparateTurns):
    """Its transformation class, and the iterator below its `CustomStreamWrapper`, which also logs each chunk."""

    name = package = "litellm"

    def __init__(self) -> None:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it downloads its model table
        import httpx
        import litellm
        from litellm.llms.anthropic.chat.handler import ModelResponseIterator
        from litellm.types.utils import ModelResponseStream

        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        self._config = litellm.AnthropicConfig()
        self._headers = httpx.Response(200)  # it looks for headers there
        self._reply, self._read, self._chunk = litellm.ModelResponse, ModelResponseIterator, ModelResponseStream

    def request(self, chat: bytes) -> bytes:
        fields = json.loads(chat)
        model, messages = fields.pop("model"), fields.pop("messages")
        params = self._config.map_openai_params(fields, {}, model, drop_params=True)
        return dumps(self._config.transform_request(model, messages, params, litellm_params={}, headers={}))

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        def run(native: bytes) -> bytes:
            made = self._config.transform_parsed_response(json.loads(native), self._headers, self._reply())
            return bytes(made.model_dump_json(exclude_none=True).encode())

        return run

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        def lines(chunks: Chunks) -> Iterator[str]:
            for chunk in chunks:
                yield from chunk.decode().split("\n")

        def run(chunks: Chunks) -> list[bytes]:
            made = self._read(lines(chunks), sync_stream=True)
            kept = [one for one in made if isinstance(one, self._chunk)]  # the other lines have no data
            out = [one.model_dump_json(exclude_none=True, exclude_unset=True).encode() for one in kept]
            return [*(b"data: " + one + b"\n\n" for one in out), b"data: [DONE]\n\n"]

        return run


class Rosetta:
    """Its `ConversionPipeline`, one for each request as in its gateway."""

    name = package = "llm-rosetta"

    def __init__(self) -> None:
        from llm_rosetta import ConversionPipeline

        logging.getLogger("llm_rosetta").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="llm_rosetta")
        self._pipeline = ConversionPipeline

    def _convert(self, chat: bytes) -> tuple[Any, Any]:
        pipeline = self._pipeline("openai_chat", "anthropic", hoist_system_messages=False)
        return pipeline, pipeline.convert_request(json.loads(chat))

    def request(self, chat: bytes) -> bytes:
        return dumps(self._convert(chat)[1])

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        pipeline, _ = self._convert(chat)
        return lambda native: dumps(pipeline.convert_response(json.loads(native)))

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        pipeline, _ = self._convert(chat)
        return lambda chunks: self._stream(pipeline, chunks)

    def turn(self, chat: bytes, chunks: Chunks) -> tuple[bytes, list[bytes]]:
        pipeline, request = self._convert(chat)
        return dumps(request), self._stream(pipeline, chunks)

    def _stream(self, pipeline: Any, chunks: Chunks) -> list[bytes]:
        convert = pipeline.create_stream_processor().process_chunk
        return chat_stream(lambda data: map(dumps, convert(json.loads(data))), chunks)


class _OverTypes(SeparateTurns):
    """A peer that converts between the vendors' types, which are read from bytes in the quickest way they have."""

    def __init__(self) -> None:
        from anthropic.types import Message, RawMessageStreamEvent
        from pydantic import TypeAdapter

        self._read_reply: Callable[[bytes], Any] = Message.model_validate_json
        self._read_event: Callable[[bytes], Any] = TypeAdapter(RawMessageStreamEvent).validate_json

    def _stream(self, convert: Callable[[Any], Any], chunks: Chunks) -> list[bytes]:
        def each(data: bytes) -> Iterable[bytes]:
            made = None if data == PING else convert(self._read_event(data))  # the vendor's client drops pings
            return () if made is None else (made.model_dump_json(exclude_none=True).encode(),)

        return chat_stream(each, chunks)


class AnyLLM(_OverTypes):
    """The converters of its provider."""

    name, package = "any-llm", "any-llm-sdk"

    def __init__(self) -> None:
        super().__init__()
        from any_llm.providers.anthropic import AnthropicProvider
        from any_llm.types.completion import CompletionParams

        self._provider, self._params = AnthropicProvider, CompletionParams

    def request(self, chat: bytes) -> bytes:
        fields = json.loads(chat)
        params = self._params(model_id=fields.pop("model"), **fields)
        return dumps(self._provider._convert_completion_params(params, provider_name="anthropic"))

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        read, convert = self._read_reply, self._provider._convert_completion_response
        return lambda native: bytes(convert(read(native)).model_dump_json(exclude_none=True).encode())

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        convert = self._provider._convert_completion_chunk_response
        return lambda chunks: self._stream(lambda event: convert(event, model_id=MODEL), chunks)


class AISuite(_OverTypes):
    """The converter of its provider. Its whole replies have no encoder, so they get the least that makes one."""

    name = package = "aisuite"

    def __init__(self) -> None:
        super().__init__()
        from aisuite.providers.anthropic_provider import AnthropicProvider

        self._provider = AnthropicProvider(api_key="none")

    def request(self, chat: bytes) -> bytes:
        fields = json.loads(chat)
        model, messages = fields.pop("model"), fields.pop("messages")
        more = self._provider._prepare_kwargs(fields)
        system, converted = self._provider.converter.convert_request(messages)
        return dumps({"model": model, "system": system, "messages": converted, **more})

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        read, convert = self._read_reply, self._provider.converter.convert_response

        def run(native: bytes) -> bytes:
            made = convert(read(native))
            choice = made.choices[0]
            message = choice.message.model_dump(exclude_none=True)
            usage = made.usage.model_dump(exclude_none=True)
            return dumps({"choices": [{"finish_reason": choice.finish_reason, "message": message}], "usage": usage})

        return run

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        convert = self._provider.converter.convert_stream_event

        def run(chunks: Chunks) -> list[bytes]:
            state: dict[str, Any] = {}
            return self._stream(lambda event: convert(event, state), chunks)

        return run


# ---------------------------------------------------------------- gateways


class Unavailable(Exception):
    """A gateway is not installed, or does not start."""


@dataclass(frozen=True)
class Gateway:
    """How a gateway is started, and which headers its requests need."""

    name: str
    version: str
    command: list[str]
    environment: dict[str, str]
    headers: dict[str, str]


def litellm_proxy(folder: Path, port: int, backend: int) -> Gateway:
    """litellm's proxy on `port`, in front of a messages service on `backend`."""
    installation = folder / "litellm"
    version = _output(installation / "bin/python", "-c", "import importlib.metadata as m; print(m.version('litellm'))")
    service = {"model": f"anthropic/{MODEL}", "api_base": f"http://127.0.0.1:{backend}", "api_key": "key"}
    (installation / "models.yaml").write_bytes(
        dumps({"model_list": [{"model_name": MODEL, "litellm_params": service}]})
    )
    quiet = {"uvicorn.access": {"level": "WARNING", "propagate": False}}  # no server here has an access log
    (installation / "logging.json").write_bytes(
        dumps({"version": 1, "disable_existing_loggers": False, "loggers": quiet})
    )
    command = [str(installation / "bin/litellm"), "--config", str(installation / "models.yaml"), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--log_config", str(installation / "logging.json"), "--num_workers", "1"]
    key = "sk-for-loopback-only-0123456789"  # it does not start without one
    environment = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": key}
    return Gateway("litellm proxy", version, command, environment, {"authorization": f"Bearer {key}"})


def portkey(folder: Path, port: int, backend: int) -> Gateway:
    """Portkey's gateway on `port`, in front of a messages service on `backend`."""
    package, node = folder / "portkey/node_modules/@portkey-ai/gateway", shutil.which("node") or "node"
    version = f"on Node {_output(node, '--version').removeprefix('v')}"
    if not package.exists():
        raise Unavailable("is not installed")
    version = f"{json.loads((package / 'package.json').read_bytes())['version']} {version}"
    command = [node, str(package / "build/start-server.js"), f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": f"http://127.0.0.1:{backend}/v1"}
    return Gateway("Portkey gateway", version, command, {"NODE_ENV": "production"}, headers)


GATEWAYS = {"litellm": litellm_proxy, "portkey": portkey}


def _output(*command: str | Path) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"is not installed: {error}") from error
