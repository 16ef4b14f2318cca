"""What every translator of the side by side gives, how a client reads it, and chatcompat as the first of them."""

from __future__ import annotations

import json
from typing import Any, Protocol

from chatcompat import InvalidReply, InvalidRequest, translate
from tests.fidelity.cases import Case

JSON = dict[str, Any]


class Refused(Exception):
    """The request was refused, by an error that blames it."""


class Crashed(Exception):
    """Anything else that went wrong."""


class Translator(Protocol):
    """One of the three."""

    name: str

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        """The native request."""

    def reply(self, chat: JSON, native: JSON) -> JSON:
        """What a client reads from a whole reply."""

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        """What a client reads from a stream, its deltas joined."""


def outcome(translator: Translator, case: Case) -> Any:
    """What a case becomes; None for a refusal, and the crash itself for a crash."""
    wants_refusal = case.checks[0][0] == "refused"
    try:
        if case.events is not None:
            return translator.stream(case.chat, list(case.events))
        if case.reply is not None:
            return translator.reply(case.chat, case.reply)
        return translator.request(case.chat, lenient=not wants_refusal)
    except Refused:
        return None
    except Crashed as crash:
        return crash


# ---------------------------------------------------------------- what is compared


def blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def normal(request: JSON) -> JSON:
    """A native request with each text as a list of blocks."""
    request = json.loads(json.dumps(request))
    if "system" in request:
        request["system"] = blocks(request["system"])
    for message in request["messages"]:
        message["content"] = blocks(message["content"])
        for block in message["content"]:
            if "content" in block:
                block["content"] = blocks(block["content"])
    return request


def named(value: Any, request: JSON) -> Any:
    """A reply with the names that this translator gave the tools: of JSON output, and of a tool that it renamed."""
    text = json.dumps(value)
    tools = request.get("tools") or [{"name": "none"}]
    forced = (request.get("tool_choice") or {}).get("name") or tools[-1]["name"]
    return json.loads(
        text.replace('"$json"', json.dumps(forced)).replace('"$native:a.b"', json.dumps(tools[0]["name"]))
    )


def read_calls(calls: Any) -> list[JSON]:
    return [
        {"id": one.get("id"), "index": one.get("index"), **(one.get("function") or one.get("custom") or {})}
        for one in calls or ()
    ]


def read_completion(completion: JSON) -> JSON:
    choice = completion["choices"][0]
    message = choice["message"]
    return {
        "id": completion.get("id"),
        "error": False,
        "finish_reason": choice["finish_reason"],
        "content": message.get("content"),
        "refusal": message.get("refusal"),
        "reasoning_content": message.get("reasoning_content"),
        "annotations": message.get("annotations"),
        "tool_calls": read_calls(message.get("tool_calls")),
        "usage": completion.get("usage"),
    }


def read_chunks(chunks: list[JSON], *, error: bool) -> JSON:
    """Join chunks as clients do."""
    calls: dict[int, JSON] = {}
    joined: JSON = {"content": "", "reasoning_content": "", "finish_reason": None, "usage": None, "error": error}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices") or ()]
    for delta in deltas:
        for name in ("content", "reasoning_content"):
            joined[name] += delta.get(name) or ""
        for one in delta.get("tool_calls") or ():
            call = calls.setdefault(one["index"], {"index": one["index"], "id": None, "name": "", "arguments": ""})
            call["id"] = one.get("id") or call["id"]
            given = one.get("function") or {}
            call["name"] += given.get("name") or ""
            call["arguments"] += given.get("arguments") or ""
    joined["error_code"] = None
    for chunk in chunks:
        joined["usage"] = chunk.get("usage") or joined["usage"]
        joined["error"] = joined["error"] or "error" in chunk
        for choice in chunk.get("choices") or ():
            joined["finish_reason"] = choice.get("finish_reason") or joined["finish_reason"]
    joined["tool_calls"] = [calls[index] for index in sorted(calls)]
    joined["roles"] = sum(delta.get("role") == "assistant" for delta in deltas)
    joined["first_role"] = bool(deltas) and deltas[0].get("role") == "assistant"
    joined["heads"] = len({(chunk.get("id"), chunk.get("created"), chunk.get("model")) for chunk in chunks})
    return joined


# ---------------------------------------------------------------- chatcompat


class Ours:
    name = "chatcompat"

    def _translate(self, chat: JSON) -> Any:
        try:
            return translate(json.dumps(chat).encode())
        except InvalidRequest as error:
            raise Refused from error

    def request(self, chat: JSON, *, lenient: bool = True) -> JSON:
        return normal(json.loads(self._translate(chat).body))

    def reply(self, chat: JSON, native: JSON) -> JSON:
        translation = self._translate(chat)
        try:
            raw = translation.reply(json.dumps(named(native, json.loads(translation.body))).encode())
        except InvalidReply as error:
            raise Crashed(str(error)) from error
        return read_completion(json.loads(raw))

    def stream(self, chat: JSON, events: list[JSON]) -> JSON:
        translation = self._translate({**chat, "stream": True})
        stream = translation.stream()
        raw = b"".join(map(frame, named(events, json.loads(translation.body))))
        out = (stream.feed(raw) + stream.close()).decode()
        chunks = [json.loads(line[6:]) for line in out.split("\n\n") if line.startswith("data: {")]
        read = read_chunks([chunk for chunk in chunks if "error" not in chunk], error=stream.error is not None)
        codes = [chunk["error"]["code"] for chunk in chunks if "error" in chunk]
        return read | {"error_code": codes[0] if codes else None}


def frame(event: JSON) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
