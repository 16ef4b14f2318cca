"""What a walked request needs beside its place, and how large the request may become that is made of one."""

from typing import Any, Final

import msgspec


def completed(document: Any) -> Any:
    """A generated request with what its parts need: calls with their results, and a user who speaks last."""
    if not isinstance(document, dict) or not isinstance(document.get("messages"), list):
        return document
    messages: list[Any] = [{"role": "user", "content": "x"}]
    for message in document["messages"]:
        role = message.get("role") if isinstance(message, dict) else None
        call = {"id": "x", "type": "function", "function": {"name": "x", "arguments": "{}"}}
        if role == "tool":
            messages.append({"role": "assistant", "tool_calls": [call]})
        elif role == "function":
            messages.append({"role": "assistant", "function_call": {"name": "x", "arguments": "{}"}})
        messages.append(message)
        if role == "assistant" and isinstance(message.get("tool_calls"), list):
            messages.append({"role": "tool", "tool_call_id": "x", "content": "x"})
        if role == "assistant" and isinstance(message.get("function_call"), dict):
            messages.append({"role": "function", "name": "x", "content": "x"})
    document = {**document, "messages": [*messages, {"role": "user", "content": "x"}]}
    if not {"tool_choice", "function_call"}.isdisjoint(document) and not {"tools", "functions"} & document.keys():
        document["tools"] = [{"type": "function", "function": {"name": "x"}}]
    return document


# Bytes that the inner body may be longer by, for each of these: the other side's words around what they hold.
EACH_MESSAGE: Final = 2_000  # and each tool
EACH_PART: Final = 100


def most_bytes(request: bytes, growth: int = 0) -> int:
    """How long the inner body of a request may be, whose one schema may grow by so many bytes."""
    try:
        lists = msgspec.json.decode(request, type=_Lists)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(request) + EACH_MESSAGE
    listed = sum(len(items or ()) for items in (lists.messages, lists.tools, lists.functions))
    return len(request) + EACH_MESSAGE * (listed + 1) + EACH_PART * request.count(b'"type":') + growth


class _Lists(msgspec.Struct):
    messages: list[msgspec.Raw] | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
