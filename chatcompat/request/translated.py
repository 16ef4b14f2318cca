"""A translated request."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from chatcompat.request.cache_marks import MIN_CACHED_BYTES, OwnMarks
from chatcompat.request.context import with_media
from chatcompat.request.prefix import Place
from chatcompat.request.structured_output import Output
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.messages import MessagesRequest

_encode = msgspec.json.Encoder().encode

_NO_PLACES: Final[Mapping[int, Place]] = MappingProxyType({})


class TranslatedRequest(msgspec.Struct, gc=False):
    """A messages request, and the state that translates its reply."""

    request: MessagesRequest
    ignored: list[str]
    media: Sequence[bytes | memoryview] = ()  # large data that `with_media` puts into the encoded request
    names: ToolNames | None = None  # None for a plain text request
    output: Output | None = None
    prefill: str = ""  # prefill text that the reply repeats
    places: Mapping[int, Place] = _NO_PLACES  # where each message with thinking begins, by its index in the chat
    betas: tuple[str, ...] = ()  # for the `anthropic-beta` header
    hides_reasoning: bool = False  # whether the reply must not show the thinking
    own_marks: OwnMarks | None = None
    choices: int = 1  # how many the client asked for (`n`)
    may_pause: bool = False  # whether the service runs some of the tools itself

    def encode(self) -> bytes:
        """Encode the request."""
        marks, encoded = self.own_marks, _encode(self.request)
        if marks is not None and (self.media or len(encoded) >= MIN_CACHED_BYTES):
            pieces = with_media(encoded, self.media)
            if sum(map(len, pieces)) >= MIN_CACHED_BYTES:
                if marks.mode == "automatic":  # all is copied once: media and long chats are large
                    return b"".join((*pieces[:-1], memoryview(pieces[-1])[:-1], marks.suffix()))
                marks.place(self.request)
                encoded = _encode(self.request)
        return b"".join(with_media(encoded, self.media)) if self.media else encoded
