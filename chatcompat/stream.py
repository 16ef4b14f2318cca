"""Stream events -> chunks."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from chatcompat.errors import DECODE_ERRORS, InvalidReply, status_of, to_stream_error
from chatcompat.events import (
    IN_MESSAGE,
    SkippedBlock,
    incomplete_stream,
    merge_usage,
    missing_start,
    read_events,
    second_start,
    to_events,
    unopened_block,
)
from chatcompat.messages import (
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
    StopDelta,
    TextBlock,
    TextDelta,
    ToolUseBlock,
    Usage,
)
from chatcompat.response import (
    CallIds,
    Origin,
    to_chat_usage,
    to_completion_id,
    to_finish_reason,
    to_refusal,
)
from chatcompat.sse import MAX_EVENT_BYTES, EventDecoder, encode_comment, encode_data

PING: Final = encode_comment(b"ping")
DONE: Final = encode_data(b"[DONE]")

# Ends of line to some clients' readers, though not to the standard; in JSON an escape says the same.
_LINE_SEPARATORS: Final = (
    ("\u0085".encode(), b"\\u0085"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)

# How a text delta stands on the wire when a server sends each in a piece of its own.
_DELTA: Final = b"event: content_block_delta\ndata: "
_DELTA_START: Final = len(_DELTA)

_encode = msgspec.json.Encoder().encode
_decode_delta = msgspec.json.Decoder(ContentBlockDelta | Ping).decode  # of a union the type must be there


class StreamError(Struct, frozen=True):
    """Why a stream failed: the HTTP status that it would have had, and the error body."""

    status: int
    body: bytes


def _escape_separators(chunks: bytes) -> bytes:
    """In JSON anything outside ASCII stands in a string, so this can be done on whole frames."""
    for separator, escape in _LINE_SEPARATORS:
        chunks = chunks.replace(separator, escape)
    return chunks


class _Input:
    """An open block whose pieces are a tool's input: where they go, and what to send if none comes."""

    __slots__ = ("fallback", "head", "sent", "tail")

    def __init__(self, head: bytes, tail: bytes, fallback: bytes) -> None:
        self.head = head
        self.tail = tail
        self.fallback = fallback
        self.sent = False


