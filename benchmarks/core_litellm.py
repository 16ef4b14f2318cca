"""litellm as a contender: its transformation class, and the iterator that is below its `CustomStreamWrapper`.

The wrapper itself, which logs each chunk, is left out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import httpx
import litellm
from core_ours import DONE, Chunks, dumps
from litellm.llms.anthropic.chat.handler import ModelResponseIterator
from litellm.types.utils import ModelResponseStream

logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)


class LiteLLM:
    name = package = "litellm"

    def __init__(self) -> None:
        self._config = litellm.AnthropicConfig()
        self._raw = httpx.Response(200)  # it looks for headers there

    def request(self, chat: bytes) -> bytes:
        given = json.loads(chat)
        model, messages = given.pop("model"), given.pop("messages")
        params = self._config.map_openai_params(given, {}, model, drop_params=True)
        return dumps(self._config.transform_request(model, messages, params, litellm_params={}, headers={}))

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        def run(native: bytes) -> bytes:
            got = self._config.transform_parsed_response(json.loads(native), self._raw, litellm.ModelResponse())
            text: str = got.model_dump_json(exclude_none=True)
            return text.encode()

        return run

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        def lines(chunks: Chunks) -> Iterator[str]:
            for chunk in chunks:
                yield from chunk.decode().split("\n")

        def run(chunks: Chunks) -> list[bytes]:
            got = ModelResponseIterator(lines(chunks), sync_stream=True)
            out = [
                b"data: " + one.model_dump_json(exclude_none=True, exclude_unset=True).encode() + b"\n\n"
                for one in got
                if isinstance(
                    one, ModelResponseStream
                )  # lines without data become empty chunks, which its wrapper drops
            ]
            return [*out, DONE]

        return run
