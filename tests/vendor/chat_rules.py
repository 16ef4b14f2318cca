"""Rules of the chat side beyond the types: what clients rely on."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .types import Json

CONSTANT_KEYS = ("id", "created", "model", "object")  # one value for all chunks of a stream
CALL_REASONS = frozenset({"function_call", "tool_calls"})


# ------------------------------------------------------------------ whole replies
def lint_chat_reply(d: Json) -> list[str]:
    """Lint a well-typed chat completion."""
    problems = [] if d["choices"] else ["choices: empty"]
    for i, choice in enumerate(d["choices"]):
        at = f"choices.{i}"
        if choice["index"] != i:
            problems.append(f"{at}.index: want {i}")
        problems += _always_sent(at, choice)
        problems += _finish_reason(
            f"{at}.finish_reason",
            choice["finish_reason"],
            has_tool_calls=bool(choice["message"].get("tool_calls")),
            has_function_call=bool(choice["message"].get("function_call")),
        )
        problems += _reply_calls(f"{at}.message", choice["message"])
    return [*problems, *_usage("usage", d.get("usage"))]


def _always_sent(at: str, choice: Json) -> Iterator[str]:
    """Check the keys that clients read without asking, null or not."""
    for key in ("content", "refusal"):
        if key not in choice["message"]:
            yield f"{at}.message.{key}: key absent (the API always sends it, null if nothing)"
    if "logprobs" not in choice:
        yield f"{at}.logprobs: key absent (the API always sends it)"


def _reply_calls(at: str, message: Json) -> Iterator[str]:
    calls = message.get("tool_calls")
    if calls == []:
        yield f"{at}.tool_calls: empty list; leave it out"
    ids = [call["id"] for call in calls or []]
    if len(ids) != len(set(ids)):
        yield f"{at}.tool_calls: ids not unique"
    for j, call in enumerate(calls or []):
        if call["type"] == "function":
            yield from _arguments(f"{at}.tool_calls.{j}", call["function"]["arguments"])
    if function_call := message.get("function_call"):
        yield from _arguments(f"{at}.function_call", function_call["arguments"])


def _arguments(at: str, arguments: str) -> Iterator[str]:
    try:
        if not isinstance(json.loads(arguments), dict):
            yield f"{at}: arguments not an object"
    except ValueError:
        yield f"{at}: arguments not JSON: {arguments!r}"


def _finish_reason(at: str, reason: str, *, has_tool_calls: bool, has_function_call: bool) -> Iterator[str]:
    """Check that calls and their reason go together: clients decide by it whether to run tools."""
    want = "tool_calls" if has_tool_calls else "function_call" if has_function_call else "stop"
    if reason in CALL_REASONS | {"stop"} and reason != want:
        yield f"{at}: {reason!r} does not fit the calls, want {want!r}"


def _usage(at: str, usage: Json | None) -> Iterator[str]:
    if not usage:
        return
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    if usage["total_tokens"] != prompt + completion:
        yield f"{at}.total_tokens: != prompt_tokens + completion_tokens"
    prompt_details = usage.get("prompt_tokens_details") or {}
    cached = (prompt_details.get("cached_tokens") or 0) + (prompt_details.get("cache_write_tokens") or 0)
    if cached > prompt:
        yield f"{at}: cached + cache_write tokens exceed prompt_tokens (cache tokens left out of the total?)"
    completion_details = usage.get("completion_tokens_details") or {}
    if (completion_details.get("reasoning_tokens") or 0) > completion:
        yield f"{at}: reasoning_tokens exceed completion_tokens"


# ------------------------------------------------------------------ streams
def lint_chat_chunks(chunks: list[Json], *, include_usage: bool = False) -> list[str]:
    """Lint the well-typed chunks of a stream that ended well."""
    if not chunks:
        return ["stream: no chunks"]
    return [
        *lint_cut_chunks([c for c in chunks if c["choices"]], include_usage=include_usage),
        *_constant_keys(chunks),
        *_usage_chunk(chunks, include_usage),
        *_unfinished(chunks),
    ]


def lint_cut_chunks(chunks: list[Json], *, include_usage: bool = False) -> list[str]:
    """Lint the chunks in front of an error frame: all that holds of a stream before its end."""
    choices: defaultdict[int, _Choice] = defaultdict(_Choice)
    problems = [*_constant_keys(chunks), *_usage_keys(chunks, include_usage)]
    for i, chunk in enumerate(chunks):
        for choice in chunk["choices"]:
            at = f"stream.{i}.choice {choice['index']}"
            problems += choices[choice["index"]].take(at, choice)
    return problems


def _constant_keys(chunks: list[Json]) -> Iterator[str]:
    for key in CONSTANT_KEYS:
        if len({json.dumps(chunk.get(key)) for chunk in chunks}) > 1:
            yield f"stream: {key} changes between chunks"


def _usage_keys(chunks: list[Json], include_usage: bool) -> Iterator[str]:
    for i, chunk in enumerate(chunks):
        if not include_usage:
            if "usage" in chunk:
                yield f"stream.{i}: usage sent though include_usage is off"
        elif "usage" not in chunk:
            yield f"stream.{i}: usage key absent (null expected)"
        elif chunk["usage"]:
            yield f"stream.{i}: usage on a chunk with choices"


def _usage_chunk(chunks: list[Json], include_usage: bool) -> Iterator[str]:
    """Check the chunk without choices: the last one, once, and only where it was asked for."""
    tail = [chunk for chunk in chunks if not chunk["choices"]]
    if not include_usage:
        if tail:
            yield "stream: usage sent though include_usage is off"
    elif len(tail) != 1 or chunks[-1] is not tail[0] or not tail[0].get("usage"):
        yield "stream: want exactly one choices=[] chunk with usage, last"
    for chunk in tail:
        yield from _usage("stream.usage", chunk.get("usage"))


def _unfinished(chunks: list[Json]) -> Iterator[str]:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if not choices:
        yield "stream: no choice was sent"
    finished = {choice["index"] for choice in choices if choice.get("finish_reason")}
    for index in sorted({choice["index"] for choice in choices} - finished):
        yield f"stream: choice {index} never gets a finish_reason"


@dataclass
class _Choice:
    """One choice as a client has put it together so far."""

    is_started: bool = False
    is_finished: bool = False
    arguments: dict[int, str] = field(default_factory=dict)  # by tool call index
    call_ids: set[str] = field(default_factory=set)
    custom_calls: set[int] = field(default_factory=set)
    function_call: str | None = None

    def take(self, at: str, choice: Json) -> Iterator[str]:
        delta = choice["delta"]
        if self.is_finished:
            yield f"{at}: goes on after its finish_reason"
        if not self.is_started and delta.get("role") != "assistant":
            yield f"{at}: first delta has no role 'assistant'"
        if self.is_started and delta.get("role"):
            yield f"{at}: role sent again"
        self.is_started = True
        for call in delta.get("tool_calls") or []:
            yield from self._take_call(at, call)
        if function_call := delta.get("function_call"):
            self.function_call = (self.function_call or "") + (function_call.get("arguments") or "")
        if "finish_reason" not in choice:
            yield f"{at}: finish_reason key absent (null expected)"
        elif choice["finish_reason"]:
            yield from self._finish(at, choice["finish_reason"])

    def _take_call(self, at: str, call: Json) -> Iterator[str]:
        index, function = call["index"], call.get("function") or call.get("custom") or {}
        if index not in self.arguments:
            if index != len(self.arguments):
                yield f"{at}: tool call index {index} is not the next one (block index leaked?)"
            if not (call.get("id") and call.get("type") and function.get("name")):
                yield f"{at}: first delta of tool call {index} needs id, type, name"
            if call.get("id") in self.call_ids:
                yield f"{at}: tool call {index} has the id of another one"
            self.call_ids.add(call.get("id") or "")
            if call.get("type") == "custom":
                self.custom_calls.add(index)
            self.arguments[index] = ""
        elif call.get("id") or call.get("type") or function.get("name"):
            yield f"{at}: id, type or name sent again for tool call {index} (clients concatenate)"
        self.arguments[index] += function.get("arguments") or function.get("input") or ""

    def _finish(self, at: str, reason: str) -> Iterator[str]:
        self.is_finished = True
        yield from _finish_reason(
            at,
            reason,
            has_tool_calls=bool(self.arguments),
            has_function_call=self.function_call is not None,
        )
        if reason not in CALL_REASONS:
            return  # cut by length, a call is sent as far as it came
        for index, arguments in self.arguments.items():
            if index not in self.custom_calls:
                yield from _arguments(f"{at}: tool call {index}", arguments)
        if self.function_call is not None:
            yield from _arguments(f"{at}: function_call", self.function_call)
