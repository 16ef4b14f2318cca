"""The measure of a request: tokens, credits and what a cache would have kept.

A token is four characters, rounded up for each part. An image counts `IMAGE`, a PDF or a document that is
elsewhere `DOCUMENT` tokens. Nothing is kept between requests, so all that a breakpoint asks to cache is written
each time, and nothing is ever read from a cache.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from chatcompat.simulator.blocks import (
    Block,
    BlockContent,
    Cacheable,
    CacheControl,
    Document,
    Image,
    PlainText,
    RedactedThinking,
    SearchResult,
    Text,
    TextOnly,
    Thinking,
    ToolResult,
    ToolUse,
)
from chatcompat.simulator.turns import Turn
from chatcompat.simulator.wire import Prompt, Tool

CHARACTERS: Final = 4  # of a token
IMAGE: Final = 1_000  # tokens
DOCUMENT: Final = 1_500  # tokens

# Thousandths of a credit that a token costs.
INPUT_PRICE: Final = 500
CACHE_WRITE_PRICE: Final = 625
OUTPUT_PRICE: Final = 500


class InputTokens(Struct, frozen=True):
    """Tokens of a request: those up to its last breakpoint, `ttl` of that, and the rest."""

    plain: int
    cached: int
    ttl: str


def tokens(text: str) -> int:
    """Tokens of a text."""
    return -(-len(text) // CHARACTERS)


def credits_consumed(plain: int, cached: int, output: int) -> int:
    """Whole credits, rounded up: half a credit a token, a quarter more for one that is written to a cache."""
    return -(-(plain * INPUT_PRICE + cached * CACHE_WRITE_PRICE + output * OUTPUT_PRICE) // 1000)


def input_tokens(prompt: Prompt, tools: list[Tool], turns: list[Turn]) -> InputTokens:
    """Measure a request in the order in which a cache would hold it: tools, system, messages."""
    system = prompt.system if isinstance(prompt.system, list) else []
    count = tokens(prompt.system) if isinstance(prompt.system, str) else 0
    cached, ttl = 0, "5m"
    for part in [*tools, *system, *(placed.block for turn in turns for placed in turn.blocks)]:
        count += _part_tokens(part)
        if breakpoint_ := _breakpoint(part):
            cached, ttl = count, breakpoint_.ttl
    if prompt.cache_control:  # stands for one on the last part
        cached, ttl = count, prompt.cache_control.ttl
    return InputTokens(plain=count - cached, cached=cached, ttl=ttl)


def _breakpoint(part: Tool | Block | TextOnly) -> CacheControl | None:
    """The last breakpoint on a part, or within it."""
    nested = part.content if isinstance(part, ToolResult) and isinstance(part.content, list) else []
    found = [p.cache_control for p in [*nested, part] if isinstance(p, Cacheable) and p.cache_control]
    return found[-1] if found else None


def _part_tokens(part: Tool | Block | TextOnly) -> int:
    match part:
        case Text(text=text) | TextOnly(text=text) | Thinking(thinking=text) | RedactedThinking(data=text):
            return tokens(text)
        case Image():
            return IMAGE
        case Document(source=PlainText(data=text)) | Document(source=BlockContent(content=str(text))):
            return tokens(text)
        case Document(source=BlockContent(content=list(content))) | SearchResult(content=content):
            return sum(_part_tokens(inner) for inner in content)
        case Document():
            return DOCUMENT
        case ToolUse(name=name):
            return tokens(name) + tokens(encode(part.input).decode())
        case ToolResult(content=str(text)):
            return tokens(text)
        case ToolResult(content=list(content)):
            return sum(_part_tokens(inner) for inner in content)
        case ToolResult():
            return 0
        case tool:
            return tokens(encode(tool).decode())
