"""Resume a turn that the service paused (`stop_reason: pause_turn`), and join its parts into one message.

A native client resumes a paused turn by sending the turn so far as an assistant message. Chat completions have no
pauses, so this is done for the client, before the reply is translated. The translation gets one message, or one stream.
Blocks of any type are sent back byte for byte, so they stay raw here.

https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn
"""

from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.reply.raw_blocks import Fields, GrowingBlock, decode_fields
from chatcompat.reply.turn_parts import (
    PartDelta,
    PartEvent,
    PartHead,
    PartStart,
    decode_container,
    decode_head,
    decode_part_event,
    decode_text,
)
from chatcompat.reply.usage import add_counts
from chatcompat.wire.decode import merge_usage
from chatcompat.wire.message_reply import NULL, Usage
from chatcompat.wire.sse import EventDecoder, EventTooLarge, encode_data
from chatcompat.wire.utf8 import require_utf8

PAUSE: Final = "pause_turn"

_BRACE: Final = ord("{")
_OF_BLOCKS: Final = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})

_encode = msgspec.json.Encoder().encode
_list = msgspec.json.Decoder(list[Raw]).decode
_str = msgspec.json.Decoder(str).decode


def continued_body(body: bytes, turn: "PausedTurn") -> bytes:
    """Return the messages request with the turn so far at its end, as the service takes it.

    It refuses blank texts, and white space at the end of the last block. A turn without any content begins anew.

    The turn continues in its container, with the skills that the request loaded into it.
    """
    request = decode_fields(body)
    content = [block for block in turn.content if (said := _text_of(block)) is None or said.strip()]
    changed = _continued_container(request, turn.container)
    if content:
        content[-1] = _without_trailing_space(content[-1])
        changed["messages"] = Raw(_encode([*_list(request["messages"]), {"role": "assistant", "content": content}]))
    return _encode({**request, **changed})


def _text_of(block: Raw) -> str | None:
    """The text of a block. None if it has none."""
    raw = bytes(decode_text(block).text)
    return _str(raw) if raw[:1] == b'"' else None


def _without_trailing_space(block: Raw) -> Raw:
    """The last block. Only a text that ends in white space is changed."""
    text = _text_of(block)
    if text is None or text == text.rstrip():
        return block
    return Raw(_encode(decode_fields(block) | {"text": text.rstrip()}))


def _continued_container(request: Fields, container: Raw) -> Fields:
    try:
        container_id = Raw(_encode(decode_container(container).id))
    except DECODE_ERRORS:  # there is none
        return {}
    requested = request.get("container", NULL)
    if bytes(memoryview(requested)[:1]) == b"{":
        return {"container": Raw(_encode(decode_fields(requested) | {"id": container_id}))}
    return {"container": container_id}


def not_continued() -> InvalidReply:
    """Return the error for a paused turn whose next part is not a message."""
    return InvalidReply("The messages service did not resume a turn that it had paused.")


def _read_head(body: bytes) -> PartHead:
    """Return a message whose raw values are safe to send; raises `DECODE_ERRORS`."""
    require_utf8(body)
    head = decode_head(body)
    for block in head.content:
        decode_text(block)
    return head


class PausedTurn:
    """The turn so far: its unchanged content, its container, and the usage of its paused parts."""

    def __init__(self, *, max_bytes: int) -> None:
        self.content: list[Raw] = []
        self.container: Raw = NULL
        self.usage: Usage = {}
        self.streams = False  # whether its first part was a stream
        self._message_id = NULL
        self.left = max_bytes  # bytes of streams that may still be kept; below 0 the turn is not resumed

    def take_message(self, body: bytes, *, first: bool, last: bool) -> bytes | None:
        """Add a whole part. Returns the message so far, or None if the turn is paused and will be resumed.

        An invalid `first` part is returned unchanged, since the translation reports it. Raises `InvalidReply` if a
        later part is not a message, or if the usages cannot be summed.
        """
        try:
            head = _read_head(body)
        except DECODE_ERRORS:
            if first:
                return body
            raise not_continued() from None
        paused = head.stop_reason == PAUSE and not last
        if first and not paused:
            return body
        self._message_id = head.id if first else self._message_id
        self.content += head.content
        self.usage = add_counts(self.usage, head.usage or {})
        self.use_container(head.container)
        if paused:
            return None
        joined = {"id": self._message_id, "content": self.content, "usage": self.usage}
        if self.container != NULL:
            joined["container"] = self.container
        return _encode(decode_fields(body) | joined)

    def use_container(self, container: Raw) -> None:
        """Use the container of a part, if it has one."""
        if container != NULL:
            self.container = container


class _Growing(GrowingBlock):
    """An open block of a stream."""

    __slots__ = ("position",)

    position: int  # among the blocks of the part

    def grow(self, delta: PartDelta) -> bool:
        """Add a delta. Returns False if its type is unknown."""
        match delta.type:
            case "text_delta":
                self.add_text("text", delta.text)
            case "thinking_delta":
                self.add_text("thinking", delta.thinking)
            case "signature_delta":
                self.set_field("signature", Raw(_encode(delta.signature)))
            case "citations_delta" if delta.citation is not NULL:
                self.add_citation(delta.citation)
            case "input_json_delta":
                self.add_input(delta.partial_json)
            case "compaction_delta":
                self.add_unknown({"content": delta.content, "encrypted_content": delta.encrypted_content})
            case _:
                return False
        return True


