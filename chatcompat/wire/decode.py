"""A tolerant decoder of messages and stream events.

A newer server may send events, blocks and deltas of unknown types. Such events are skipped. Such blocks and deltas stay
as they are: the client sends the block back with the history. A known type with invalid fields raises `InvalidReply`:
skipping it would make an incomplete reply look complete.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, InvalidReply, to_param
from chatcompat.wire.error_detail import to_detail_text
from chatcompat.wire.invalid_reply import (
    MAX_USAGE_FIELDS,
    check_blocks,
    too_large_event,
    too_large_usage,
)
from chatcompat.wire.message_reply import (
    EMPTY_OBJECT,
    NULL,
    Block,
    CitationsDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ErrorEvent,
    Event,
    Message,
    NativeError,
    OpaqueBlock,
    OtherEvent,
    StopDetails,
    ToolUseBlock,
    Usage,
)
from chatcompat.wire.sse import EventDecoder, EventTooLarge
from chatcompat.wire.utf8 import require_utf8


class OpaqueBlockStart(Struct, gc=False):
    """The start of a block of an unknown type."""

    index: int
    content_block: OpaqueBlock


class OpaqueDelta(Struct, gc=False):
    """A delta of an unknown type."""

    index: int
    delta: Raw


StreamEvent = Event | OpaqueBlockStart | OpaqueDelta


class _Tag(Struct):
    type: str


class _RawBlockStart(Struct, tag_field="type", tag="content_block_start", gc=False):
    """The start of a block of any type. A union of blocks would raise an error for an unknown one, which is slow."""

    index: int
    content_block: Raw


_WireEvent = _RawBlockStart | OtherEvent


class _LooseDelta(Struct):
    delta: _Tag


class _LooseMessage(Struct):
    id: str
    model: str
    content: list[Raw]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Raw = NULL
    usage: Usage | None = None


_event: Final[msgspec.json.Decoder[_WireEvent]] = msgspec.json.Decoder(_WireEvent)
_block_start = msgspec.json.Decoder(ContentBlockStart)
_message = msgspec.json.Decoder(Message)
_block = msgspec.json.Decoder(Block)
_str = msgspec.json.Decoder(str)
_object = msgspec.json.Decoder(dict[str, Raw])
_tag = msgspec.json.Decoder(_Tag)
_loose_delta = msgspec.json.Decoder(_LooseDelta)
_opaque_delta = msgspec.json.Decoder(OpaqueDelta)
_loose_message = msgspec.json.Decoder(_LooseMessage)


def _tags(union: Any) -> frozenset[str]:
    return frozenset(struct.__struct_config__.tag for struct in union.__args__)


_EVENT_TYPES: Final = _tags(Event)
_BLOCK_TYPES: Final = _tags(Block)
_DELTA_TYPES: Final = _tags(ContentBlockDelta.__annotations__["delta"])

_BRACE: Final = ord("{")
_NO_INPUT: Final = (NULL, Raw(b'""'))  # `Raw` compares equal only to `Raw`


def read_events(decoder: EventDecoder, piece: bytes) -> Iterator[StreamEvent | None]:
    """Yield the events that `piece` completes. Raises `InvalidReply` after the last valid event."""
    try:
        return map(decode_event, decoder.feed(piece))
    except EventTooLarge as error:
        return _read_until_too_large(error.events)


def _read_until_too_large(payloads: list[bytes]) -> Iterator[StreamEvent | None]:
    yield from map(decode_event, payloads)
    raise too_large_event()


def decode_event(payload: bytes) -> StreamEvent | None:
    """Decode the data of one frame; None for an unknown type. Raises `InvalidReply`."""
    try:
        try:
            event = _event.decode(payload)
        except DECODE_ERRORS:
            return _decode_other_event(payload)
        # Types are compared, since `isinstance` of a struct that is another takes five times as long.
        if type(event) is not ContentBlockDelta:
            require_utf8(payload)
            if type(event) is _RawBlockStart:
                return _decode_block_start(event, payload)
            if type(event) is ErrorEvent:
                return ErrorEvent(decode_native_error(payload))  # with its details
        elif type(event.delta) is CitationsDelta:  # no other delta has raw values
            require_utf8(payload)
    except DECODE_ERRORS as error:
        place = place_of(error, _type_of(payload))
        raise InvalidReply("The messages service sent an event that cannot be read.", place=place) from None
    return event  # type: ignore[return-value]  # not a raw start


def _type_of(payload: bytes) -> str:
    """The type of an invalid event, if it is a known one."""
    try:
        kind = _tag.decode(payload).type
    except DECODE_ERRORS:
        return ""
    return kind if kind in _EVENT_TYPES else ""


def place_of(error: Exception, event: str = "") -> str | None:
    """Where a reply is wrong, from the decoder's error: a path of field names and indexes, or a byte.

    It quotes nothing of the reply. `event` is the type of the event that is wrong.
    """
    text = str(error)
    byte = text.rpartition("(byte ")[2].removesuffix(")")
    path = to_param(text.rpartition(" - at `")[2].removesuffix("`").removeprefix("key in `").lstrip("$."))
    if isinstance(error, UnicodeDecodeError):
        place = f"byte {error.start}"
    elif byte.isdigit():
        place = f"byte {byte}"
    else:
        place = path if " - at `" in text else ""
    return ": ".join(filter(None, (event, place))) or None


def _decode_other_event(payload: bytes) -> StreamEvent | None:
    """Decode what the strict decoder rejects: an unknown type, an error in another shape, or an empty payload."""
    if not payload:
        return None
    try:
        kind = _tag.decode(payload).type
    except msgspec.ValidationError:
        kind = "error"  # some servers and proxies send `{"error": {...}}` without a type
    if kind == "error":
        error = decode_native_error(payload)
        if not (error.type or error.message):
            raise msgspec.ValidationError
        return ErrorEvent(error)
    if kind == "content_block_delta" and _loose_delta.decode(payload).delta.type not in _DELTA_TYPES:
        require_utf8(payload)
        return _opaque_delta.decode(payload)
    if kind in _EVENT_TYPES:
        _event.decode(payload)  # raises again
    return None


def _decode_block_start(start: _RawBlockStart, payload: bytes) -> ContentBlockStart | OpaqueBlockStart:
    try:
        if _tag.decode(start.content_block).type not in _BLOCK_TYPES:
            return OpaqueBlockStart(start.index, OpaqueBlock(start.content_block))
        block = _block.decode(start.content_block)
    except DECODE_ERRORS:
        block = _block_start.decode(payload).content_block  # raises again, with the whole path
    _set_object(block)
    return ContentBlockStart(start.index, block)


def decode_message(body: bytes) -> Message:
    """Decode a complete reply. Blocks of unknown types stay as they are. Raises `InvalidReply`."""
    try:
        require_utf8(body)
        try:
            message = _message.decode(body)
        except DECODE_ERRORS:
            message = _decode_loose_message(body)
        for block in message.content:
            _set_object(block)
    except DECODE_ERRORS as error:
        raise _not_a_message(place_of(error)) from None
    check_blocks(len(message.content), len(body))
    return message


def _not_a_message(place: str | None) -> InvalidReply:
    return InvalidReply("The messages service sent a reply that is not a message.", place=place)


def _decode_loose_message(body: bytes) -> Message:
    loose = _loose_message.decode(body)
    # The type of `content` is that of the decoder, which can have no struct without a tag in a union.
    blocks: list[Any] = [_decode_block(raw, index) for index, raw in enumerate(loose.content)]
    return Message(
        loose.id,
        loose.model,
        blocks,
        loose.stop_reason,
        loose.stop_sequence,
        loose.stop_details,
        loose.container,
        loose.usage,
    )


def _decode_block(raw: Raw, index: int) -> Block | OpaqueBlock:
    """Decode the block of a message at `index`. Raises `InvalidReply`."""
    try:
        return _block.decode(raw) if _tag.decode(raw).type in _BLOCK_TYPES else OpaqueBlock(raw)
    except DECODE_ERRORS as error:
        raise _not_a_message(f"content[{index}].{place_of(error) or ''}".rstrip(".")) from None


def _set_object(block: Block | OpaqueBlock) -> None:
    """Check that a call's input is an object, and read one that is a string of JSON.

    Some servers send null or an empty string for no input, and in whole replies the string that streams are made of.
    """
    if type(block) is ToolUseBlock and memoryview(block.input)[0] != _BRACE:
        if block.input in _NO_INPUT:
            block.input = EMPTY_OBJECT
            return
        text = _str.decode(block.input)
        _object.decode(text)
        block.input = Raw(text.strip().encode())


def merge_usage(usage: Usage, newer: Usage | None) -> None:
    """Update `usage` field by field. Counts in a stream are cumulative, and a null never replaces a count.

    Raises `InvalidReply` if there are too many fields.
    """
    if newer is None:
        return
    if len(usage) + len(newer) > 2 * MAX_USAGE_FIELDS:
        raise too_large_usage()
    for name, count in newer.items():
        if name not in usage or count != NULL:
            usage[name] = count


class _LooseError(msgspec.Struct):
    type: Any = None
    message: Any = None
    code: Any = None  # not native, but other gateways have it
    details: Any = None


class _LooseErrorBody(msgspec.Struct):
    """The native shape, or a plain string under one of these names, as web frameworks and gateways send."""

    error: _LooseError | str | None = None
    message: Any = None
    detail: Any = None


_error_body: Final = msgspec.json.Decoder(_LooseErrorBody)


def decode_native_error(body: bytes) -> NativeError:
    """Decode the error in a JSON body. Fields that are not strings are left empty. Raises `DECODE_ERRORS`."""
    loose = _error_body.decode(body)
    if isinstance(loose.error, _LooseError):
        return _to_native_error(loose.error, _text(loose.error.message))
    message = _text(loose.error) or _text(loose.message)
    if message or not isinstance(loose.detail, dict):
        return NativeError("", message or to_detail_text(loose.detail))
    # `HTTPException(429, detail=error)`, where the error is a native body, or its `error` alone.
    nested = loose.detail.get("error")
    error = msgspec.convert(nested if isinstance(nested, dict) else loose.detail, _LooseError)
    return _to_native_error(error, to_detail_text(loose.detail))


def _to_native_error(error: _LooseError, message: str) -> NativeError:
    code = _text(error.details.get("error_code")) if isinstance(error.details, dict) else ""
    own = _text(error.code)
    return NativeError(_text(error.type), message, code or ("" if own.isdigit() else own))  # digits repeat the status


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def to_native_error(body: bytes) -> NativeError:
    """Decode the body of an error reply. A body in another format, such as a proxy's HTML, gives an empty error."""
    try:
        return decode_native_error(body)
    except DECODE_ERRORS:
        return NativeError()
