"""Fast paths for the deltas of a stream: most JSON text is copied without decoding it.

Readers can skip this file: `FastChunkStream` returns the same bytes as `ChunkStream`. Nearly all pieces of most streams
take a fast path.
"""

import re
from typing import Final

import msgspec

from chatcompat.errors import DECODE_ERRORS, ErrorReply, InvalidReply
from chatcompat.reply.blocks import OpenBlock, OpenCall, OpenText, OpenThinking, StreamedReply
from chatcompat.reply.chunk_writer import Around, CallWriter, ChunkWriter, can_be_copied
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.held_text import HeldText
from chatcompat.reply.stream import MAX_HELD_BYTES, ChunkStream
from chatcompat.reply.text_digest import BATCH, CallCollector, TextDigest
from chatcompat.wire.message_reply import CitationsDelta, ContentBlockDelta, Ping
from chatcompat.wire.sse import CR, LF, MAX_EVENT_BYTES

# The start of a delta's frame. Most servers send each frame in a piece of its own.
_DELTA: Final = b"event: content_block_delta\ndata: "
_DELTA_START: Final = len(_DELTA)
# The frame of a delta with text, up to the text. It is the same for all deltas of a block.
_TEXT: Final = b'text_delta","text'
_INPUT: Final = b'input_json_delta","partial_json'
_THINKING: Final = b'thinking_delta","thinking'
_START: Final = _DELTA + b'{"type":"content_block_delta","index":'
_match_head: Final = re.compile(
    _START.replace(b"{", rb"\{") + rb'(0|[1-9][0-9]{0,5}),"delta":\{"type":"(%b|%b|%b)":"' % (_TEXT, _INPUT, _THINKING)
).match
_BLANK: Final = b"\n\n"  # ends a frame
_NEXT_DELTA: Final = _BLANK + _START
_NEXT_BLOCK: Final = _BLANK + b"event: content_block_st"  # the start or the stop of a block
_ONE_FRAME: Final = 2 * len(_START)  # a shorter piece cannot have two frames with deltas
_MANY_FRAMES: Final = 6 * len(_START)  # a longer piece most likely has several
# The most common form of a text: no escapes except those that msgspec writes too. Such a text is copied once it is
# known to be UTF-8. The quantifiers are possessive, so the matcher keeps no state for backtracking, which would take 60
# bytes for each byte of a text of escapes.
_PLAIN: Final = rb'[^"\\\x00-\x1f]*+'
_ESCAPE: Final = rb'\\["\\bfnrt]'
_COMMON: Final = rb"%b(?:%b%b)*+" % (_PLAIN, _ESCAPE, _PLAIN)
_END: Final = b'"}}\n\n'
_PADDED: Final = b" }\n\n"  # how some servers end a frame
# The rest of the frame.
_match_rest: Final = re.compile(rb"(%b)" % _COMMON + rb'"\} *+\}\n\n').fullmatch
_replace_padded_ends: Final = re.compile(rb'"\} ++\}\n\n').sub
_match_text: Final = re.compile(_COMMON).fullmatch

_decode_delta = msgspec.json.Decoder(ContentBlockDelta | Ping).decode  # a union requires the type

_NO_HEAD: Final = (b"none", 0)  # no piece matches it: its first 0 bytes are not `none`

_LONG: Final = 64 * 1024
"""Above this many bytes, decoding a piece is faster than matching it, since a pattern stops at each escape."""


_Sink = TextDigest | CallCollector | HeldText
"""Collects the text that is written. `unread` must be read before it is longer than `room`."""

_Splice = tuple[Around, _Sink]
"""The parts of a chunk around the text of a delta, and the sink that collects the text."""


