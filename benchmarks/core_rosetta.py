"""llm-rosetta as a contender: its `ConversionPipeline`, one for each request as in its gateway."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from typing import Any

from core_ours import DONE, Chunks, data_lines, dumps
from llm_rosetta import ConversionPipeline

logging.getLogger("llm_rosetta").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module="llm_rosetta")


class Rosetta:
    name = package = "llm-rosetta"

    def _start(self, chat: bytes) -> tuple[ConversionPipeline, Any]:
        pipeline = ConversionPipeline("openai_chat", "anthropic", hoist_system_messages=False)
        return pipeline, pipeline.convert_request(json.loads(chat))

    def request(self, chat: bytes) -> bytes:
        return dumps(self._start(chat)[1])

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        pipeline, _ = self._start(chat)
        return lambda native: dumps(pipeline.convert_response(json.loads(native)))

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        pipeline, _ = self._start(chat)

        def run(chunks: Chunks) -> list[bytes]:
            convert = pipeline.create_stream_processor().process_chunk
            out = [
                b"data: " + dumps(made) + b"\n\n"
                for chunk in chunks
                for data in data_lines(chunk)
                for made in convert(json.loads(data))
            ]
            return [*out, DONE]

        return run
