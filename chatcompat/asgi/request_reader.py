"""Reads a request: its headers are checked before its body is read."""

from starlette.types import Receive

from chatcompat.asgi.headers import is_encoded, is_json, media_type, too_large
from chatcompat.asgi.http import SERVER_SHUTDOWN, ClientDisconnected, server_shutdown
from chatcompat.asgi.limits import Limits
from chatcompat.asgi.received_headers import ReceivedHeaders
from chatcompat.errors import InvalidRequest


def check_headers(headers: ReceivedHeaders, limits: Limits) -> None:
    """Refuse a request by its headers, before its body is read."""
    fields = headers.fields
    if (refusal := too_large(headers.size, limits.max_header_bytes)) is not None:
        raise refusal
    media = media_type(fields)
    if not (media is None or is_json(media)):
        raise unsupported_media_type()
    if is_encoded(fields):
        raise InvalidRequest("Send the request without a content-encoding.", code="unsupported_encoding", status=415)
    length = fields.get(b"content-length") or b""
    # This only refuses earlier. `read_body` counts the bytes, whatever the header says.
    if length.isdigit() and (len(length) > 18 or int(length) > limits.max_body_bytes):  # noqa: PLR2004
        raise _body_too_large(limits.max_body_bytes)


def unsupported_media_type() -> InvalidRequest:
    """The error for a body that is not declared as JSON."""
    return InvalidRequest(
        "Send the request as content-type: application/json.", code="unsupported_media_type", status=415
    )


async def read_body(receive: Receive, max_body_bytes: int) -> bytes:
    """Read the whole body. Raises `ClientDisconnected`, or `InvalidReply` if the server stops."""
    pieces: list[bytes] = []
    size, more_body = 0, True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise server_shutdown() if message.get("reason") == SERVER_SHUTDOWN else ClientDisconnected
        piece = message.get("body", b"")
        if type(piece) is not bytes:
            piece = bytes(piece)
        size += len(piece)
        if size > max_body_bytes:
            raise _body_too_large(max_body_bytes)
        if piece:
            pieces.append(piece)
        more_body = bool(message.get("more_body", False))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _body_too_large(max_body_bytes: int) -> InvalidRequest:
    return InvalidRequest(f"The request is larger than {max_body_bytes} bytes.", code="request_too_large", status=413)
