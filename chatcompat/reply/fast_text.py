"""Fast paths for the common pieces of a stream: a single delta, and text that is copied without decoding its JSON.

Readers can skip this file. `FastChunkStream` returns the same bytes as `ChunkStream`. Nearly all pieces of nearly all
streams take a fast path.
"""

import re
from typing import Final

import msgspec

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.reply.chunk_writer import escape_separators, has_separators
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.stream import MAX_HELD_BYTES, ChunkStream
from chatcompat.reply.text_digest import BATCH
from chatcompat.wire.message_reply import ContentBlockDelta, Ping
from chatcompat.wire.sse import MAX_EVENT_BYTES

# The start of a delta's frame. Most servers send each frame in a piece of its own.
_DELTA: Final = b"event: content_block_delta\ndata: "
_DELTA_START: Final = len(_DELTA)
# The most common form of a text delta: no white space (some servers pad the end), and no escapes but those that our
# encoder writes too. Such a text is copied as it is once it is known to be UTF-8. The quantifiers are possessive, so
# the matcher keeps no state for backtracking: that would take 60 bytes for each byte of a text of escapes.
_TEXT: Final = (
    _DELTA + rb'\{"type":"content_block_delta","index":(?:0|[1-9][0-9]{0,5}),"delta":\{"type":"text_delta",'
    rb'"text":"([ !#-\[\]-~\x80-\xff]*+(?:\\[nt"][ !#-\[\]-~\x80-\xff]*+)*+)"\} *+\}\n\n'
)
_match_text: Final = re.compile(_TEXT).fullmatch
_find_texts: Final = re.compile(rb"(?:\A|(?<=\n\n))" + _TEXT).findall  # each match is a whole frame

_decode_delta = msgspec.json.Decoder(ContentBlockDelta | Ping).decode  # a union requires the type


_LONG: Final = 64 * 1024
"""Above so many bytes decoding a piece costs less than matching it: a pattern looks at each escape by itself."""


class FastChunkStream(ChunkStream):
    """A `ChunkStream` that takes a fast path if the piece allows it."""

    __slots__ = ("_content", "_max_spliced")

    def __init__(
        self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        super().__init__(context, max_event_bytes=max_event_bytes, max_held_bytes=max_held_bytes)
        self._max_spliced = min(max_event_bytes, _LONG)
        self._content = self._writer.content

    def feed(self, piece: bytes) -> bytes:
        """Return the bytes to send for the next piece of the messages stream, `b""` if there are none yet."""
        reader = self._reader
        if self._decoder.idle and len(piece) <= self._max_spliced:
            if reader.splices and (found := _match_text(piece)) is not None and (text := found[1]):
                if text.isascii():
                    content = self._content
                    content.unread += text
                    if len(content.unread) > BATCH:
                        content.read()
                    writer = self._writer
                    writer.has_content = True
                    return b"".join((writer.open_text, text, writer.close_text))
                if chunk := self._feed_text(text):
                    return chunk
            if piece[:_DELTA_START] == _DELTA and piece[-2:] == b"\n\n" and reader.reply.started and not self.ended:
                chunks = self._feed_texts(piece) if reader.splices and b'"text_delta"' in piece else None
                if chunks is None:
                    chunks = self._feed_delta(piece)
                if chunks is not None:
                    return chunks
        return super().feed(piece)

    def _feed_text(self, text: bytes) -> bytes | None:
        """Return the chunk of a text that is encoded already, or None if it is not UTF-8."""
        try:
            decoded = text.decode()
        except UnicodeDecodeError:
            return None
        self._content.add(text)
        self._writer.has_content = True
        if has_separators(decoded):
            text = escape_separators(text)
        return b"".join((self._writer.open_text, text, self._writer.close_text))

    def _feed_texts(self, piece: bytes) -> bytes | None:
        """Return the chunks of a piece that only has text deltas of the common form, or None for any other."""
        texts: list[bytes] = _find_texts(piece)
        if len(texts) != piece.count(b"\n\n") or not all(texts):
            return None
        try:
            text = b'"'.join(texts).decode()  # the quotation marks keep halves of a character apart
        except UnicodeDecodeError:
            return None
        self._content.add(b"".join(texts))
        self._writer.has_content = True
        writer = self._writer
        chunks = b"".join((writer.open_text, writer.between_texts.join(texts), writer.close_text))
        return escape_separators(chunks) if has_separators(text) else chunks

    def _feed_delta(self, piece: bytes) -> bytes | None:
        """Return the chunks of a piece that is a single delta, or None for any other.

        The caller has checked the start and the end of the piece. If no line ends in between, it is one frame.
        """
        payload = piece[_DELTA_START:-2]
        if b"\n" in payload or b"\r" in payload:
            return None
        try:
            event = _decode_delta(payload)
        except DECODE_ERRORS:
            return None
        if type(event) is not ContentBlockDelta:
            return None
        try:
            self._reader.on_delta(event)
        except InvalidReply as error:
            self._fail(error.reply)
        return self._flush()
