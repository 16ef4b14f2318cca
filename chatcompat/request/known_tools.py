"""Tools that came before, remembered by their bytes: an agent sends the same ones with each of its turns.

This is a fast path, and gives what the general one does. You can skip this file. What is remembered depends on nothing
but the bytes and the limit on depth, and is never changed. Only lists of usual functions are remembered: what they take
is some ten times their bytes.
"""

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.request.decode_error import AT
from chatcompat.request.json_objects import keep_digits
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.chat_tools import CustomTool, FunctionTool
from chatcompat.wire.messages import ToolParam

MOST: Final = 64
"""How many lists of tools are remembered, one of each length."""
LONGEST: Final = 64 * 1024
"""The bytes up to which a list is remembered."""
MOST_BYTES: Final = 1024 * 1024
"""The bytes of all lists together."""

_LONGEST_SENTENCE: Final = 2_000  # characters of an error, which may quote a long word

Listed = list[FunctionTool | CustomTool | None]


class UsualTools(Struct, frozen=True, gc=False):
    """Native tools that need no more than the bytes of the client's, and the limit on depth."""

    max_depth: int
    tools: list[ToolParam | None]  # under the client's names; None for any that needs more
    by_name: dict[str, ToolParam] | None  # if all are here, and all names are native and different


class KnownTools(Struct, gc=False):
    """A list of tools as it came and decoded, and what it became."""

    source: bytes
    listed: Listed | None
    usual: UsualTools | None = None  # once they were converted


_known: Final[OrderedDict[int, KnownTools]] = OrderedDict()  # by the length of the source


class _RawTools(ChatCompletionRequest, kw_only=True, forbid_unknown_fields=True, gc=False):
    tools: Raw | UnsetType = UNSET  # type: ignore[assignment]  # until they are decoded


_decode = msgspec.json.Decoder(_RawTools, float_hook=keep_digits).decode
_decode_list = msgspec.json.Decoder(Listed | None).decode


def decode_with_tools(body: bytes) -> tuple[ChatCompletionRequest, KnownTools | None]:
    """Decode a request strictly, and its tools only if they are new. Raises `DECODE_ERRORS`."""
    chat = _decode(body)
    raw: Raw | UnsetType = chat.tools
    try:
        known = None if raw is UNSET else look_up(bytes(raw))
    except msgspec.ValidationError as error:  # as the decoder of the request would have said it
        told = str(error)
        at = told.rfind(AT)
        sentence, path = (told[:at], told[at + len(AT) + 1 :]) if at >= 0 else (told, "`")
        raise msgspec.ValidationError(f"{sentence[:_LONGEST_SENTENCE]}{AT}$.tools{path}") from None
    chat.tools = None if known is None else known.listed  # type: ignore[assignment]
    return chat, known


def look_up(source: bytes) -> KnownTools:
    """The tools for these bytes, which are a copy: a view of a request would keep all of it."""
    known = _known.get(len(source))
    return known if known is not None and known.source == source else KnownTools(source, _decode_list(source))


def remember(known: KnownTools) -> None:
    """Keep tools that were converted, and forget the oldest."""
    if len(known.source) > LONGEST:
        return
    _known[len(known.source)] = known
    while len(_known) > MOST or sum(_known) > MOST_BYTES:
        _known.popitem(last=False)


def remembered() -> list[bytes]:
    """The lists that are remembered, as they came; the oldest first."""
    return [known.source for known in _known.values()]


def forget() -> None:
    """Forget all lists."""
    _known.clear()
