"""The cases of the side by side as data: what goes in, and what must hold of what comes out.

A case is a chat request and, for the way back, a native reply or its stream. Each check is an operation, a path into
the outcome and a value; the same checks are made for every translator. Requests are compared after text that stands as
a string was brought to a list of blocks, since both forms mean the same natively.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Check = tuple[Any, ...]
JSON = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One case; `reply` is a native message, to be read whole, or streamed if `events` has its stream."""

    name: str
    group: str
    chat: JSON
    checks: tuple[Check, ...]
    reply: JSON | None = None
    events: tuple[JSON, ...] | None = None


def user(content: Any) -> JSON:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **more: Any) -> JSON:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> JSON:
    return {"role": "system", "content": content}


def call(call_id: str, name: str = "f", arguments: str = "{}") -> JSON:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: Any = "r", **more: Any) -> JSON:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def function(name: str = "f", **more: Any) -> JSON:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}, **more}}


def text_block(text: str) -> JSON:
    return {"type": "text", "text": text}


def asks(*messages: JSON, **fields: Any) -> JSON:
    return {"model": "claude-sonnet-4-5", "max_tokens": 256, "messages": list(messages), **fields}


HI = user("hi")
LOOP = (HI, assistant(tool_calls=[call("c1")]), result("c1"))
REFUSED: tuple[Check, ...] = (("refused",),)


def message(*content: JSON, stop: str = "end_turn", **more: Any) -> JSON:
    usage = more.pop("usage", {"input_tokens": 10, "output_tokens": 5})
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
        **more,
    }


def use(call_id: str, name: str = "f", given: Any = None) -> JSON:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given if given is not None else {}}


def start(**usage: Any) -> JSON:
    whole = message(usage={"input_tokens": 10, "output_tokens": 1, **usage})
    return {"type": "message_start", "message": {**whole, "stop_reason": None}}


def block(index: int, content: JSON, *deltas: JSON) -> list[JSON]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def says(text: str) -> JSON:
    return {"type": "text_delta", "text": text}


def gives(partial_json: str) -> JSON:
    return {"type": "input_json_delta", "partial_json": partial_json}


def ends(stop: str = "end_turn", **usage: Any) -> list[JSON]:
    end = {"stop_reason": stop, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5, **usage}},
        {"type": "message_stop"},
    ]


def stream(*events: Any, first: JSON | None = None) -> tuple[JSON, ...]:
    flat: list[JSON] = [first or start()]
    for event in events:
        flat += event if isinstance(event, list) else [event]
    return tuple(flat)


EMPTY = text_block("")
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
