"""any-llm as a contender: the converters of its provider, between the vendors' types.

Those are read from bytes in the quickest way that they have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from any_llm.providers.anthropic import AnthropicProvider
from any_llm.types.completion import CompletionParams
from core_ours import DONE, Chunks, data_lines, dumps
from core_works import MODEL, PING
from pydantic import TypeAdapter

read_event = TypeAdapter[Any](RawMessageStreamEvent).validate_json


class AnyLLM:
    name, package = "any-llm", "any-llm-sdk"

    def request(self, chat: bytes) -> bytes:
        given = json.loads(chat)
        params = CompletionParams(model_id=given.pop("model"), **given)
        return dumps(AnthropicProvider._convert_completion_params(params, provider_name="anthropic"))

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        read, convert = Message.model_validate_json, AnthropicProvider._convert_completion_response
        return lambda native: convert(read(native)).model_dump_json(exclude_none=True).encode()

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        convert = AnthropicProvider._convert_completion_chunk_response

        def run(chunks: Chunks) -> list[bytes]:
            out: list[bytes] = []
            for chunk in chunks:
                for data in data_lines(chunk):
                    if data != PING:  # the vendor's client keeps these to itself
                        made = convert(read_event(data), model_id=MODEL).model_dump_json(exclude_none=True)
                        out.append(b"data: " + made.encode() + b"\n\n")
            return [*out, DONE]

        return run
