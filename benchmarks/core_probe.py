"""Whether what a translator gave is a translation: the texts, calls, thinking and images must still be there."""

from __future__ import annotations

import json
from typing import Any

from core_works import JSON, Call, Expected, Work


def complaint(work: Work, output: list[bytes]) -> str | None:
    """Why an output is no translation of the work; None if it is one."""
    try:
        got = _READERS[work.kind](output)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"cannot be read: {error!r}"
    wanted = work.expected
    heard = "\n".join(got.texts)
    if missing := [text for text in wanted.texts if text not in heard]:
        return f"lost {len(missing)} of {len(wanted.texts)} texts"
    if got.calls != wanted.calls:
        return f"has {len(got.calls)} calls that should be {len(wanted.calls)}, or other arguments"
    for name in ("thinking", "images", "tools"):
        if getattr(got, name) != getattr(wanted, name):
            return f"lost the {name}"
    return None


def _read_request(output: list[bytes]) -> Expected:
    """A native request."""
    request = json.loads(b"".join(output))
    texts, calls, images = _texts(request.get("system")), [], []
    for message in request["messages"]:
        if message["role"] not in ("user", "assistant"):
            raise ValueError(f"role {message['role']}")
        texts += _texts(message["content"])
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                calls.append((block["name"], block["input"]))
            elif block["type"] == "image":
                images.append(block["source"]["data"])
    tools = tuple(tool["name"] for tool in request.get("tools") or () if tool["input_schema"]["properties"])
    if not isinstance(request["max_tokens"], int):
        raise TypeError("max_tokens")
    return Expected(tuple(texts), tuple(calls), "", tuple(images), tools)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    texts: list[str] = []
    for block in content or ():
        texts += [block["text"]] if block["type"] == "text" else []
        texts += _texts(block["content"]) if block["type"] == "tool_result" else []
    return texts


def _read_reply(output: list[bytes]) -> Expected:
    """A chat completion."""
    message = json.loads(b"".join(output))["choices"][0]["message"]
    calls = [_call(one["function"]) for one in message.get("tool_calls") or ()]
    return Expected((message.get("content") or "",), tuple(calls), _thinking(message))


def _read_stream(output: list[bytes]) -> Expected:
    """The chunks of a stream, joined as clients do."""
    text, thinking = "", ""
    calls: dict[int, JSON] = {}
    for line in b"".join(output).split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:]).get("choices") or ():
            delta = choice["delta"]
            text += delta.get("content") or ""
            thinking += _thinking(delta)
            for one in delta.get("tool_calls") or ():
                call = calls.setdefault(one["index"], {"name": "", "arguments": ""})
                given = one.get("function") or {}
                call["name"] += given.get("name") or ""
                call["arguments"] += given.get("arguments") or ""
    return Expected((text,), tuple(map(_call, calls.values())), thinking)


def _thinking(message: JSON) -> str:
    """Thinking under either of its two usual names."""
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    return thinking.get("content") or "" if isinstance(thinking, dict) else thinking


def _call(function: JSON) -> Call:
    return function["name"], json.loads(function["arguments"])


_READERS = {"request": _read_request, "reply": _read_reply, "stream": _read_stream}
