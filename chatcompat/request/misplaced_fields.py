"""Fields that client libraries send elsewhere than in the vendor's place.

LiteLLM keeps what it does not know of a reply in `provider_specific_fields`, signed thinking too. The Agents SDK for
JavaScript copies all fields of a reply into the text part that it makes of the content. OpenRouter's clients ask for a
last chunk with the usage by `usage`.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.request.json_objects import decode_raw_list, decode_raw_object
from chatcompat.wire.chat_request import AssistantMessage, TextPart

_MAX_PARTS: Final = 64
"""How many parts a content may have to be searched. The SDK that puts such fields there makes one."""
_EMPTY: Final[tuple[object, ...]] = (None, {}, [])
_EXTRA: Final = "provider_specific_fields"
_FIELDS: Final = frozenset({"role", *AssistantMessage.__struct_fields__}) - {"content", *TextPart.__struct_fields__}


class _Usage(Struct, forbid_unknown_fields=True):
    include: bool | None = None


_decode_usage = msgspec.json.Decoder(_Usage).decode
_encode = msgspec.json.Encoder().encode


def gather_usage(request: dict[str, Raw]) -> None:
    """Move `usage` to `stream_options`. Whole replies have the usage anyway."""
    try:
        usage = _decode_usage(request.get("usage", b""))
    except msgspec.MsgspecError:  # there is none, or it says more
        return
    if usage.include and bytes(request.get("stream", b"")) == b"true":
        request.setdefault("stream_options", Raw(b'{"include_usage":true}'))
    del request["usage"]


Move = tuple[int | None, str]
"""The index of the part in which a field stands, or None for the one of LiteLLM; and the name of the field."""


def gather(message: dict[str, Any]) -> list[Move]:
    """Move such fields to an assistant's message, unless it has them, and say which it got.

    What remains elsewhere is left for the report.
    """
    content, extra = message.get("content"), message.get(_EXTRA)
    moves: list[Move] = []
    if type(content) is list and len(content) <= _MAX_PARTS:
        for index, part in enumerate(content):
            if type(part) is dict and (names := _FIELDS.intersection(part)) and part.get("type") == "text":
                _take(message, part, names, index, moves)
    if type(extra) is dict:
        _take(message, extra, _FIELDS.intersection(extra), None, moves)
        if all(value in _EMPTY for value in extra.values()):
            del message[_EXTRA]
    return moves


def _take(
    message: dict[str, Any], holder: dict[str, Any], names: frozenset[str], index: int | None, moves: list[Move]
) -> None:
    """Move fields from `holder` to the message, and drop those that are copies."""
    for name in names if len(names) == 1 else sorted(names):
        if message.get(name) is None:
            message[name] = holder.pop(name)
            moves.append((index, name))
        elif message[name] == holder[name]:
            del holder[name]


def gather_in(messages: Raw, gathered: dict[int, list[Move]]) -> Raw:
    """Copy the fields that `gather` has moved, by the index of their message, with their bytes."""
    written: list[Any] = [*decode_raw_list(messages)]
    for at, moves in gathered.items():
        message = decode_raw_object(written[at])
        for index, name in moves:
            holder = message[_EXTRA] if index is None else decode_raw_list(message["content"])[index]
            message[name] = decode_raw_object(holder)[name]
        written[at] = message
    return Raw(_encode(written))
