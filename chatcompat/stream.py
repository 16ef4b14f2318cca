"""Stream events -> chunks."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

import msgspec
from msgspec import Struct

from chatcompat.builder import to_events
from chatcompat.chunks import ChunkWriter, escape_separators, has_separators
from chatcompat.errors import DECODE_ERRORS, InvalidReply, status_of, to_chat_error, to_stream_error
from chatcompat.events import (
    IN_MESSAGE,
    SkippedBlock,
    incomplete_stream,
    merge_usage,
    missing_start,
    read_events,
    second_start,
    unopened_block,
)
from chatcompat.messages import (
    CitationsDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    ErrorEvent,
    Event,
    InputJSONDelta,
    Message,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    StopDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from chatcompat.open_blocks import OpenBlock, OpenCall, OpenText, Reply, open_block
from chatcompat.origin import Origin
from chatcompat.said import BATCH
from chatcompat.sse import MAX_EVENT_BYTES, EventDecoder, encode_comment, encode_data
from chatcompat.turns import Turn
from chatcompat.usage import to_chat_usage

PING: Final = encode_comment(b"ping")
MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""The default bound of what is kept of a message until it is whole: signed thinking, text before JSON."""

# How a text delta stands on the wire when a server sends each in a piece of its own.
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


class StreamError(Struct, frozen=True):
    """Why a stream failed.

    Attributes:
        status: The HTTP status that a reply in one piece would have had.
        body: The error body, as JSON.
    """

    status: int
    body: bytes


def to_failure(event: ErrorEvent, *, started: bool) -> StreamError:
    """What an `error` event says: where nothing was sent yet, as an HTTP error reply would."""
    status = status_of(event.error)
    body = to_stream_error(event.error) if started else to_chat_error(event.error, status)
    return StreamError(status, body)


