"""Counts tokens, cached tokens and credits.

A token is four characters, rounded up for each part. An image counts as `IMAGE` tokens; a PDF, or a document
given by reference, as `DOCUMENT` tokens. There is no cache between requests: a breakpoint always writes tokens to
the cache, and none are ever read from it.
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

CHARACTERS: Final = 4  # per token
IMAGE: Final = 1_000  # tokens
DOCUMENT: Final = 1_500  # tokens

# Thousandths of a credit per token.
INPUT_PRICE: Final = 500
CACHE_WRITE_PRICE: Final = 625
OUTPUT_PRICE: Final = 500


class InputTokens(Struct, frozen=True):
    """The tokens of a request. `cached` are those up to the last breakpoint, whose lifetime is `ttl`."""

    plain: int
    cached: int
    ttl: str


def tokens(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text) // CHARACTERS)


def credits_consumed(plain: int, cached: int, output: int) -> int:
    """Whole credits, rounded up: half a credit per token, and a quarter more for tokens written to a cache."""
    return -(-(plain * INPUT_PRICE + cached * CACHE_WRITE_PRICE + output * OUTPUT_PRICE) // 1000)


def input_tokens(prompt: Prompt, tools: list[Tool], turns: list[Turn]) -> InputTokens:
    """Count the tokens of a request in cache order: tools, system, messages."""
    system = prompt.system if isinstance(prompt.system, list) else []
    count = tokens(prompt.system) if isinstance(prompt.system, str) else 0
    cached, ttl = 0, "5m"
    for part in [*tools, *system, *(placed.block for turn in turns for placed in turn.blocks)]:
        count += _part_tokens(part)
        if breakpoint_ := _breakpoint(part):
            cached, ttl = count, breakpoint_.ttl
    if prompt.cache_control:  # the same as a breakpoint on the last part
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
