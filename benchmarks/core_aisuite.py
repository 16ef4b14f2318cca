"""aisuite as a contender: the converter of its provider.

Its whole replies have no encoder, so that they get the least that makes one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aisuite.providers.anthropic_provider import AnthropicProvider
from anthropic.types import Message, RawMessageStreamEvent
from core_ours import DONE, Chunks, data_lines, dumps
from core_works import PING
from pydantic import TypeAdapter

read_event = TypeAdapter[Any](RawMessageStreamEvent).validate_json


class AISuite:
    name = package = "aisuite"

    def __init__(self) -> None:
        self._provider = AnthropicProvider(api_key="none")

    def request(self, chat: bytes) -> bytes:
        given = json.loads(chat)
        model, messages = given.pop("model"), given.pop("messages")
        more = self._provider._prepare_kwargs(given)
        system, converted = self._provider.converter.convert_request(messages)
        return dumps({"model": model, "system": system, "messages": converted, **more})

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        read, convert = Message.model_validate_json, self._provider.converter.convert_response

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
            out: list[bytes] = []
            state: dict[str, Any] = {}
            for chunk in chunks:
                for data in data_lines(chunk):
                    made = None if data == PING else convert(read_event(data), state)
                    if made is not None:
                        out.append(b"data: " + made.model_dump_json(exclude_none=True).encode() + b"\n\n")
            return [*out, DONE]

        return run
