"""The body of a chat request -> structs, or an `InvalidRequest` that says what is wrong and where."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds, check_count
from chatcompat.request.decode_error import is_final, to_invalid_request
from chatcompat.request.decoded import Decoded
from chatcompat.request.free_json import check_free_json, has_little_json
from chatcompat.request.json_objects import NULL, decode_raw_list, decode_raw_object, keep_digits
from chatcompat.request.known_tools import KnownTools, decode_with_tools, look_up
from chatcompat.request.lenient import lone_surrogate, set_strict_forms
from chatcompat.request.misplaced_fields import gather_in, gather_usage
from chatcompat.request.native_tools import take_native_tools
from chatcompat.request.open_structs import open_decoder
from chatcompat.request.unknown_fields import find_unknown
from chatcompat.wire.chat_request import ChatCompletionRequest, Message, PlainRequest
from chatcompat.wire.utf8 import require_utf8

_decode_plain = msgspec.json.Decoder(PlainRequest, float_hook=keep_digits).decode
_decode_messages = msgspec.json.Decoder(Annotated[list[Message], Meta(min_length=1)], float_hook=keep_digits).decode
_encode = msgspec.json.Encoder().encode

_NO_TOOLS: Final = Raw(b"[]")
_ANY_MESSAGE: Final = Raw(b'[{"role":"user","content":""}]')
_SHORT: Final = 1024
"""Up to so many bytes, a body is decoded as a plain request first, which saves a sixth of its time. Any other short
request takes a tenth more."""


def decode_chat_request(body: bytes, bounds: RequestBounds = DEFAULT_BOUNDS) -> Decoded:
    """Decode the body of a request.

    Args:
        body: The JSON body.
        bounds: The limits on the request.

    Raises:
        InvalidRequest: If the body is not a valid request. `param` names the field.
    """
    decoded = _decode_short(body) if len(body) <= _SHORT else None
    if decoded is None:
        decoded = _decode_strictly(body) or _decode_leniently(body, bounds)
    chat = decoded.chat
    if type(chat) is not PlainRequest or len(chat.messages) > bounds.messages:
        _check_lists(decoded.whole(), bounds)
    if not has_little_json(body, len(chat.messages), bounds):
        check_free_json(decoded.whole(), decoded.native_tools, bounds)
    return decoded


def _decode_short(body: bytes) -> Decoded | None:
    """Decode a plain request; None for any other, and for one that is invalid."""
    try:
        return Decoded(_decode_plain(body))
    except DECODE_ERRORS:
        return None


def _decode_strictly(body: bytes) -> Decoded | None:
    """Decode a request; None if it has an unknown field, a native tool, or a value in another form."""
    try:
        chat, known_tools = decode_with_tools(body)
        return Decoded(chat, known_tools=known_tools)
    except DECODE_ERRORS as error:
        if not isinstance(error, msgspec.ValidationError) or is_final(error):
            raise _why(error, body) from None
        return None


def _check_lists(chat: ChatCompletionRequest, bounds: RequestBounds) -> None:
    check_count("messages", len(chat.messages), bounds.messages, "messages")
    if chat.tools is not None:
        check_count("tools", len(chat.tools), bounds.tools, "tools")
    if chat.functions is not None:
        check_count("functions", len(chat.functions), bounds.tools, "functions")


def _decode_leniently(body: bytes, bounds: RequestBounds) -> Decoded:
    try:
        require_utf8(body)
        found = decode_raw_object(body)
        _check_raw_lists(found, bounds)
        native_tools = take_native_tools(found)
        set_strict_forms(found)  # first: it tells the types of tools, and so their fields
        gather_usage(found)
        messages, known_tools, replaced = _take_strict(found)
        unknown, gathered = find_unknown(found, replaced, bounds)
        if gathered:
            found["messages"] = gather_in(found["messages"], gathered)
        chat = open_decoder()(_encode(found))
        if messages is not None:
            chat.messages = messages
        if known_tools is not None:
            chat.tools = known_tools.listed
        return Decoded(chat, unknown, native_tools, known_tools=known_tools)
    except DECODE_ERRORS as error:
        raise _why(error, body) from None


def _take_strict(body: dict[str, Raw]) -> tuple[list[Message] | None, KnownTools | None, dict[str, Raw]]:
    """Decode the messages and the tools as they are: most often, something else is unknown.

    Those that need no more are replaced in the body; also returns what stood there.
    """
    messages, known = None, None
    replaced: dict[str, Raw] = {}
    for name, placeholder in (("messages", _ANY_MESSAGE), ("tools", _NO_TOOLS)):
        raw = body.get(name, NULL)
        if raw == NULL:
            continue
        try:
            if name == "messages":
                messages = _decode_messages(raw)
            else:
                known = look_up(bytes(raw))
        except msgspec.ValidationError:
            continue
        replaced[name], body[name] = raw, placeholder
    return messages, known, replaced


def _check_raw_lists(body: dict[str, Raw], bounds: RequestBounds) -> None:
    """Check the number of tools and functions before each of them is looked at."""
    for name in ("tools", "functions"):
        try:
            items = decode_raw_list(body.get(name, b""))
        except DECODE_ERRORS:  # there is none, or no list, which the decoder reports
            continue
        check_count(name, len(items), bounds.tools, name)


def _why(error: Exception, body: bytes) -> InvalidRequest:
    """Why a body cannot be decoded. Invalid UTF-8 comes first, since it may be the cause of the JSON error."""
    try:
        require_utf8(body)
    except UnicodeDecodeError as invalid_utf8:
        error = invalid_utf8
    has_surrogate = b"\\" in body and (b"\\ud" in body or b"\\uD" in body)  # most have no escape, found at once
    if has_surrogate and (path := lone_surrogate(body)) is not None:
        return InvalidRequest(
            "This text has a lone surrogate, which is half of a character. Remove it.",
            param=path or None,
            code="invalid_json",
        )
    return to_invalid_request(error, body)
