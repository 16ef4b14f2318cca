"""Thinking that is bound to its prefix: the model, `system`, `tools` and all blocks before it.

Cache breakpoints do not count. Earlier thinking does, so a tool loop must come back as a whole.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.json import encode

from chatcompat.simulator.blocks import Block, Cacheable, Text, TextOnly, Thinking, ToolResult
from chatcompat.simulator.catalogue import Model
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.events import to_block
from chatcompat.simulator.model import Part, Thought
from chatcompat.simulator.reply import Dropped
from chatcompat.simulator.signature import is_bound
from chatcompat.simulator.turns import Placed, Turn
from chatcompat.simulator.wire import Prompt, ThinkingAdaptive, ThinkingEnabled, Tool

BETA: Final = "thinking-binding-controls-2026-08-01"
_MISMATCH: Final = (
    "`thinking` block does not match the conversation before it: `system`, `tools` or an earlier message changed since "
    "it was created. Remove it, or set `thinking.block_binding.prefix_mismatch_behavior` to `drop_block`."
)


_decode_block = msgspec.json.Decoder(Block).decode


class Prefix:
    """The digest of the prefix of a reply. None for a model that does not bind its thinking."""

    def __init__(self, digest: Any = None) -> None:
        self._digest = digest

    def bind(self, parts: list[Part]) -> None:
        """Bind each thought of a reply to its prefix."""
        if self._digest is None:
            return
        for index, part in enumerate(parts):
            if isinstance(part, Thought):
                parts[index] = msgspec.structs.replace(part, prefix=self._digest.digest())
            self._digest.update(plain(_decode_block(encode(to_block(parts[index])))))


class Binding(Struct, frozen=True):
    """The prefix that new thinking is bound to, and what was dropped from the request."""

    prefix: Prefix
    dropped: list[Dropped] = []


def check_binding(prompt: Prompt, tools: list[Tool], turns: list[Turn], model: Model) -> Binding:
    """Check all thinking of a request. Removes what may be dropped from `turns`."""
    thinking = prompt.thinking
    asked = thinking.block_binding if isinstance(thinking, ThinkingEnabled | ThinkingAdaptive) else None
    if not model.binds_thinking:
        return Binding(Prefix())
    digest = sha256(model.id.encode())
    system = [TextOnly("text", prompt.system)] if isinstance(prompt.system, str) else prompt.system
    for item in [*(() if system is UNSET else system), *tools]:
        digest.update(plain(item))
    dropped: list[Dropped] = []
    for turn in turns:
        digest.update(turn.role.encode())
        failing: list[Placed] = []
        for placed in turn.blocks:
            block = placed.block
            if isinstance(block, Thinking) and not is_bound(block.thinking, block.signature, digest.digest()):
                failing.append(placed)
            digest.update(plain(block))
        if failing and (asked is None or asked.prefix_mismatch_behavior != "drop_block"):
            raise invalid(f"{failing[0].path}: {_MISMATCH}")
        dropped += [Dropped(placed.path) for placed in failing]
        turn.blocks[:] = [placed for placed in turn.blocks if placed not in failing]
    digest.update(b"assistant")  # the turn of the reply. A model that binds accepts no prefill
    return Binding(Prefix(digest), dropped)


def plain(item: Struct) -> bytes:
    """An object as JSON, without its cache breakpoints."""
    if isinstance(item, ToolResult) and isinstance(item.content, list):
        inner = [msgspec.structs.replace(part, cache_control=None) for part in item.content]
        only = inner[0] if len(inner) == 1 else None
        content = only.text if isinstance(only, Text) else inner
        item = msgspec.structs.replace(item, content=content)
    if isinstance(item, Cacheable):
        item = msgspec.structs.replace(item, cache_control=None)
    return encode(item)
