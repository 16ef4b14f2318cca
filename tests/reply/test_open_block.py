"""Each block of a reply has something that opens it, and each event is decoded."""

from typing import get_args

from chatcompat.reply.open_block import _OPENERS
from chatcompat.wire import decode
from chatcompat.wire.message_reply import Block, ContentBlockStart, Event, OpaqueBlock


def test_each_type_of_block_can_be_opened() -> None:
    assert set(_OPENERS) == {*get_args(Block), OpaqueBlock}


def test_each_event_is_decoded() -> None:
    decoded = {*get_args(decode._WireEvent)} - {decode._RawBlockStart}
    assert decoded == {*get_args(Event)} - {ContentBlockStart}
