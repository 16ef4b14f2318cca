"""Fields of an assistant's message that client libraries send back elsewhere in it.

LiteLLM keeps what it does not know of a reply in `provider_specific_fields`, signed thinking too. The Agents SDK for
JavaScript copies all fields of a reply into the text part that it makes of the content.
"""

from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.wire.chat_request import AssistantMessage, TextPart

_ASSISTANT: Final = b'"assistant"'
_EMPTY: Final = (b"null", b"{}", b"[]")
_EXTRA: Final = "provider_specific_fields"
_FIELDS: Final = frozenset({"role", *AssistantMessage.__struct_fields__}) - {"content", *TextPart.__struct_fields__}

_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def gather(message: dict[str, Raw]) -> None:
    """Move such fields to the message, unless it has them. What remains elsewhere is left for the report."""
    if bytes(message.get("role", b"")) != _ASSISTANT:
        return
    content, extra = bytes(message.get("content", b"")), bytes(message.get(_EXTRA, b""))
    if content[:1] == b"[":
        try:
            parts = _decode_objects(content)
        except msgspec.ValidationError:  # the decoder reports the part that is no object
            parts = []
        if sum([_take(part, message) for part in parts]):
            message["content"] = Raw(_encode(parts))
    if extra[:1] == b"{":
        fields = _decode_object(extra)
        _take(fields, message)
        if all(bytes(value) in _EMPTY for value in fields.values()):
            del message[_EXTRA]
        else:
            message[_EXTRA] = Raw(_encode(fields))


def _take(holder: dict[str, Raw], message: dict[str, Raw]) -> int:
    """Move the fields of `message` that are in `holder`, drop those that are copies, and count both."""
    misplaced = [name for name in holder if name in _FIELDS]
    for name in misplaced:
        value, known = bytes(holder[name]), bytes(message.get(name, b"null"))
        if known == b"null":
            message[name] = holder.pop(name)
        elif known == value or msgspec.json.decode(known) == msgspec.json.decode(value):
            del holder[name]
    return len(misplaced)
