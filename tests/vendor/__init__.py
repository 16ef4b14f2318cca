"""The second implementation: strict wire checks built from the vendors' own published Python types.

Two layers, because a body can be well typed and still be refused by the service or misread by a client:

* types (`messages_request`, `chat_reply`, ...): the shapes, from the installed `anthropic` and `openai`;
* rules (`lint_*`): what the types cannot say, from the vendors' docs and from clients' trackers.

`check_*` is both. Every check returns a list of "path: problem"; an empty list means clean. `allow` names
extra keys that are tolerated wherever they stand: this project's own documented extensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chat_rules import lint_chat_chunks, lint_chat_reply
from .messages_rules import Refusal, lint_messages_request
from .sse import chat_sse
from .types import (
    LATEST,
    Json,
    chat_chunk,
    chat_error,
    chat_reply,
    chat_request,
    chat_request_fields,
    messages_error,
    messages_event,
    messages_reply,
    messages_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = [
    "LATEST",
    "Json",
    "Refusal",
    "chat_chunk",
    "chat_error",
    "chat_reply",
    "chat_request",
    "chat_request_fields",
    "chat_sse",
    "check_chat_reply",
    "check_messages_request",
    "lint_chat_chunks",
    "lint_chat_reply",
    "lint_messages_request",
    "messages_error",
    "messages_event",
    "messages_reply",
    "messages_request",
]


def check_messages_request(
    d: Json,
    *,
    version: str = LATEST,
    allow: Iterable[str] = (),
    refuses: Collection[Refusal] = (),
    max_temperature: float = 1,
) -> list[str]:
    """Types and rules of a native request body; see the two layers for the options."""
    problems = messages_request(d, version=version, allow=allow)
    return _with_rules(
        problems, lambda: lint_messages_request(d, version=version, refuses=refuses, max_temperature=max_temperature)
    )


def check_chat_reply(d: Json, *, allow: Iterable[str] = ()) -> list[str]:
    """Types and rules of a whole (not streamed) chat completion."""
    return _with_rules(chat_reply(d, allow=allow), lambda: lint_chat_reply(d))


def _with_rules(problems: list[str], lint: Callable[[], list[str]]) -> list[str]:
    """Add the rules' findings; the rules may only stumble over a shape that the types already refused."""
    try:
        return problems + lint()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        if problems:
            return problems
        raise
