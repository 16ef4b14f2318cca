"""What a client reads, from a whole reply or from the chunks of a stream; joined as clients do."""

import json
from typing import Any

from chatcompat import Translation
from tests.vendor import Json


def read_whole(body: bytes) -> Json:
    """A completion as one object: its message, how it finished, and what it names."""
    completion = json.loads(body)
    (choice,) = completion["choices"]
    named = {key: value for key, value in completion.items() if key not in ("choices", "object")}
    return {**named, "message": _said(choice.pop("message")), "end": choice}


def read_stream(raw: bytes) -> Json:
    """The same from the chunks of a stream that ended well."""
    joined: Json = {}
    named: Json = {}
    end: Json = {}
    for frame in raw.decode().split("\n\n"):
        if not frame.startswith("data: {"):
            continue
        chunk = json.loads(frame[6:])
        named |= {key: value for key, value in chunk.items() if key not in ("choices", "object")}
        for choice in chunk["choices"]:
            join(joined, choice.pop("delta"))
            end = choice
    for call in joined.get("tool_calls", ()):
        del call["index"]
    return {**named, "message": _said(joined), "end": end}


def _said(message: Json) -> Json:
    """A message without what says nothing: a stream has no null, and begins with an empty content."""
    return {key: value for key, value in message.items() if value is not None and (key, value) != ("content", "")}


def join(into: Json, delta: Json) -> None:
    """Text grows, lists go by `index` where there is one and are appended to elsewhere."""
    for key, value in delta.items():
        match value:
            case str() if key not in ("type", "role"):
                into[key] = (into.get(key) or "") + value
            case dict():
                join(into.setdefault(key, {}), value)
            case list():
                _join_list(into.setdefault(key, []), value)
            case _:
                into[key] = value


def _join_list(known: list[Json], items: list[Json]) -> None:
    for item in items:
        found = next((other for other in known if "index" in item and other["index"] == item["index"]), None)
        if found is None:
            known.append(item)
        else:
            join(found, item)


def stream(pieces: list[bytes], of: Translation) -> bytes:
    """The bytes that a client gets for the pieces of a native stream."""
    chunks = of.stream()
    return b"".join([*map(chunks.feed, pieces), chunks.close()])


def collect(pieces: list[bytes], of: Translation) -> bytes:
    """The completion of a native stream; raises `InvalidReply`."""
    collector = of.collector()
    for piece in pieces:
        collector.feed(piece)
    return collector.close()


def as_history(message: Json) -> Json:
    """A reply's message as a client keeps it."""
    kept: Any = json.loads(json.dumps(message))
    return {"content": None, **kept}
