"""A gateway of your own, with the translation as a library: `MESSAGES_URL=https://... uvicorn examples.gateway:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chatcompat import InvalidReply, InvalidRequest, Translation, translate

client = httpx2.AsyncClient(base_url=os.environ["MESSAGES_URL"], timeout=300)


async def chat(request: Request) -> Response:
    """Translate the request, ask the messages service, and translate its reply."""
    try:
        translation = translate(await request.body())
    except InvalidRequest as error:
        return to_json(error.status, error.body)
    headers = {
        "authorization": request.headers.get("authorization", ""),
        "anthropic-version": translation.version,
        "content-type": "application/json",
    }
    asked = client.build_request("POST", "/v1/messages", content=translation.body, headers=headers)
    try:
        reply = await client.send(asked, stream=True)
    except httpx2.HTTPError:
        return to_json(502, InvalidReply("The messages service cannot be reached.").body)
    if reply.status_code == 200 and translation.streaming:  # noqa: PLR2004
        return StreamingResponse(to_chunks(translation, reply), media_type="text/event-stream")
    body = await reply.aread()
    if reply.status_code != 200:  # noqa: PLR2004
        return to_json(reply.status_code, translation.error(reply.status_code, body))
    try:
        return to_json(200, translation.reply(body))
    except InvalidReply as error:
        return to_json(error.status, error.body)


async def to_chunks(translation: Translation, reply: httpx2.Response) -> AsyncIterator[bytes]:
    """Translate a stream while it arrives."""
    stream = translation.stream()
    try:
        with suppress(httpx2.HTTPError):  # the connection broke
            async for piece in reply.aiter_bytes():
                yield stream.feed(piece)
        yield stream.close()  # an error frame, if the reply was not complete
    finally:
        await reply.aclose()


def to_json(status: int, body: bytes) -> Response:
    """A JSON response."""
    return Response(body, status, media_type="application/json")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Close the connections at the end."""
    async with client:
        yield


app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])], lifespan=lifespan)
