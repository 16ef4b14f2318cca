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

_LIST: Final = ord("[")
_OBJECT: Final = ord("{")
_TEXT: Final = b'"text"'
_NULL: Final = Raw(b"null")
_MAX_COMPARED: Final = 1024 * 1024
"""The size in bytes up to which values are decoded, to find copies that differ in the order of their keys."""
_MAX_PARTS: Final = 64
"""How many parts a content may have to be searched. The SDK that puts such fields there makes one."""
_EMPTY: Final = (_NULL, Raw(b"{}"), Raw(b"[]"))
_EXTRA: Final = "provider_specific_fields"
_FIELDS: Final = frozenset({"role", *AssistantMessage.__struct_fields__}) - {"content", *TextPart.__struct_fields__}


class _Usage(Struct, forbid_unknown_fields=True):
    include: bool | None = None


_decode_usage = msgspec.json.Decoder(_Usage).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


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


def gather(message: dict[str, Raw]) -> bool:
    """Move such fields to an assistant's message, unless it has them, and say whether anything changed.

    What remains elsewhere is left for the report.
    """
    content, extra = message.get("content", _NULL), message.get(_EXTRA, _NULL)
    has_parts, has_extra = memoryview(content)[0] == _LIST, extra is not _NULL and memoryview(extra)[0] == _OBJECT
    if not (has_parts or has_extra):
        return False
    own = _Own(message)
    changed = False
    if has_parts and len(raw_parts := decode_raw_list(content)) <= _MAX_PARTS:
        try:
            parts = [*map(decode_raw_object, raw_parts)]
        except msgspec.ValidationError:  # the decoder reports the part that is no object
            parts = []
        texts = [part for part in parts if bytes(part.get("type", b"")) == _TEXT]
        if sum(map(own.take, texts)):
            message["content"] = Raw(_encode(parts))
            changed = True
    if has_extra:
        fields = decode_raw_object(extra)
        own.take(fields)
        if all(value in _EMPTY for value in fields.values()):
            del message[_EXTRA]
        else:
            message[_EXTRA] = Raw(_encode(fields))
        changed = True
    return changed


class _Own:
    """The fields of a message. Each is decoded once, however often it is repeated."""

    def __init__(self, message: dict[str, Raw]) -> None:
        self._message = message
        self._decoded: dict[str, Any] = {}

    def take(self, holder: dict[str, Raw]) -> int:
        """Move fields from `holder` to the message, drop those that are copies, and count both."""
        taken = 0
        for name in [name for name in holder if name in _FIELDS]:
            if self._message.get(name, _NULL) == _NULL:  # raw, since a copy may be large
                self._message[name] = holder[name]
            elif not self._is_copy(name, bytes(holder[name])):
                continue
            del holder[name]
            taken += 1
        return taken

    def _is_copy(self, name: str, value: bytes) -> bool:
        if len(value) > _MAX_COMPARED:
            return value == bytes(self._message[name])
        if name not in self._decoded:
            known = bytes(self._message[name])
            self._decoded[name] = _decode(known) if len(known) <= _MAX_COMPARED else None  # no copy of a short value
        return bool(self._decoded[name] == _decode(value))
