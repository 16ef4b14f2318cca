"""A fast path for chats of plain text only, as most are.

It returns the same request as the general path, byte for byte, or None if the chat has anything else.
"""

from typing import Final

from msgspec import UNSET
from msgspec.structs import astuple

from chatcompat.dialect import Dialect
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest, PlainRequest
from chatcompat.wire.messages import MessageParam, MessagesRequest, TextBlockParam

_FIRST_RARE: Final = len(PlainRequest.__struct_fields__)
_NONE_RARE: Final = astuple(ChatCompletionRequest(model="m", messages=[]))[_FIRST_RARE:]

_SYSTEM: Final = ("system", "developer")
_TEXT_ONLY: Final = astuple(AssistantMessage(""))[1:]


def to_plain_request(chat: PlainRequest, dialect: Dialect) -> MessagesRequest | None:
    """Translate system messages and alternating turns, the user's first and last; None for any other chat."""
    if (type(chat) is not PlainRequest and astuple(chat)[_FIRST_RARE:] != _NONE_RARE) or dialect.display is not None:
        return None
    system: list[TextBlockParam] = []
    turns: list[MessageParam] = []
    users_turn = True
    for message in chat.messages:
        text = message.content
        if not isinstance(text, str) or not text or text.isspace() or message.name is not None:
            return None
        if message.role == "user" and users_turn and message.cache_control is None:
            turns.append(MessageParam("user", text))
        elif message.role == "assistant" and not users_turn and astuple(message)[1:] == _TEXT_ONLY:
            turns.append(MessageParam("assistant", text))
        elif message.role in _SYSTEM and not turns and message.cache_control is None:
            system.append(TextBlockParam(text))
            continue
        else:
            return None
        users_turn = not users_turn
    if users_turn:
        return None
    return MessagesRequest(
        model=chat.model,
        max_tokens=chat.max_completion_tokens or chat.max_tokens or dialect.max_tokens,
        messages=turns,
        system=system or UNSET,
    )
