"""What a reply was, as it is kept while the reply is written: the same that the bytes say to who reads them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import to_builtins

from chatcompat import InvalidReply, Translation
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.stream import ChunkStream
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_digest import Call, digest_of
from tests.reply.support import GOLDEN, Json, golden_names, golden_translation
from tests.strategies.client import join

STREAMS = golden_names("streams", ".events.sse")
REPLIES = golden_names("replies", ".message.json")


def told(summary: ReplySummary) -> Json:
    thinking = summary.thinking
    return {
        "id": summary.id,
        "model": summary.model,
        "finish_reason": summary.finish_reason,
        "usage": summary.usage,
        "error": "" if summary.error is None else summary.error.type,
        "thinking": None if thinking is None else (thinking.text, thinking.calls, to_builtins(thinking.details)),
    }


def read_thinking(message: Json) -> tuple[bytes, list[Call], list[Json]] | None:
    """What is kept of an assistant message, if there is thinking for its calls."""
    calls: list[Call] = []
    for call in message.get("tool_calls", ()):
        if call["type"] == "custom":
            calls.append(("custom", call["custom"]["name"], call["custom"]["input"]))
        else:
            calls.append(("function", call["function"]["name"], call["function"]["arguments"]))
    if legacy := message.get("function_call"):
        calls.append(("function", legacy["name"], legacy["arguments"]))
    details = message.get("reasoning_details")
    return (digest_of(message.get("content") or ""), calls, details) if calls and details else None


def read_body(body: bytes) -> Json:
    completion = json.loads(body)
    (choice,) = completion["choices"]
    return {
        "id": completion["id"],
        "model": completion["model"],
        "finish_reason": choice["finish_reason"],
        "usage": completion["usage"],
        "error": "",
        "thinking": read_thinking(choice["message"]),
    }


def chunks_in(chunks: bytes) -> Iterator[Json]:
    for line in chunks.split(b"\n"):
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


def read_stream(chunks: bytes) -> Json:
    read: Json = dict.fromkeys(("id", "model", "finish_reason", "error"), "")
    message: Json = {}
    for chunk in chunks_in(chunks):
        read["error"] = chunk.get("error", {}).get("type", "")
        read.update({name: chunk[name] for name in ("id", "model") if name in chunk})
        for choice in chunk.get("choices", ()):
            join(message, choice["delta"])
            read["finish_reason"] = choice["finish_reason"] or ""
    return {**read, "thinking": read_thinking(message) if read["finish_reason"] else None}


def without_usage(summary: ReplySummary) -> Json:
    kept = told(summary)
    del kept["usage"]
    return kept


@pytest.mark.parametrize("name", REPLIES)
def test_the_summary_of_a_whole_reply_says_what_its_body_says(name: str) -> None:
    of, message = golden_translation("replies", name), (GOLDEN / "replies" / f"{name}.message.json").read_bytes()
    body, summary = of.whole_reply(message)
    assert told(summary) == read_body(body)
    stream = of.stream()
    replayed = stream.replay(message)
    assert without_usage(stream.summary) == read_stream(replayed)
    assert stream.summary.usage == summary.usage


@pytest.mark.parametrize("name", STREAMS)
def test_the_summary_of_a_stream_says_what_its_chunks_say(name: str) -> None:
    of, events = golden_translation("streams", name), (GOLDEN / "streams" / f"{name}.events.sse").read_bytes()
    stream = of.stream()
    chunks = stream.feed(events) + stream.close()
    assert without_usage(stream.summary) == read_stream(chunks)
    assert stream.has_content == any(
        choice["delta"].keys() - {"role"} - ({"content"} if choice["delta"].get("role") else set())
        for chunk in chunks_in(chunks)
        for choice in chunk.get("choices", ())
    )
    collected = collect(of, events)
    if collected is not None:
        assert told(collected[1]) == read_body(collected[0])


def collect(of: Translation, events: bytes) -> tuple[bytes, ReplySummary] | None:
    """A stream's completion; None where there is none."""
    collector = of.collector()
    try:
        collector.feed(events)
        body = collector.close()
    except InvalidReply:
        return None
    return None if collector.error else (body, collector.summary)


@pytest.mark.parametrize("name", STREAMS)
def test_the_short_ways_of_a_stream_give_the_same_as_the_long_one(name: str) -> None:
    of, events = golden_translation("streams", name), (GOLDEN / "streams" / f"{name}.events.sse").read_bytes()
    pieces = [piece + b"\n\n" for piece in events.split(b"\n\n")]
    assert everything(of.stream(), pieces) == everything(ChunkStream(of.context), pieces)


def everything(stream: ChunkStream, pieces: list[bytes]) -> tuple[Any, ...]:
    chunks = [stream.feed(piece) for piece in pieces]
    return chunks, stream.close(), stream.summary, stream.has_content, stream.error


def test_a_summary_of_nothing_says_nothing() -> None:
    summary = ChunkStream(ReplyContext(created=1)).summary
    assert told(summary) == {
        **dict.fromkeys(("id", "model", "finish_reason", "error"), ""),
        "usage": None,
        "thinking": None,
    }
