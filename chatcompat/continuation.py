"""A turn that the service pauses (`stop_reason: pause_turn`) and goes on with: its parts joined into one message.

Natively the client sends the turn so far back as an assistant message, and the service goes on with it. A
chat-completions client knows no such thing, so that is done for it, on the native side: what is translated is one
message, or one stream, as if there had been no pause. Only requests with tools of the service's own can pause, so the
values here are plain decoded JSON.

https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS
from chatcompat.sse import EventDecoder

PAUSE: Final = "pause_turn"

JSON = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JSON).decode
_request = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode


def continued_body(body: bytes, content: list[JSON]) -> bytes:
    """The messages request with the turn so far at its end."""
    request = _request(body)
    turn = {"role": "assistant", "content": [block for block in content if block.get("text") != ""]}
    request["messages"] = Raw(_encode([*_list(request["messages"]), turn]))
    return _encode(request)


def add_counts(total: JSON, more: JSON) -> JSON:
    """Two usages as one: counts are summed, at any depth, and of anything else the newer is kept."""
    summed = dict(total)
    for name, count in more.items():
        before = summed.get(name)
        if isinstance(count, dict) and isinstance(before, dict):
            summed[name] = add_counts(before, count)
        elif _is_count(count) and _is_count(before):
            summed[name] = before + count
        elif count is not None or name not in summed:
            summed[name] = count
    return summed


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Turn:
    """The turn so far: its content as the service wrote it, and the usage of the parts that ended in a pause."""

    def __init__(self) -> None:
        self.content: list[JSON] = []
        self.usage: JSON = {}
        self.message_id: Any = None
        self.streams = False  # whether its first part came as a stream

    def take_message(self, body: bytes) -> JSON | None:
        """Take a part that came whole; gives the message so far, or None for what is no message."""
        try:
            message = _decode(body)
        except DECODE_ERRORS:
            return None
        content, usage = message.get("content"), message.get("usage") or {}
        if not isinstance(content, list) or not isinstance(usage, dict):
            return None
        self.content += content
        self.usage = add_counts(self.usage, usage)
        self.message_id = self.message_id or message.get("id")
        return {**message, "id": self.message_id, "content": self.content, "usage": self.usage}


class StreamPart:
    """Passes on the events of one part of a turn as events of the whole one.

    `feed` gives the bytes of a messages stream. Unless it is the `last` part, a pause is not told: `paused` then says
    that another part is to come. What cannot be read is passed on as it is, for the reader of the stream to judge.
    """

    def __init__(self, turn: Turn, *, first: bool, last: bool, max_event_bytes: int) -> None:
        self.paused = False
        self._turn = turn
        self._first = first
        self._last = last
        self._decoder = EventDecoder(max_bytes=max_event_bytes)
        self._offset = len(turn.content)  # indexes of a part begin at 0
        self._blocks: dict[int, JSON] = {}
        self._pieces: dict[int, list[str]] = {}
        self._usage: JSON = {}
        self._can_go_on = True  # whether the content could be rebuilt from its deltas

    def feed(self, piece: bytes) -> bytes:
        """The bytes to pass on; raises `EventTooLarge`."""
        return b"".join(map(self._take, self._decoder.feed(piece)))

    def _take(self, payload: bytes) -> bytes:
        if self.paused:
            return b""
        try:
            event = _decode(payload)
            told = self._on_event(event)
        except (*DECODE_ERRORS, AttributeError, KeyError, TypeError):
            return b"data: " + payload.replace(b"\n", b"\ndata: ") + b"\n\n"
        return b"" if told is None else b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), _encode(told))

    def _on_event(self, event: JSON) -> JSON | None:
        match event["type"]:
            case "message_start":
                self._usage = dict(event["message"].get("usage") or {})
                return event if self._first else None
            case "content_block_start":
                self._start_block(event["index"], event["content_block"])
            case "content_block_delta":
                self._grow_block(event["index"], event["delta"])
            case "content_block_stop":
                self._end_block(event["index"])
            case "message_delta":
                return self._on_message_delta(event)
        return {**event, "index": event["index"] + self._offset} if "index" in event else event

    def _start_block(self, index: int, block: JSON) -> None:
        self._blocks[index] = dict(block)
        self._pieces[index] = []
        self._turn.content.append(self._blocks[index])

    def _grow_block(self, index: int, delta: JSON) -> None:
        block = self._blocks[index]
        match delta["type"]:
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
            case "input_json_delta":
                self._pieces[index].append(delta["partial_json"])
            case _:
                self._can_go_on = False

    def _end_block(self, index: int) -> None:
        if given := "".join(self._pieces.pop(index)):
            self._blocks[index]["input"] = _decode(given)

    def _on_message_delta(self, event: JSON) -> JSON | None:
        usage = self._usage | {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
        if event["delta"].get("stop_reason") == PAUSE and not self._last and self._can_go_on:
            self._turn.usage = add_counts(self._turn.usage, usage)
            self.paused = True
            return None
        return {**event, "usage": add_counts(self._turn.usage, usage)}
