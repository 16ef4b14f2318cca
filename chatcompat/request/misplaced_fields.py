"""Fields that client libraries send elsewhere than in the vendor's place.

LiteLLM keeps what it does not know of a reply in `provider_specific_fields`, signed thinking too. The Agents SDK for
JavaScript copies all fields of a reply into the text part that it makes of the content. OpenRouter's clients ask for a
last chunk with the usage by `usage`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.request.json_objects import decode_raw_list, keep_digits
from chatcompat.wire.chat_request import AssistantMessage, TextPart

_MAX_PARTS: Final = 64
"""How many parts a content may have to be searched. The SDK that puts such fields there makes one."""
_EMPTY: Final[tuple[object, ...]] = (None, {}, [])
_EXTRA: Final = "provider_specific_fields"
_FIELDS: Final = frozenset({"role", *AssistantMessage.__struct_fields__}) - {"content", *TextPart.__struct_fields__}


class _Usage(Struct, forbid_unknown_fields=True):
    include: bool | None = None


_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, Any]], float_hook=keep_digits).decode
_encode = msgspec.json.Encoder().encode


def gather_usage(request: dict[str, Raw]) -> bool:
    """Move `usage` to `stream_options`, and say whether it was there. Whole replies have the usage anyway."""
    try:
        usage = _decode_usage(request.get("usage", b""))
    except msgspec.MsgspecError:  # there is none, or it says more
        return False
    if usage.include and bytes(request.get("stream", b"")) == b"true":
        request.setdefault("stream_options", Raw(b'{"include_usage":true}'))
    del request["usage"]
    return True


def gather(message: dict[str, Any]) -> bool:
    """Move such fields to an assistant's message, unless it has them, and say whether it got any.

    What remains elsewhere is left for the report.
    """
    content, extra = message.get("content"), message.get(_EXTRA)
    got = False
    if type(content) is list and len(content) <= _MAX_PARTS:
        for part in content:
            if type(part) is dict and (names := _FIELDS.intersection(part)) and part.get("type") == "text":
                got |= _take(message, part, names)
    if type(extra) is dict:
        got |= _take(message, extra, _FIELDS.intersection(extra))
        if all(value in _EMPTY for value in extra.values()):
            del message[_EXTRA]
    return got


def _take(message: dict[str, Any], holder: dict[str, Any], names: frozenset[str]) -> bool:
    """Move fields from `holder` to the message, drop those that are copies, and say whether any was moved."""
    moved = False
    for name in names if len(names) == 1 else sorted(names):
        if message.get(name) is None:
            message[name] = holder.pop(name)
            moved = True
        elif message[name] == holder[name]:
            del holder[name]
    return moved


def gather_in(messages: Raw, indexes: Sequence[int]) -> Raw:
    """Move such fields in the messages with these indexes, of which `gather` has found some."""
    written: list[Any] = [*decode_raw_list(messages)]
    found = _decode_objects(_encode([written[index] for index in indexes]))
    for index, message in zip(indexes, found, strict=True):
        gather(message)
        written[index] = message
    return Raw(_encode(written))
