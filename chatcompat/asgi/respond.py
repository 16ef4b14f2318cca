"""A whole JSON reply over ASGI."""

from collections.abc import Iterable

from starlette.types import Send


async def respond(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send a whole JSON reply."""
    start = [*headers]
    if status != 304:  # noqa: PLR2004 - which has no body, and describes none
        start += ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body, "more_body": False})
