"""Translate a native token count, and the errors of a service that cannot count."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from chatcompat.errors import DECODE_ERRORS, ErrorReply, InvalidReply, to_error_reply
from chatcompat.reply.errors import to_chat_error
from chatcompat.reply.raw_blocks import decode_fields
from chatcompat.wire.decode import place_of, to_native_error
from chatcompat.wire.utf8 import require_utf8

OBJECT: Final = "chat.completion.input_tokens"

_NOT_SERVED: Final = (404, 405)  # 405 from a service with a path such as `GET /v1/messages/{id}`


class _TokensCount(Struct):
    input_tokens: Annotated[int, Meta(ge=0)]


_decode = msgspec.json.Decoder(_TokensCount).decode
_encode = msgspec.json.Encoder().encode


def to_chat_count(body: bytes) -> bytes:
    """Translate a native count. Fields without a chat name are added unchanged.

    Raises `InvalidReply` if the body is not a count of tokens.
    """
    try:
        require_utf8(body)
        tokens, fields = _decode(body).input_tokens, decode_fields(body)
    except DECODE_ERRORS as error:
        message = "The messages service sent a reply that is not a count of tokens."
        raise InvalidReply(message, place=place_of(error)) from None
    known = {"object": OBJECT, "input_tokens": tokens, "prompt_tokens": tokens}
    return _encode(known | fields | known)


def to_count_error(status: int, body: bytes) -> ErrorReply:
    """Translate a native error. If the service does not count tokens, the error says so."""
    native = to_native_error(body)
    error = to_chat_error(native, status)
    if status not in _NOT_SERVED or error.code == "model_not_found":
        return error
    reason = f", or not for this model. It says: {native.message}" if native.message else "."
    message = "The messages service cannot count tokens: it has no POST /v1/messages/count_tokens"
    return to_error_reply(404, message + reason, error.type, "count_tokens_not_found")
