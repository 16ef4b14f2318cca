"""A whole chat stream as bytes: framing, then the chunks inside, then how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .chat_rules import lint_chat_chunks, lint_cut_chunks
from .types import CHUNK_EXTRAS, Json, chat_chunk, chat_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA = "data: "
DONE = "[DONE]"
# JSON allows them raw, but Python's splitlines (so, many a client) takes each for the end of a line.
LINE_BREAKS = {"\x85": "U+0085", "\u2028": "U+2028", "\u2029": "U+2029"}

Payload = str | None  # None: a frame of comments only


def chat_sse(raw: bytes, *, include_usage: bool = False, allow: Iterable[str] = CHUNK_EXTRAS) -> list[str]:
    """Check a whole response body of a streamed chat completion, ended well or by an error frame."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return [f"sse: not UTF-8: {error}"]
    payloads, problems = _frames(text)
    if not any(payloads):
        return [*problems, "sse: no data"]
    chunks: list[Json] = []
    errors: list[int] = []
    extras = frozenset(allow)
    bodies_are_clean = True
    for i, payload in enumerate(payloads):
        if payload is None or payload == DONE:
            continue
        body, found = _body(payload, extras)
        problems += [f"sse.{i}: {problem}" for problem in found]
        bodies_are_clean = bodies_are_clean and not found
        if body is not None and "error" in body:
            errors.append(i)
        elif body is not None:
            chunks.append(body)
    problems += _end_by_error(payloads, errors, chunks) if errors else _end_by_done(payloads)
    if bodies_are_clean:  # the rules take the types for granted
        lint = lint_cut_chunks if errors else lint_chat_chunks
        problems += lint(chunks, include_usage=include_usage)
    return problems


def _frames(text: str) -> tuple[list[Payload], list[str]]:
    """Split into one payload a frame; any laxness that a decoder would forgive is a problem here."""
    problems: list[str] = []
    if "\r" in text:
        problems.append("sse: carriage return (frames end in exactly two line feeds)")
    *frames, rest = text.split("\n\n")
    if rest:
        problems.append("sse: does not end with a blank line")
        frames.append(rest)
    payloads: list[Payload] = []
    for i, frame in enumerate(frames):
        lines = frame.split("\n")
        if "" in lines:
            problems.append(f"sse.{i}: extra blank line (frames end in exactly two line feeds)")
        problems += [
            f"sse.{i}: unexpected line {line[:40]!r} (chat streams carry data lines and comments only)"
            for line in lines
            if line and not line.startswith((DATA, ":"))
        ]
        data = [line.removeprefix(DATA) for line in lines if line.startswith(DATA)]
        if len(data) > 1:
            problems.append(f"sse.{i}: more than one data line in a frame")
        problems += [f"sse.{i}: raw {name} in the data" for mark, name in LINE_BREAKS.items() if mark in "".join(data)]
        payloads.append("\n".join(data) if data else None)
    return payloads, problems


def _body(payload: str, allow: Iterable[str]) -> tuple[Json | None, list[str]]:
    try:
        body = json.loads(payload)
    except ValueError:
        return None, ["not JSON"]
    if not isinstance(body, dict):
        return None, ["not a JSON object"]
    return body, chat_error(body) if "error" in body else chat_chunk(body, allow=allow)


def _end_by_done(payloads: list[Payload]) -> Iterator[str]:
    done = payloads.count(DONE)
    if not done:
        yield "sse: no [DONE]"
    if done > 1:
        yield f"sse: [DONE] sent {done} times"
    if done and payloads[-1] != DONE:
        yield "sse: frames after [DONE]"


def _end_by_error(payloads: list[Payload], errors: list[int], chunks: list[Json]) -> Iterator[str]:
    """Check that a failed stream cannot pass for a whole one."""
    if DONE in payloads:
        yield "sse: [DONE] together with an error frame"
    if errors != [len(payloads) - 1]:
        yield "sse: the error frame is not the last one"
    if any(_finishes(chunk) for chunk in chunks):
        yield "sse: finish_reason together with an error frame"


def _finishes(chunk: Json) -> bool:
    choices = chunk.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )
