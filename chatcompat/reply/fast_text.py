"""The short ways of a stream: deltas that come one a piece, and text whose bytes go on as they came.

A reader can skip this file. `FastChunkStream` gives the bytes that `ChunkStream` gives, and nearly all pieces of nearly
all streams take one of these ways.
"""

import re
from typing import Final

import msgspec

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.reply.chunk_writer import escape_separators, has_separators
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.stream import MAX_HELD_BYTES, ChunkStream
from chatcompat.reply.text_digest import BATCH
from chatcompat.wire.messages import ContentBlockDelta, Ping
from chatcompat.wire.sse import MAX_EVENT_BYTES

# How a delta stands on the wire when a server sends each in a piece of its own.
_DELTA: Final = b"event: content_block_delta\ndata: "
_DELTA_START: Final = len(_DELTA)
# Of these the whole of the most common form: written without white space (some servers pad the end), and with no escape
# but those that we write alike. Its text goes on as the bytes that came, once they are known to be UTF-8. Nothing in it
# can match in two ways, so nothing is kept to go back to: that would cost 60 bytes for each byte of a text of escapes.
_TEXT: Final = (
    _DELTA + rb'\{"type":"content_block_delta","index":(?:0|[1-9][0-9]{0,5}),"delta":\{"type":"text_delta",'
    rb'"text":"([ !#-\[\]-~\x80-\xff]*+(?:\\[nt"][ !#-\[\]-~\x80-\xff]*+)*+)"\} *+\}\n\n'
)
_match_text: Final = re.compile(_TEXT).fullmatch
_find_texts: Final = re.compile(rb"(?:\A|(?<=\n\n))" + _TEXT).findall  # each match is a whole frame

_decode_delta = msgspec.json.Decoder(ContentBlockDelta | Ping).decode  # of a union the type must be there


_LONG: Final = 64 * 1024
"""Above so many bytes decoding a piece costs less than matching it: a pattern looks at each escape by itself."""


class FastChunkStream(ChunkStream):
    """A `ChunkStream` that reads a piece in the short way where there is one."""

    __slots__ = ("_content", "_max_spliced")

    def __init__(
        self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        super().__init__(context, max_event_bytes=max_event_bytes, max_held_bytes=max_held_bytes)
        self._max_spliced = min(max_event_bytes, _LONG)
        self._content = self._writer.content

    def feed(self, piece: bytes) -> bytes:
        """The bytes to send for the next piece of the messages stream; `b""` while there is nothing to say."""
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
        """The chunk of a text that is JSON already; None if it is not UTF-8."""
        try:
            said = text.decode()
        except UnicodeDecodeError:
            return None
        self._content.add(text)
        self._writer.has_content = True
        if has_separators(said):
            text = escape_separators(text)
        return b"".join((self._writer.open_text, text, self._writer.close_text))

    def _feed_texts(self, piece: bytes) -> bytes | None:
        """The chunks of a piece that is a run of text deltas of the common form; None for any other."""
        texts: list[bytes] = _find_texts(piece)
        if len(texts) != piece.count(b"\n\n") or not all(texts):
            return None
        try:
            text = b'"'.join(texts).decode()  # a quotation mark between keeps halves of a character apart
        except UnicodeDecodeError:
            return None
        self._content.add(b"".join(texts))
        self._writer.has_content = True
        writer = self._writer
        chunks = b"".join((writer.open_text, writer.between_texts.join(texts), writer.close_text))
        return escape_separators(chunks) if has_separators(text) else chunks

    def _feed_delta(self, piece: bytes) -> bytes | None:
        """The chunks of a piece that is one delta and nothing else, which most are; None for any other.

        The piece is known to begin as such a frame and to end as a frame: with no end of line in between it is one.
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
