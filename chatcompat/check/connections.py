"""Rules for connections, disconnecting clients, and concurrent requests."""

from typing import Final

import anyio

from chatcompat.check.endpoint import PATH, Endpoint, need
from chatcompat.check.rule import Rule

_LONG: Final = "Count from one to thirty in words: one, two, three, four, five, and so on to thirty."
_AT_ONCE: Final = 8
_SERVER_FAULT: Final = 500


async def _keep_alive(endpoint: Endpoint) -> None:
    ports = [(await endpoint.post(word)).ok().port for word in ("Say one.", "Say two.")]
    need(ports[0] == ports[1], "wanted two requests on one connection (client ports)", ports)


async def _head(endpoint: Endpoint) -> None:
    reply = await endpoint.send("HEAD", PATH)
    need(reply.status < _SERVER_FAULT, f"wanted a status below 500, not {reply.status}", reply.body)
    await endpoint.complete()


async def _leave(endpoint: Endpoint) -> None:
    async with endpoint.open("POST", PATH, endpoint.body(_LONG, stream=True)) as response:
        async for _ in response.aiter_bytes():
            break
    await endpoint.complete()


async def _at_once(endpoint: Endpoint) -> None:
    words = [f"tag{index}x" for index in range(_AT_ONCE)]
    replies: dict[str, str] = {}

    async def ask(word: str) -> None:
        replies[word] = (await endpoint.complete(f"Repeat exactly: {word}")).first.text

    try:
        async with anyio.create_task_group() as tasks:
            for word in words:
                tasks.start_soon(ask, word)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    for word, text in replies.items():
        need(word in text, f"wanted {word} repeated", text)
        need(not any(other in text for other in words if other != word), f"wanted only {word}", text)


RULES: Final = (
    Rule("keep-alive", "a connection serves more than one request", _keep_alive),
    Rule("head", "HEAD gets a reply, and the next request still works", _head),
    Rule("client-leaves", "a client that disconnects during a stream does not break the next request", _leave),
    Rule("at-once", "concurrent requests get their own answers", _at_once),
)
