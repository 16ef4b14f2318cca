"""The prompt cache: what a request reads from it, and what it writes.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching

- A request writes the prompt up to each breakpoint. `cache_control` at its top is one behind the last block that can
  carry one. A prompt that is shorter than the model's minimum is not written.
- It reads the longest prompt that an earlier request wrote. From each breakpoint it looks back 20 positions. A run of
  calls is one position, and so is a run of results.
- What is written lives for 5 minutes or an hour after its last use. Nobody else's credential can read it.
- A change breaks the cache from there on, in this order: tools, the output format and `speed`, system, `tool_choice`,
  thinking and effort, whether there are images, messages. Breakpoints and deferred tools are not part of the prompt.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

from msgspec import UNSET, Struct
from msgspec.json import encode

from chatcompat.simulator.blocks import Block, Cacheable, Image, TextOnly, ToolResult, ToolUse
from chatcompat.simulator.catalogue import Model
from chatcompat.simulator.prefix import plain
from chatcompat.simulator.tokens import InputTokens, part_tokens
from chatcompat.simulator.turns import Turn
from chatcompat.simulator.wire import OutputConfig, Prompt, ThinkingEnabled, Tool

LOOK_BACK: Final = 20  # positions, including the breakpoint's own
MAX_ENTRIES: Final = 16_384  # of all clients together
LIFETIMES: Final = {"5m": 300.0, "1h": 3_600.0}  # seconds


class Piece(Struct):
    """A part of the prompt: tokens and digest of the prompt up to its end, and the lifetime of its breakpoint."""

    tokens: int
    digest: bytes
    position: int
    ttl: str | None = None


class _Entry(Struct, frozen=True):
    """A prompt in the cache, and when it expires."""

    until: float
    seconds: float


class PromptCache:
    """The cache of all clients. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def use(self, pieces: list[Piece], model: Model) -> InputTokens:
        """Read and write the cache for one request, and return its tokens."""
        now = self._clock()
        marked = [index for index, piece in enumerate(pieces) if piece.ttl and piece.tokens >= model.min_cached_tokens]
        found = max((self._look_back(pieces, index, now) for index in marked), default=-1)
        read = pieces[found].tokens if found >= 0 else 0
        for index in {found, *marked} - {-1}:
            self._write(pieces[index], now)
        long = max((pieces[index].tokens for index in marked if pieces[index].ttl == "1h"), default=0)
        end = max((pieces[index].tokens for index in marked), default=0)
        long, end = max(long, read), max(end, read)
        return InputTokens(plain=pieces[-1].tokens - end, read=read, written_1h=long - read, written_5m=end - long)

    def _look_back(self, pieces: list[Piece], index: int, now: float) -> int:
        """The index of the last cached piece within reach of the breakpoint at `index`, or -1."""
        seen: set[int] = set()
        while index >= 0:
            seen.add(pieces[index].position)
            if len(seen) > LOOK_BACK:
                break
            if self._alive(pieces[index], now) is not None:
                return index
            index -= 1
        return -1

    def _alive(self, piece: Piece, now: float) -> _Entry | None:
        entry = self._entries.get(piece.digest)
        return entry if entry is not None and now < entry.until else None

    def _write(self, piece: Piece, now: float) -> None:
        """Write a prompt, or restart its lifetime if it is cached already."""
        entry = self._alive(piece, now)
        seconds = LIFETIMES[piece.ttl or "5m"] if entry is None else entry.seconds
        self._entries[piece.digest] = _Entry(now + seconds, seconds)
        self._entries.move_to_end(piece.digest)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


# ---------------------------------------------------------------- a prompt, in pieces


def to_pieces(prompt: Prompt, tools: list[Tool], turns: list[Turn], model: Model, credential: str) -> list[Piece]:
    """Split a prompt at each possible breakpoint."""
    pieces: list[Piece] = []
    digest, count, position = sha256(encode([credential, model.id])).digest(), 0, 0
    before: type[Struct] | None = None
    last: Piece | None = None  # the last one that can carry a breakpoint
    for part in _parts(prompt, tools, turns):
        if isinstance(part, bytes):
            digest = sha256(digest + part).digest()
            continue
        digest = sha256(digest + plain(part)).digest()
        count += part_tokens(part)
        position += type(part) is not before or before not in (ToolUse, ToolResult)
        before = type(part)
        pieces.append(Piece(count, digest, position))
        if isinstance(part, Cacheable):
            last = pieces[-1]
            last.ttl = part.cache_control.ttl if part.cache_control is not None else None
    if prompt.cache_control is not None and last is not None:
        last.ttl = prompt.cache_control.ttl
    return pieces


def _parts(prompt: Prompt, tools: list[Tool], turns: list[Turn]) -> Iterator[bytes | Tool | TextOnly | Block]:
    """All parts in the order of the prompt. Bytes stand for what is not a block, but changes the prefix."""
    config = OutputConfig() if prompt.output_config is UNSET else prompt.output_config
    thinking = prompt.thinking or None
    budget = thinking.budget_tokens if isinstance(thinking, ThinkingEnabled) else None
    images = any(isinstance(placed.block, Image) for turn in turns for placed in turn.blocks)
    yield from present(tools)
    yield encode([config.format, prompt.speed])
    yield from system_blocks(prompt)
    yield encode([prompt.tool_choice or None, type(thinking).__name__, budget, config.effort, images])
    for turn in turns:
        yield turn.role.encode()
        for placed in turn.blocks:
            yield placed.block


def is_deferred(tool: Tool) -> bool:
    """Whether a tool is left out of the prompt until a search finds it."""
    return getattr(tool, "defer_loading", False)


def present(tools: list[Tool]) -> list[Tool]:
    """The tools that are part of the prompt."""
    return [tool for tool in tools if not is_deferred(tool)]


def system_blocks(prompt: Prompt) -> list[TextOnly]:
    """The system prompt as blocks."""
    if isinstance(prompt.system, str):
        return [TextOnly("text", prompt.system)]
    return [] if prompt.system is UNSET else prompt.system
