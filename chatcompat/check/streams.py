"""Rules for streams."""

from typing import Final

from chatcompat.check.endpoint import MAX_QUOTE, Endpoint, need
from chatcompat.check.rule import Rule
from chatcompat.check.shapes import Chunk, ChunkChoice, Usage

_LONG: Final = "Count from one to thirty in words, separated by commas: one, two, three, four, and so on to thirty."


def choices_of(chunks: list[Chunk]) -> list[ChunkChoice]:
    """Return the choices of all chunks."""
    return [choice for chunk in chunks for choice in chunk.choices]


def text_of(chunks: list[Chunk]) -> str:
    """Join the content of all chunks."""
    return "".join(choice.delta.content or "" for choice in choices_of(chunks))


def finish_of(chunks: list[Chunk]) -> list[str]:
    """Return all finish reasons."""
    return [choice.finish_reason for choice in choices_of(chunks) if choice.finish_reason is not None]


def _usages(chunks: list[Chunk]) -> list[Usage]:
    return [chunk.usage for chunk in chunks if isinstance(chunk.usage, Usage)]


async def _media(endpoint: Endpoint) -> None:
    reply = (await endpoint.post(stream=True)).ok()
    need(reply.media == "text/event-stream", "wanted content-type text/event-stream", reply.headers.get("content-type"))


async def _done(endpoint: Endpoint) -> None:
    reply = (await endpoint.post(stream=True)).ok()
    data = reply.data()
    wanted = "wanted [DONE] and an empty line at the end"
    need(data and data[-1] == b"[DONE]", wanted, reply.body[-MAX_QUOTE:])
    need(data.count(b"[DONE]") == 1, "wanted one [DONE]", data.count(b"[DONE]"))


async def _constant(endpoint: Endpoint) -> None:
    chunks = await endpoint.chunks()
    for names in ({chunk.id for chunk in chunks}, {chunk.model for chunk in chunks}, {c.created for c in chunks}):
        need(len(names) == 1, "wanted one id, model and created in all chunks", sorted(map(str, names)))


async def _role(endpoint: Endpoint) -> None:
    roles = [choice.delta.role for choice in choices_of(await endpoint.chunks())]
    need(roles[:1] == ["assistant"], "wanted the role assistant in the first chunk", roles[:3])
    need(not any(roles[1:]), "wanted the role in the first chunk only", roles)


async def _finish(endpoint: Endpoint) -> None:
    chunks = await endpoint.chunks()
    reasons = finish_of(chunks)
    need(reasons == ["stop"], "wanted one finish_reason, stop", reasons)
    need(choices_of(chunks)[-1].finish_reason, "wanted nothing after the finish_reason", choices_of(chunks)[-1])


async def _text(endpoint: Endpoint) -> None:
    chunks = await endpoint.chunks()
    need(text_of(chunks).strip(), "wanted deltas with text", chunks[:2])


async def _pieces(endpoint: Endpoint) -> None:
    texts = [text for choice in choices_of(await endpoint.chunks(_LONG)) if (text := choice.delta.content)]
    need(len(texts) > 1, "wanted a long answer in more than one chunk", texts)


async def _usage(endpoint: Endpoint) -> None:
    chunks = await endpoint.chunks(stream_options={"include_usage": True})
    last = chunks[-1]
    usage = last.usage if isinstance(last.usage, Usage) else Usage(0, 0, 0)
    need(usage.total_tokens and not last.choices, "wanted a last chunk with usage and no choices", last)
    need(not _usages(chunks[:-1]), "wanted the usage once", _usages(chunks))
    total = usage.prompt_tokens + usage.completion_tokens
    need(usage.total_tokens == total, f"wanted total_tokens to be the sum, {total}", last)


async def _no_usage(endpoint: Endpoint) -> None:
    chunks = await endpoint.chunks()
    usages = _usages(chunks)
    need(not usages, "wanted no usage without include_usage", usages)
    empty = [chunk for chunk in chunks if not chunk.choices]
    need(not empty, "wanted choices in all chunks", empty)


async def _same(endpoint: Endpoint) -> None:
    chunks, whole = await endpoint.chunks(max_tokens=16), await endpoint.complete(max_tokens=16)
    reasons = finish_of(chunks)
    wanted = whole.first.finish_reason
    need(reasons == [wanted], f"wanted the finish_reason of the whole reply, {wanted}", reasons)


RULES: Final = (
    Rule("stream-content-type", "a stream has the content type text/event-stream", _media),
    Rule("stream-done", "a stream ends with one [DONE]", _done),
    Rule("stream-constant", "all chunks of a stream share id, model and created", _constant),
    Rule("stream-role", "only the first chunk has the role", _role),
    Rule("stream-finish-reason", "one chunk has the finish_reason, and no choice follows it", _finish),
    Rule("stream-text", "the deltas contain text", _text),
    Rule("stream-pieces", "a long answer comes in several chunks", _pieces),
    Rule("stream-usage", "with include_usage, the last chunk has the usage and no choices", _usage),
    Rule("stream-no-usage", "without include_usage, no chunk has a usage", _no_usage),
    Rule("stream-same-end", "a stream and a whole reply have the same finish_reason", _same),
)
