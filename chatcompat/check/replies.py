"""Rules for whole replies, and for the list of models."""

from typing import Final

from chatcompat.check.endpoint import Endpoint, need, read
from chatcompat.check.rule import Rule
from chatcompat.check.shapes import Models, Usage, WholeCompletion


async def _shape(endpoint: Endpoint) -> None:
    read((await endpoint.post()).ok().body, WholeCompletion)


async def _media(endpoint: Endpoint) -> None:
    reply = (await endpoint.post()).ok()
    need(reply.media == "application/json", "wanted content-type application/json", reply.headers.get("content-type"))


async def _text(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete()).first
    need(choice.text.strip(), "wanted text as the content", choice)


async def _finish(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete()).first
    need(choice.finish_reason == "stop", "wanted finish_reason stop", choice)


async def _usage(endpoint: Endpoint) -> None:
    usage = (await endpoint.complete()).usage or Usage(0, 0, 0)
    need(usage.prompt_tokens and usage.completion_tokens, "wanted usage with prompt and completion tokens", usage)
    total = usage.prompt_tokens + usage.completion_tokens
    need(usage.total_tokens == total, f"wanted total_tokens to be the sum, {total}", usage)


async def _ids(endpoint: Endpoint) -> None:
    ids = [(await endpoint.complete(word)).id for word in ("Say one.", "Say two.")]
    need(ids[0] != ids[1], "wanted two replies with different ids", ids)


async def _request_id(endpoint: Endpoint) -> None:
    ids = [(await endpoint.post(word)).ok().headers.get("x-request-id", "") for word in ("Say one.", "Say two.")]
    need(all(ids) and ids[0] != ids[1], "wanted a different x-request-id for each of two requests", ids)


async def _models(endpoint: Endpoint) -> None:
    reply = (await endpoint.send("GET", "/models")).ok()
    need(read(reply.body, Models).data, "wanted at least one model", reply.body)


RULES: Final = (
    Rule("reply-shape", "a reply has its id, object, created, model and one choice with a message", _shape),
    Rule("reply-content-type", "a reply has the content type application/json", _media),
    Rule("reply-text", "a plain question gets a text answer", _text),
    Rule("reply-finish-reason", "a complete answer finishes with stop", _finish),
    Rule("reply-usage", "the usage counts prompt and completion tokens, and their sum", _usage),
    Rule("reply-ids", "each reply has its own id", _ids),
    Rule("request-id", "each reply has its own x-request-id, which a user can report", _request_id),
    Rule("models", "GET /models lists the models", _models),
)
