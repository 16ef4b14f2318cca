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


EACH: Final = 2_000  # bytes that a message may add to the inner body, the other side's words around what it holds,
EACH_PART: Final = 24  # and an image or a file; a message has a bound of them


def most_bytes(request: bytes, growth: int) -> int:
    """How long the inner body of a request may be; `growth` is for each tool, and for the form of the output."""
    try:
        lists = msgspec.json.decode(request, type=_Lists)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(request)
    tools = len(lists.tools or ()) + len(lists.functions or ())
    parts = request.count(b'"type":"image_url"') + request.count(b'"type":"file"')
    return len(request) + EACH * len(lists.messages or ()) + growth * (tools + 1) + EACH_PART * parts


class _Lists(msgspec.Struct):
    messages: list[msgspec.Raw] | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