class StreamPart:
    """Rewrites the events of one part of a turn so that all parts form one stream.

    `feed` returns the bytes of a messages stream. If the part ends in a pause and is not the `last` one, `feed` leaves
    the pause out and sets `paused`: the turn is to be resumed. Unreadable events are passed on unchanged, since the
    translation reports them. A turn with such an event, or one that is too large to keep, is not resumed.
    """

    def __init__(self, turn: PausedTurn, *, first: bool, last: bool, max_event_bytes: int) -> None:
        self.paused: bool = False
        self.too_large: bool = False  # an event was too large, and nothing after it is read
        self._turn = turn
        self._first = first
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._is_idle = True  # whether no event is incomplete
        self._offset = len(turn.content)  # block indexes of each part start at 0
        self._blocks: list[_Growing | Raw] = []  # raw once complete
        self._open: dict[int, _Growing] = {}
        self._usage: Usage = {}
        self._can_go_on = not last

    def feed(self, piece: bytes) -> bytes:
        """Return the bytes to pass on; raises `InvalidReply` if the usages cannot be summed."""
        was_idle = self._is_idle
        try:
            payloads = self._decoder.feed(piece)
        except EventTooLarge as error:
            payloads, self.too_large = error.events, True
        self._is_idle = self._decoder.idle
        taken = [*map(self._take, payloads)]
        if was_idle and self._is_idle and not self.too_large and taken == payloads:
            return piece  # whole events, all unchanged
        return b"".join(encode_data(payload) for payload in taken if payload is not None)

    def _take(self, payload: bytes) -> bytes | None:
        """Return the event to pass on, or None to leave it out."""
        if self.paused:
            return None
        try:
            require_utf8(payload)
            event = decode_part_event(payload)
        except DECODE_ERRORS:
            self._give_up()
            return payload
        if event.type in _OF_BLOCKS:  # most events
            if self._can_go_on and not self._keep(event, len(payload)):
                self._give_up()
        elif event.type == "message_start":
            self._start(event.message)
            return payload if self._first else None
        elif event.type == "message_delta":
            return self._end(event, payload)
        if self._offset and event.index is not None:
            return _encode(decode_fields(payload) | {"index": event.index + self._offset})
        return payload

    def _start(self, message: PartStart | None) -> None:
        if message is not None:
            self._turn.use_container(message.container)
            merge_usage(self._usage, message.usage)

    def _end(self, event: PartEvent, payload: bytes) -> bytes | None:
        """Read a `message_delta`. Returns the event to pass on, or None for a pause."""
        if event.delta is not None:
            self._turn.use_container(event.delta.container)
        merge_usage(self._usage, event.usage)
        if self._pauses(event):
            return None
        return payload if self._first else _encode(decode_fields(payload) | self._end_of_turn(payload))

    def _end_of_turn(self, payload: bytes) -> dict[str, object]:
        """The fields of a later part's `message_delta` that describe the whole turn."""
        changed: dict[str, object] = {"usage": add_counts(self._turn.usage, self._usage)}
        delta = decode_fields(payload).get("delta", NULL)
        if NULL not in (self._turn.container, delta):
            changed["delta"] = decode_fields(delta) | {"container": self._turn.container}
        return changed

    def _pauses(self, event: PartEvent) -> bool:
        """Read the end of the part. If the turn is to be resumed, keep its content and return True."""
        if event.delta is None or event.delta.stop_reason != PAUSE or not self._can_go_on:
            return False
        if not all(map(self._build, self._open.values())):  # blocks without an end event are complete now
            return False
        self._turn.content += [block for block in self._blocks if isinstance(block, Raw)]
        self._turn.usage = add_counts(self._turn.usage, self._usage)
        self.paused = True
        return True

    def _keep(self, event: PartEvent, size: int) -> bool:
        """Keep the content of an event of a block. Returns False if it cannot be kept."""
        index, turn = event.index, self._turn
        turn.left -= size
        if index is None or turn.left < 0:
            return False
        growing = self._open.get(index)
        if event.type == "content_block_start":
            if memoryview(event.content_block)[0] != _BRACE or not (growing is None or self._build(growing)):
                return False
            self._open[index] = begun = _Growing(event.content_block)
            begun.position = len(self._blocks)
            self._blocks.append(begun)
            return True
        if growing is None:
            return False
        if event.type == "content_block_delta":
            return event.delta is not None and growing.grow(event.delta)
        del self._open[index]
        return self._build(growing)

    def _build(self, growing: _Growing) -> bool:
        """Replace an open block with the complete one. Returns False if it is incomplete."""
        try:
            self._blocks[growing.position] = growing.built()
        except DECODE_ERRORS:
            return False
        return True

    def _give_up(self) -> None:
        self._can_go_on = False
        self._blocks.clear()
        self._open.clear()
