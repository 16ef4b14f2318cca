"""Counts tokens and credits.

A token is four characters, rounded up for each part. An image counts as `IMAGE` tokens; a PDF, or a document
given by reference, as `DOCUMENT` tokens.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from chatcompat.simulator.blocks import (
    Block,
    BlockContent,
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
from chatcompat.simulator.wire import Tool

CHARACTERS: Final = 4  # per token
IMAGE: Final = 1_000  # tokens
DOCUMENT: Final = 1_500  # tokens

# Thousandths of a credit per token.
INPUT_PRICE: Final = 500
CACHE_READ_PRICE: Final = 50
CACHE_WRITE_PRICE: Final = 625
CACHE_WRITE_1H_PRICE: Final = 1_000
OUTPUT_PRICE: Final = 500


class InputTokens(Struct, frozen=True):
    """The tokens of a request: read from the cache, written to it (by lifetime), and all others."""

    plain: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        """The tokens written to the cache."""
        return self.written_5m + self.written_1h


def tokens(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text) // CHARACTERS)


def credits_consumed(counted: InputTokens, output: int) -> int:
    """Whole credits, rounded up: half a credit per token. Reading from a cache costs a tenth, writing more."""
    thousandths = (
        counted.plain * INPUT_PRICE
        + counted.read * CACHE_READ_PRICE
        + counted.written_5m * CACHE_WRITE_PRICE
        + counted.written_1h * CACHE_WRITE_1H_PRICE
        + output * OUTPUT_PRICE
    )
    return -(-thousandths // 1000)


def part_tokens(part: Tool | Block | TextOnly) -> int:
    """Count the tokens of a tool or a block."""
    match part:
        case Text(text=text) | TextOnly(text=text) | Thinking(thinking=text) | RedactedThinking(data=text):
            return tokens(text)
        case Image():
            return IMAGE
        case Document(source=PlainText(data=text)) | Document(source=BlockContent(content=str(text))):
            return tokens(text)
        case Document(source=BlockContent(content=list(content))) | SearchResult(content=content):
            return sum(part_tokens(inner) for inner in content)
        case Document():
            return DOCUMENT
        case ToolUse(name=name):
            return tokens(name) + tokens(encode(part.input).decode())
        case ToolResult(content=str(text)):
            return tokens(text)
        case ToolResult(content=list(content)):
            return sum(part_tokens(inner) for inner in content)
        case ToolResult():
            return 0
        case tool:
            return tokens(encode(tool).decode())
