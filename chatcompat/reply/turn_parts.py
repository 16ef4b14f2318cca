"""What is read of the parts of a paused turn: some fields of messages and of events of any type."""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from chatcompat.wire.message_reply import NULL, Usage


class TextOnly(Struct, gc=False):
    """The text of a block."""

    text: Raw = NULL


class PartHead(Struct, gc=False):
    """The fields of a message that are read here."""

    content: list[Raw]
    id: Raw = NULL
    stop_reason: str | None = None
    container: Raw = NULL
    usage: Usage | None = None


class WithId(Struct, gc=False):
    """The id of a container."""

    id: str


class PartStart(Struct, gc=False):
    """The message with which a stream begins."""

    container: Raw = NULL
    usage: Usage | None = None


class PartDelta(Struct, gc=False):
    """A delta of any type. Each type has some of these fields."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: Raw = NULL
    content: Raw = NULL
    encrypted_content: Raw = NULL
    stop_reason: str | None = None
    container: Raw = NULL


class PartEvent(Struct, gc=False):
    """The fields of an event of any type that are read here."""

    type: str
    index: Annotated[int, Meta(lt=2**31)] | None = None
    message: PartStart | None = None
    content_block: Raw = NULL
    delta: PartDelta | None = None
    usage: Usage | None = None


decode_text: Final[Callable[[Raw | bytes], TextOnly]] = msgspec.json.Decoder(TextOnly).decode
decode_head: Final[Callable[[bytes], PartHead]] = msgspec.json.Decoder(PartHead).decode
decode_container: Final[Callable[[Raw], WithId]] = msgspec.json.Decoder(WithId).decode
decode_part_event: Final[Callable[[bytes], PartEvent]] = msgspec.json.Decoder(PartEvent).decode
