"""JSON for a schema in the prompt, for clients that describe in words what they want.

Such clients ask for any JSON object (`response_format: json_object`), and validate the reply by a schema of their own.
"""

import json
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from chatcompat.simulator.blocks import Text
from chatcompat.simulator.errors import Failure
from chatcompat.simulator.schema import example
from chatcompat.simulator.turns import Turn
from chatcompat.simulator.wire import Prompt

MAX_CHARACTERS: Final = 256 * 1024  # of a text that are searched
MAX_TRIES: Final = 64  # braces in it that are tried as the start of a schema

_MARKS: Final = ('"properties"', '"$ref"')
_CLOSING: Final = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "properties"})
_raw_decode: Final = json.JSONDecoder().raw_decode
_decode: Final = msgspec.json.Decoder(dict[str, object]).decode


def is_open(schema: dict[str, object]) -> bool:
    """Whether a schema takes any object."""
    return _CLOSING.isdisjoint(schema)


def prompted_example(prompt: Prompt, asked: Turn) -> object:
    """An example for the last schema in the system prompt, else in the user's last turn. UNSET if there is none."""
    system = prompt.system if isinstance(prompt.system, list) else []
    texts = [prompt.system] if isinstance(prompt.system, str) else [block.text for block in system]
    said = [placed.block.text for placed in asked.blocks if isinstance(placed.block, Text)]
    for text in (*reversed(texts), *reversed(said)):
        for schema in reversed([*_schemas(text[:MAX_CHARACTERS])]):
            try:
                return example(schema)
            except (Failure, msgspec.ValidationError):  # too complex, or not a schema
                continue
    return UNSET


def _schemas(text: str) -> Iterator[dict[str, object]]:
    """Everything in a text that looks like the schema of an object, in order."""
    at = text.find("{") if any(mark in text for mark in _MARKS) else -1
    for _ in range(MAX_TRIES):
        if at < 0:
            return
        try:
            _, end = _raw_decode(text, at)
            found = _decode(text[at:end])
        except (ValueError, RecursionError):  # a `msgspec.DecodeError` is a `ValueError`
            end = at + 1
        else:
            if isinstance(found.get("properties"), dict) or found.keys() >= {"$defs", "$ref"}:
                yield found
        at = text.find("{", end)