class ChunkStream:
    """Turns the bytes of a messages stream into the bytes of a chat-completions stream.

    Feed the bytes as they come, cut anywhere, and send what `feed` gives; at the end send what `close` gives. A
    stream that fails or ends early gets one error frame and no `[DONE]`; `error` then says why. While `started` is
    false no chunk was made, and an `error` can still be answered with a real HTTP status.
    """

    __slots__ = (
        "_decoder",
        "_max_event_bytes",
        "_max_held_bytes",
        "_may_be_plain",
        "_open",
        "_origin",
        "_out",
        "_plain",
        "_reply",
        "_silent",
        "_stop",
        "_usage",
        "ended",
        "error",
        "finish_reason",
    )

    def __init__(
        self, origin: Origin, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        self.error: StreamError | None = None
        self.ended: bool = False
        self.finish_reason: str | None = None  # once the message was whole
        self._origin = origin
        self._may_be_plain = origin.json_tool is None and not origin.prefill
        self._plain = False  # a text delta becomes a chunk, whichever block it is for
        self._max_event_bytes = max_event_bytes
        self._max_held_bytes = max_held_bytes
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._out: list[bytes] = []
        self._reply: Reply | None = None
        self._open: dict[int, OpenBlock] = {}
        self._silent: set[int] = set()  # open blocks whose text is not content
        self._stop = StopDelta()
        self._usage: Usage = {}

    @property
    def started(self) -> bool:
        """Whether a chunk was made."""
        return self._reply is not None

    @property
    def completion_id(self) -> str | None:
        """The id in every chunk."""
        return None if self._reply is None else self._reply.writer.completion_id

    @property
    def model(self) -> str | None:
        """The model in every chunk, as the messages stream named it."""
        return None if self._reply is None else self._reply.writer.model

    @property
    def usage(self) -> dict[str, Any]:
        """The usage so far under chat names; raises `InvalidReply`."""
        return to_chat_usage(self._usage)

    @property
    def thinking(self) -> Turn | None:
        """The turn, if there is thinking to keep for its calls, once the message was whole."""
        return None if self._reply is None or self.finish_reason is None else self._reply.thinking

    def feed(self, piece: bytes) -> bytes:
        """The bytes to send for the next piece of the messages stream; `b""` while there is nothing to say."""
        reply = self._reply
        if reply is not None and self._decoder.idle and len(piece) <= self._max_event_bytes and not self.ended:
            found = _match_text(piece) if self._plain else None
            if found is not None and (text := found[1]):
                if text.isascii():
                    content = reply.content
                    content.unread += text
                    if len(content.unread) > BATCH:
                        content.read()
                    return b"".join((reply.writer.open_text, text, reply.writer.close_text))
                if chunk := _feed_text(text, reply):
                    return chunk
            if piece[:_DELTA_START] == _DELTA and piece[-2:] == b"\n\n":
                chunks = self._feed_texts(piece, reply) if self._plain and b'"text_delta"' in piece else None
                if chunks is None:
                    chunks = self._feed_delta(piece, reply)
                if chunks is not None:
                    return chunks
        if not self.ended:
            self._take_all(read_events(self._decoder, piece))
        return self._flush()

    def close(self) -> bytes:
        """The bytes to send when the messages stream has ended: an error frame if its message was not whole."""
        return self.fail(incomplete_stream())

    def fail(self, error: InvalidReply) -> bytes:
        """The bytes to send when the messages stream is given up: an error frame, unless it had ended."""
        if not self.ended:
            self._fail(StreamError(error.status, error.body))
        return self._flush()

    def replay(self, message: Message) -> bytes:
        """The whole stream of a message that came in one piece."""
        self._take_all(to_events(message))
        return self._flush()

    # ------------------------------------------------------------ events

    def _feed_texts(self, piece: bytes, reply: Reply) -> bytes | None:
        """The chunks of a piece that is a run of text deltas of the common form; None for any other."""
        texts: list[bytes] = _find_texts(piece)
        if len(texts) != piece.count(b"\n\n") or not all(texts):
            return None
        try:
            said = b'"'.join(texts).decode()  # a quotation mark between keeps halves of a character apart
        except UnicodeDecodeError:
            return None
        reply.content.add(b"".join(texts))
        writer = reply.writer
        chunks = b"".join((writer.open_text, writer.between_texts.join(texts), writer.close_text))
        return escape_separators(chunks) if has_separators(said) else chunks

    def _feed_delta(self, piece: bytes, reply: Reply) -> bytes | None:
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
            self._on_delta(event, reply)
        except InvalidReply as error:
            self._fail(StreamError(error.status, error.body))
        return self._flush()

    def _take_all(self, events: Iterable[Event | SkippedBlock | None]) -> None:
        try:
            for event in events:
                self._take(event)
                if self.ended:
                    break
        except InvalidReply as error:
            self._fail(StreamError(error.status, error.body))

    def _take(self, event: Event | SkippedBlock | None) -> None:
        if isinstance(event, IN_MESSAGE):
            if self._reply is None:
                raise missing_start()
            _HANDLERS[type(event)](self, event, self._reply)
        elif isinstance(event, MessageStart):
            self._start(event)
        elif isinstance(event, ErrorEvent):
            self._fail(to_failure(event, started=self.started))
        elif isinstance(event, Ping) and self.started:
            self._out.append(PING)

    def _start(self, event: MessageStart) -> None:
        if self.started:
            raise second_start()
        self._usage = {**(event.message.usage or {})}
        self._reply = Reply(ChunkWriter(event.message, self._origin, self._out), self._origin, self._max_held_bytes)
        self._plain = self._may_be_plain

    def _on_delta(self, event: ContentBlockDelta, reply: Reply) -> None:
        block, delta = self._open.get(event.index), event.delta
        if block is None:
            if isinstance(delta, TextDelta):
                reply.say(delta.text)  # text that is in no block is not lost either
            elif isinstance(delta, InputJSONDelta):
                raise unopened_block()
            return
        match delta:
            case TextDelta(text):
                block.add_text(text)
            case InputJSONDelta(partial_json):
                block.add_input(partial_json)
            case ThinkingDelta(thinking):
                block.add_thinking(thinking)
            case SignatureDelta(signature):
                block.add_signature(signature)
            case CitationsDelta(citation):
                block.add_citation(citation)
            case _:
                assert_never(delta)

    def _on_block_start(self, event: ContentBlockStart, reply: Reply) -> None:
        self._begin(event.index, lambda: open_block(reply, event.content_block))

    def _on_skipped_block(self, event: SkippedBlock, reply: Reply) -> None:
        self._begin(event.index, lambda: OpenBlock(reply))

    def _begin(self, index: int, begun: Callable[[], OpenBlock]) -> None:
        """Open a block, in place of one that was not closed."""
        self._end(index)
        block = self._open[index] = begun()
        if not isinstance(block, OpenText | OpenCall):
            self._silent.add(index)
            self._plain = False

    def _end(self, index: int) -> None:
        self._silent.discard(index)
        self._plain = self._may_be_plain and not self._silent
        if block := self._open.pop(index, None):
            block.end()

    def _on_block_stop(self, event: ContentBlockStop, _: Reply) -> None:
        self._end(event.index)

    def _on_message_delta(self, event: MessageDelta, reply: Reply) -> None:
        reply.hold(sum(len(name) + memoryview(count).nbytes for name, count in (event.usage or {}).items()))
        if event.delta.stop_reason is not None:
            self._stop = event.delta
        merge_usage(self._usage, event.usage)

    def _on_message_stop(self, _: MessageStop, reply: Reply) -> None:
        for index in tuple(self._open):
            self._end(index)
        # Read before the end is told: a usage that cannot be read is an error, and nothing follows an end.
        usage = self.usage if self._origin.include_usage else None
        reply.end()
        self.finish_reason = reply.writer.finish(self._stop, has_calls=reply.calls > 0, usage=usage)
        self.ended = True
        self._plain = False

    def _fail(self, error: StreamError) -> None:
        self.error = error
        self.ended = True
        self._plain = False
        self._out.append(encode_data(error.body))

    def _flush(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out if out.isascii() else escape_separators(out)


def _feed_text(text: bytes, reply: Reply) -> bytes | None:
    """The chunk of a text that is JSON already; None if it is not UTF-8."""
    try:
        said = text.decode()
    except UnicodeDecodeError:
        return None
    reply.content.add(text)
    if has_separators(said):
        text = escape_separators(text)
    return b"".join((reply.writer.open_text, text, reply.writer.close_text))


_HANDLERS: Final[dict[type, Callable[[ChunkStream, Any, Reply], None]]] = {
    ContentBlockDelta: ChunkStream._on_delta,
    ContentBlockStart: ChunkStream._on_block_start,
    ContentBlockStop: ChunkStream._on_block_stop,
    MessageDelta: ChunkStream._on_message_delta,
    MessageStop: ChunkStream._on_message_stop,
    SkippedBlock: ChunkStream._on_skipped_block,
}