class ChunkStream:
    """Turns the bytes of a messages stream into the bytes of a chat-completions stream.

    Feed the bytes as they come, cut anywhere, and send what `feed` gives; at the end send what `close` gives. A
    stream that fails or ends early gets one error frame and no `[DONE]`; `error` then says why. While `started` is
    false no chunk was made, and an `error` can still be answered with a real HTTP status.
    """

    __slots__ = (
        "_calls",
        "_close_chunk",
        "_decoder",
        "_delta",
        "_held_text",
        "_ids",
        "_json_seen",
        "_max_event_bytes",
        "_open",
        "_origin",
        "_out",
        "_plain",
        "_shared",
        "_silent",
        "_stop",
        "_tail",
        "_text",
        "_text_tail",
        "_usage",
        "ended",
        "error",
        "started",
    )

    def __init__(self, origin: Origin, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.error: StreamError | None = None
        self.started = False
        self.ended = False
        self._origin = origin
        self._plain = False  # a text delta becomes a chunk, whichever block it is for
        self._max_event_bytes = max_event_bytes
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._out: list[bytes] = []
        self._open: dict[int, _Input | None] = {}  # None: an open block that sends no input
        self._silent: set[int] = set()  # open blocks that send nothing: thinking, and what we do not know
        self._calls = 0
        self._ids = CallIds()
        self._json_seen = False
        self._held_text: list[str] = []
        self._stop = StopDelta()
        self._usage: Usage = {}

    def feed(self, piece: bytes) -> bytes:
        """The bytes to send for the next piece of the messages stream; `b""` while there is nothing to say."""
        if self._plain and self._decoder.idle and piece[:_DELTA_START] == _DELTA and piece[-2:] == b"\n\n":
            chunk = self._feed_delta(piece)
            if chunk is not None:
                return chunk
        if not self.ended:
            self._take_all(read_events(self._decoder, piece))
        return self._flush()

    def close(self) -> bytes:
        """The bytes to send when the messages stream has ended: an error frame if its message was not whole."""
        if not self.ended:
            error = incomplete_stream()
            self._fail(StreamError(error.status, error.body))
        return self._flush()

    def replay(self, message: Message) -> bytes:
        """The whole stream of a message that came in one piece."""
        self._take_all(to_events(message))
        return self._flush()

    # ------------------------------------------------------------ events

    def _feed_delta(self, piece: bytes) -> bytes | None:
        """The chunk of a piece that is one text delta and nothing else, which most are; None for any other.

        The piece is known to begin as such a frame and to end as a frame: with no end of line in between it is one.
        """
        payload = piece[_DELTA_START:-2]
        if b"\n" in payload or b"\r" in payload or len(piece) > self._max_event_bytes:
            return None
        try:
            event = _decode_delta(payload)
        except DECODE_ERRORS:
            return None
        if type(event) is not ContentBlockDelta or type(delta := event.delta) is not TextDelta or not delta.text:
            return None
        chunk = b"".join((self._text, _encode(delta.text), self._text_tail))
        return chunk if delta.text.isascii() else _escape_separators(chunk)

    def _take_all(self, events: Iterable[Event | SkippedBlock | None]) -> None:
        try:
            for event in events:
                self._take(event)
                if self.ended:
                    break
        except InvalidReply as error:
            self._fail(StreamError(error.status, error.body))

    def _take(self, event: Event | SkippedBlock | None) -> None:
        if not self.started and isinstance(event, IN_MESSAGE):
            raise missing_start()
        if on_event := _HANDLERS.get(type(event)):
            on_event(self, event)

    def _on_message_start(self, event: MessageStart) -> None:
        """Build what all chunks share, once a stream, and send the first one."""
        if self.started:
            raise second_start()
        message = event.message
        self._usage = {**(message.usage or {})}
        self._shared = _escape_separators(
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":'
            % (_encode(to_completion_id(message.id)), self._origin.created, _encode(message.model))
        )
        self._delta = self._shared + b'[{"index":0,"delta":'
        self._close_chunk = b',"usage":null}\n\n' if self._origin.include_usage else b"}\n\n"
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._close_chunk
        self._text = self._delta + b'{"content":'
        self._text_tail = b"}" + self._tail
        self.started = True
        self._plain = self._origin.json_tool is None
        self._out += (self._delta, b'{"role":"assistant","content":""}', self._tail)

    def _on_delta(self, event: ContentBlockDelta) -> None:
        delta = event.delta
        if isinstance(delta, TextDelta):
            if event.index not in self._silent:
                self._say(delta.text)
        elif isinstance(delta, InputJSONDelta):
            self._add_input(event.index, delta.partial_json)

    def _on_block_start(self, event: ContentBlockStart) -> None:
        index, block = event.index, event.content_block
        self._begin(index, silent=not isinstance(block, TextBlock | ToolUseBlock))
        if isinstance(block, TextBlock):
            self._say(block.text)
        elif isinstance(block, ToolUseBlock):
            if block.name != self._origin.json_tool:
                self._open[index] = self._start_call(block)
            elif not self._json_seen:
                self._json_seen = True
                self._open[index] = _Input(self._text, self._text_tail, bytes(block.input))

    def _on_skipped_block(self, event: SkippedBlock) -> None:
        self._begin(event.index, silent=True)

    def _on_block_stop(self, event: ContentBlockStop) -> None:
        self._end(event.index)

    def _on_message_delta(self, event: MessageDelta) -> None:
        if event.delta.stop_reason is not None:
            self._stop = event.delta
        merge_usage(self._usage, event.usage)

    def _on_message_stop(self, _: MessageStop) -> None:
        for index in tuple(self._open):
            self._end(index)
        if self._held_text and not self._json_seen:
            self._out += (self._text, _encode("".join(self._held_text)), self._text_tail)
        self._finish()

    def _on_error(self, event: ErrorEvent) -> None:
        self._fail(StreamError(status_of(event.error), to_stream_error(event.error)))

    def _on_ping(self, _: Ping) -> None:
        if self.started:
            self._out.append(PING)

    # ------------------------------------------------------------ chunks

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._origin.json_tool is not None:  # JSON may follow, and text before it would spoil it
            self._held_text.append(text)
        else:
            self._out += (self._text, _encode(text), self._text_tail)

    def _start_call(self, block: ToolUseBlock) -> _Input:
        """Send the first delta of a call; its index counts calls, not blocks."""
        call = self._calls
        self._calls += 1
        name = self._origin.tool_names.get(block.name, block.name)
        self._out.append(
            b'%b{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]}%b'
            % (self._delta, call, _encode(self._ids.unique(block.id)), _encode(name), self._tail)
        )
        head = b'%b{"tool_calls":[{"index":%d,"function":{"arguments":' % (self._delta, call)
        return _Input(head, b"}}]}" + self._tail, bytes(block.input))

    def _add_input(self, index: int, partial_json: str) -> None:
        if index not in self._open:
            raise unopened_block()
        block = self._open[index]
        if block is not None and partial_json:
            block.sent = True
            self._out += (block.head, _encode(partial_json), block.tail)

    def _begin(self, index: int, *, silent: bool) -> None:
        """Open a block, in place of one that was not closed."""
        self._end(index)
        self._open[index] = None
        if silent:
            self._silent.add(index)
            self._plain = False

    def _end(self, index: int) -> None:
        """Close a block; a call without arguments sends none natively, and clients want an object."""
        self._silent.discard(index)
        self._plain = self._origin.json_tool is None and not self._silent
        block = self._open.pop(index, None)
        if block is not None and not block.sent:
            self._out += (block.head, _encode(block.fallback.decode()), block.tail)

    def _finish(self) -> None:
        stop, end = self._stop, self._close_chunk
        # Read before the end is told: a usage that cannot be read is an error, and nothing follows an end.
        usage = _encode(to_chat_usage(self._usage)) if self._origin.include_usage else None
        if refusal := to_refusal(stop.stop_reason, stop.stop_details):
            self._out += (self._delta, b'{"refusal":', _encode(refusal), self._text_tail)
        reason = to_finish_reason(stop.stop_reason, has_calls=self._calls > 0)
        matched = b',"stop_sequence":' + _encode(stop.stop_sequence) if stop.stop_sequence else b""
        self._out.append(
            b'%b{},"logprobs":null,"finish_reason":%b,"native_finish_reason":%b%b}]%b'
            % (self._delta, _encode(reason), _encode(stop.stop_reason), matched, end)
        )
        if usage is not None:
            self._out.append(b'%b[],"usage":%b}\n\n' % (self._shared, usage))
        self._out.append(DONE)
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
        return out if out.isascii() else _escape_separators(out)


_HANDLERS: Final[dict[type, Callable[[ChunkStream, Any], None]]] = {
    ContentBlockDelta: ChunkStream._on_delta,
    ContentBlockStart: ChunkStream._on_block_start,
    ContentBlockStop: ChunkStream._on_block_stop,
    ErrorEvent: ChunkStream._on_error,
    MessageDelta: ChunkStream._on_message_delta,
    MessageStart: ChunkStream._on_message_start,
    MessageStop: ChunkStream._on_message_stop,
    Ping: ChunkStream._on_ping,
    SkippedBlock: ChunkStream._on_skipped_block,
}
