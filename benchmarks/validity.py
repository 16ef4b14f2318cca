"""Checks that an output is a valid translation: same texts, calls, thinking, images and tools as the workload."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.workloads import JSON, Call, Expected, Workload


def complaint(workload: Workload, output: list[bytes]) -> str | None:
    """Say why an output is not a valid translation of the workload. None if it is."""
    if workload.turns:
        found = (complaint(turn, [one]) for turn, one in zip(workload.turns, output, strict=True))
        return next((why for why in found if why is not None), None)
    try:
        got = _READERS[workload.kind](b"".join(output))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"cannot be read: {error!r}"
    wanted, joined = workload.expected, "\n".join(got.texts)
    if missing := [text for text in wanted.texts if text not in joined]:
        return f"lost {len(missing)} of {len(wanted.texts)} texts"
    if got.calls != wanted.calls:
        return f"has {len(got.calls)} calls instead of {len(wanted.calls)}, or other arguments"
    for name in ("thinking", "images", "tools"):
        if getattr(got, name) != getattr(wanted, name):
            return f"lost the {name}"
    return None


def _read_request(output: bytes) -> Expected:
    request = json.loads(output)
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


def _read_reply(output: bytes) -> Expected:
    message = json.loads(output)["choices"][0]["message"]
    calls = [_call(one["function"]) for one in message.get("tool_calls") or ()]
    return Expected((message.get("content") or "",), tuple(calls), _thinking(message))


def _read_stream(output: bytes) -> Expected:
    """The chunks, joined as clients join them."""
    text, thinking = "", ""
    calls: dict[int, JSON] = {}
    lines = [line[6:] for line in output.split(b"\n") if line.startswith(b"data: ")]
    if lines[-1] != b"[DONE]":
        raise ValueError("no end")
    for choice in [choice for line in lines[:-1] for choice in json.loads(line).get("choices") or ()]:
        delta = choice["delta"]
        text += delta.get("content") or ""
        thinking += _thinking(delta)
        for one in delta.get("tool_calls") or ():
            call = calls.setdefault(one["index"], {"name": "", "arguments": ""})
            for name in call:
                call[name] += (one.get("function") or {}).get(name) or ""
    return Expected((text,), tuple(map(_call, calls.values())), thinking)


def _thinking(message: JSON) -> str:
    """Thinking under either of its two usual names."""
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    return thinking.get("content") or "" if isinstance(thinking, dict) else thinking


def _call(function: JSON) -> Call:
    return function["name"], json.loads(function["arguments"])


_READERS = {"request": _read_request, "reply": _read_reply, "stream": _read_stream}
