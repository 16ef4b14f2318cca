"""A decoded request, and what is known of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Raw

from chatcompat.request.known_tools import KnownTools
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest, PlainRequest

_EMPTY: Final[Mapping[int, Any]] = MappingProxyType({})


class Decoded(msgspec.Struct, gc=False):
    """A request, its unknown fields and its native tools, and the kept thinking that was restored in it."""

    chat: PlainRequest  # see `whole`
    unknown: Sequence[str] = ()  # paths of unknown fields
    native_tools: Mapping[int, Raw] = _EMPTY  # tools in the native shape, by index
    restored: Mapping[int, bytes] = _EMPTY  # digests of the prefixes of restored thinking, by index of its message
    native_ids: Mapping[int, list[str]] = _EMPTY  # ids of the calls of restored turns, which clients may have changed
    known_tools: KnownTools | None = None  # the tools, if they may be known from earlier requests
    thinking_lost: bool = False  # whether thinking is left out that the client does not have either

    def whole(self) -> ChatCompletionRequest:
        """The request with all fields. A plain one becomes one that has none of the others."""
        if not isinstance(self.chat, ChatCompletionRequest):
            self.chat = ChatCompletionRequest(**msgspec.structs.asdict(self.chat))
        return self.chat

    def forget_restored(self) -> None:
        """Leave out all restored thinking."""
        for index in self.restored:
            turn = self.chat.messages[index]
            assert isinstance(turn, AssistantMessage)  # noqa: S101 - nothing else has thinking
            turn.reasoning_details = None
        self.restored, self.native_ids, self.thinking_lost = _EMPTY, _EMPTY, True
