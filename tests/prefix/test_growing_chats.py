"""What was rendered once is rendered the same in every later request of a growing chat.

`GROWING_CHATS=100000` looks at so many chats. The exceptions are listed in `docs/prefix.md`.
"""

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatcompat import InvalidRequest, translate
from chatcompat.dialect import PRESETS
from tests.strategies.requests import TAKEN, as_body, conversations, taken_requests

CHATS = int(os.environ.get("GROWING_CHATS", "150"))


def rendered(request: Any, preset: str) -> Any:
    """The messages request without its cache breakpoints; None if it is refused."""
    try:
        body = json.loads(translate(as_body(request), dialect=PRESETS[preset]).body)
    except InvalidRequest:
        return None
    body["system"], body["tools"] = blocks(body.get("system", [])), without_marks(body.get("tools"))
    body["messages"] = [{**message, "content": blocks(message["content"])} for message in body["messages"]]
    return body


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_marks(inner) for name, inner in value.items() if name != "cache_control"}
    return [without_marks(inner) for inner in value] if isinstance(value, list) else value


def blocks(content: Any) -> Any:
    """A content without marks, text as a block: a mark alone makes a list of a string."""
    content = [{"type": "text", "text": content}] if isinstance(content, str) else without_marks(content)
    for block in content:
        if isinstance(block.get("content"), (str, list)):
            block["content"] = blocks(block["content"])
    return content


def says_something(message: Any) -> bool:
    """Whether an assistant message becomes blocks."""
    content = message.get("content") or ""
    texts = [content] if isinstance(content, str) else [part.get("text") or part.get("refusal") for part in content]
    said = [*texts, message.get("refusal")]
    return bool(message.get("tool_calls") or message.get("function_call") or any((text or "").strip() for text in said))


@st.composite
def growing(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    request = draw(taken_requests())
    return request, draw(conversations(TAKEN) | systems_only())


@st.composite
def systems_only(draw: st.DrawFn) -> list[Any]:
    """A chat that begins with system messages only."""
    messages = [message for message in draw(conversations(TAKEN)) if message["role"] in ("system", "developer")]
    start = messages or [{"role": "system", "content": "be brief"}]
    return [*start, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]


@settings(max_examples=CHATS, deadline=None, print_blob=True)
@given(growing(), st.sampled_from(["native", "native-2026-10-21"]))
def test_what_was_rendered_once_is_rendered_the_same(grown: tuple[Any, list[Any]], preset: str) -> None:
    request, messages = grown
    later = rendered({**request, "messages": messages}, preset)
    for end, message in enumerate(messages):
        starts_turn = message["role"] == "assistant" and end and messages[end - 1]["role"] != "assistant"
        if later is None or not starts_turn or not says_something(message):
            continue
        earlier = rendered({**request, "messages": messages[:end]}, preset)
        if earlier is None:
            continue
        assert earlier["messages"] == later["messages"][: len(earlier["messages"])]
        assert earlier["system"] == later["system"]
        if request.get("tools") or request.get("functions"):  # else the tools that were called are declared
            assert earlier["tools"] == later["tools"]
