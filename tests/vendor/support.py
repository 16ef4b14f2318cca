"""Editing a good value, and finding the problem that its check names."""

from __future__ import annotations

import copy
from typing import Any

from tests.vendor import Json

OLD = "2023-06-01"
ABSENT = object()


def edit(base: Json, edits: dict[str, Any]) -> Json:
    """Copy `base` with the values at "a/0/b" paths replaced, or taken out where they are ABSENT."""
    edited = copy.deepcopy(base)
    for path, value in edits.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        holder: Any = edited
        for step in steps:
            holder = holder[step]
        if value is ABSENT:
            del holder[last]
        else:
            holder[last] = value
    return edited


def caught(problems: list[str], reason: str) -> bool:
    return any(reason in problem for problem in problems)


REQUEST: Json = {
    "model": "m",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be kind."}],
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u1"},
    "service_tier": "auto",
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "tools": [
        {
            "name": "get_weather",
            "description": "x",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"c": {"type": "string"}},
                "required": ["c"],
                "additionalProperties": False,
            },
        },
        {"type": "web_search_20260318", "name": "web_search"},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
                    "title": "a.pdf",
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"c": "P"}},
                {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no"}],
                    "is_error": True,
                },
                {"type": "text", "text": "thanks"},
            ],
        },
    ],
}
NATIVE_ERROR: Json = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}, "request_id": "r"}
CHOICE = "choices/0"
CHAT_ERROR: Json = {"error": {"message": "m", "type": "server_error", "param": None, "code": None}}