class FastChunkStream(ChunkStream):
    """A `ChunkStream` that takes a fast path if the piece allows it.

    It keeps the start of the last delta's frame (`_head`), and the parts of the chunk around its text. If the next
    piece has the same start, its text is copied. Any other piece ends that, since it may end the block.
    """

    __slots__ = ("_after", "_before", "_block", "_cut", "_head", "_max_piece", "_room", "_sink", "_size", "_unread")

    def __init__(
        self, context: ReplyContext, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        super().__init__(context, max_event_bytes=max_event_bytes, max_held_bytes=max_held_bytes)
        self._max_piece = min(max_event_bytes, _LONG)
        self._block: OpenBlock | None = None
        self._cut = b""  # the start of a frame whose end is in the next piece; then no block is known
        self._sink: _Sink
        self._head, self._size = _NO_HEAD

    def feed(self, piece: bytes) -> bytes:
        """Return the bytes to send for the next piece of the messages stream, `b""` if there are none yet."""
        if len(piece) <= self._max_piece and (
            piece[: self._size] == self._head or (piece[:_DELTA_START] == _DELTA and self._find_block(piece))
        ):
            found = _match_rest(piece, self._size)
            if found is None:
                if len(piece) > _MANY_FRAMES and (chunks := self._copy_run(piece)) is not None:
                    return chunks
            elif (text := found[1]) and (text.isascii() or can_be_copied(text)):
                unread = self._unread
                unread += text
                if len(unread) <= self._room or self._make_room(text):
                    return b"".join((self._before, text, self._after))
        return self._feed_other(piece)

    def _fail(self, error: ErrorReply) -> None:
        self._forget_block()
        super()._fail(error)

    def _find_block(self, piece: bytes) -> bool:
        """Find the block that a delta belongs to. Return whether its text is copied."""
        self._forget_block()
        if (head := _match_head(piece)) is None or not self._decoder.idle or self._cut or self.ended:
            return False
        block = self._reader.open.get(int(head[1]))
        if block is None or (splice := _to_splice(block, head[2], self._reader.reply, self._writer)) is None:
            return False
        self._block = block
        self._head, self._size = head[0], head.end()
        (self._before, self._after), self._sink = splice
        self._unread = self._sink.unread
        self._room = 0  # the first text makes room
        return True

    def _forget_block(self) -> None:
        if self._block is not None:
            self._sink.read()
            self._block = None
            self._head, self._size = _NO_HEAD

    def _make_room(self, text: bytes) -> bool:
        """Let the sink read what is unread. If there is no room for `text`, which is its end, remove it again."""
        unread, sink, block = self._unread, self._sink, self._block
        del unread[-len(text) :]
        sink.read()
        if len(text) > sink.room or (type(block) is OpenCall and not block.sent and _may_be_blank(text)):
            self._room = 0
            return False
        self._room = min(sink.room, BATCH)
        unread += text
        self._writer.has_content = True
        if isinstance(block, OpenCall):
            block.sent = True
        return True

    def _feed_other(self, piece: bytes) -> bytes:
        """Return the chunks of a piece that is not one delta or a run of them."""
        if self._cut:
            piece, self._cut = self._cut + piece, b""
            return self.feed(piece)
        size = self._max_piece
        if len(piece) > size:
            if piece.find(_NEXT_DELTA, 0, size) >= 0:
                return b"".join([self.feed(piece[at : at + size]) for at in range(0, len(piece), size)])
        elif len(piece) > _ONE_FRAME and _has_several(piece):
            return self._feed_several(piece)
        elif piece[:_DELTA_START] == _DELTA and (chunks := self._feed_delta(piece)) is not None:
            return chunks
        return self._feed_slowly(piece)

    def _feed_several(self, piece: bytes) -> bytes:
        """Return the chunks of a piece with several frames: run by run of deltas, and what stands between them."""
        chunks: list[bytes] = []
        at = 0
        while at < len(piece):
            is_run = piece.startswith(_DELTA, at)
            end = piece.find(_NEXT_BLOCK if is_run else _NEXT_DELTA, at)
            part = piece[at : end + len(_BLANK)] if end >= 0 else piece[at:]
            if is_run:
                was_tried = len(part) == len(piece) > _MANY_FRAMES and piece.endswith(_END)  # by `feed`
                chunks.append(self._feed_frames(part) if was_tried else self._feed_run(part))
            else:
                chunks.append(self._feed_slowly(part))
            at += len(part)
        return b"".join(chunks)

    def _feed_run(self, piece: bytes) -> bytes:
        """Return the chunks of frames that are deltas, most of them of one block. The last may be cut off."""
        if not (piece.startswith(self._head) or self._find_block(piece)):
            return self._feed_frames(piece)
        end = len(piece) if piece.endswith(_BLANK) else piece.rfind(_BLANK) + len(_BLANK)
        last = piece.rfind(_NEXT_DELTA, 0, end) + len(_BLANK)
        if last < len(_BLANK) or piece.startswith(self._head, last):
            last = end
        cut = piece[end:]
        copied = None if CR in cut else self._copy_run(piece[:last])  # with CR, it may be a whole frame
        if copied is None:
            return self._feed_frames(piece)
        if last < end:  # the signature of thinking
            copied += self.feed(piece[last:end])
        if cut:
            self._forget_block()
            self._cut = cut
        return copied

    def _feed_frames(self, piece: bytes) -> bytes:
        """Return the chunks of frames, one by one."""
        *frames, rest = piece.split(_BLANK)
        chunks = [self.feed(frame + _BLANK) for frame in frames]
        if rest:
            chunks.append(self._feed_slowly(rest))
        return b"".join(chunks)

    def _copy_run(self, piece: bytes) -> bytes | None:
        """Return the chunks of several deltas of the block. None if the piece has anything else."""
        if piece.endswith(_PADDED):
            piece = _replace_padded_ends(_END, piece)
        if not piece.endswith(_END):
            return None
        texts = piece[self._size : -len(_END)].split(_END + self._head)
        if not _are_copied(texts):
            return None
        text = b"".join(texts)
        self._unread += text
        if len(self._unread) > self._room and not self._make_room(text):
            return None
        return b"".join((self._before, (self._after + self._before).join(texts), self._after))

    def _feed_slowly(self, piece: bytes) -> bytes:
        self._forget_block()
        return ChunkStream.feed(self, piece)  # faster than by `super()`

    def _feed_delta(self, piece: bytes) -> bytes | None:
        """Return the chunks of a piece that is a single delta. None for any other piece."""
        if not piece.endswith(_BLANK):
            return None
        payload = piece[_DELTA_START : -len(_BLANK)]
        if LF in payload or CR in payload:  # several lines
            return None
        if not self._decoder.idle or not self.started or self.ended:
            return None
        try:
            event = _decode_delta(payload)
        except DECODE_ERRORS:
            return None
        if type(event) is not ContentBlockDelta or type(event.delta) is CitationsDelta:  # which has raw values
            return None
        if self._block is not None:  # a delta of the same block that is not copied
            self._sink.read()
            self._room = 0
        try:
            self._reader.on_delta(event)
        except InvalidReply as error:
            self._fail(error.reply)
        return self._flush()


def _may_be_blank(text: bytes) -> bool:
    """Return whether a part of a JSON string has only spaces, or letters that may be escapes of other white space."""
    return not text.translate(None, b" \\nrt")


def _has_several(piece: bytes) -> bool:
    """Return whether a piece has several frames with deltas, if it begins with one.

    The search is slow, and most pieces that are cut anywhere have no end of a line.
    """
    end = piece.find(LF, _DELTA_START)
    return -1 < end < len(piece) - 2 and (piece.startswith(_NEXT_DELTA, end) or piece.find(_NEXT_DELTA) >= 0)


def _are_copied(texts: list[bytes]) -> bool:
    """Return whether each of several texts is in the common form and can be copied."""
    spaced = b" ".join(texts)  # so the halves of an escape or a character stay apart
    return all(texts) and _match_text(spaced) is not None and (spaced.isascii() or can_be_copied(spaced))


def _to_splice(block: OpenBlock, kind: bytes, reply: StreamedReply, writer: ChunkWriter) -> _Splice | None:
    """Return where to copy the text of a block's deltas. None if it does not belong there, changes, or is held."""
    context = reply.context
    if type(block) is OpenText and kind == _TEXT:
        if context.json_tool is None and not reply.prefill_filter.waits:
            return writer.around_text, writer.content
    elif type(block) is OpenThinking and kind == _THINKING:
        if not context.hides_reasoning:
            return writer.around_reasoning, block.kept
    elif type(block) is OpenCall and kind == _INPUT:
        if isinstance(block.write, CallWriter):
            return block.write.around, block.write.select()
        return writer.around_text, writer.content
    return None
