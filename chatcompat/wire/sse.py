"""Read and write server-sent events, as specified by WHATWG. The data of an event is opaque here.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from typing import Final

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""The default size limit of one event, including its unfinished line."""

_BOM: Final = b"\xef\xbb\xbf"

# An event with one line of data, as most are, if it has no CR. Most pieces are one such event. `.` is all but LF, and
# matched six times as fast as `[^\r\n]`.
_EVENT: Final = rb"(?:event: .*+\n)?+data: (.*+)"
_match_event: Final = re.compile(_EVENT + rb"\n\n").fullmatch
_match_frame: Final = re.compile(_EVENT).fullmatch
LF, CR = b"\n\r"
"""Numbers: for bytes, `in` first tries to convert them to a number, and the exception takes 0.3 µs."""
_SHORT: Final = 1024  # bytes; up to this size, matching is twice as fast as searching, and a slice faster than a view


class EventTooLarge(ValueError):
    """An event exceeds the size limit. `events` holds the complete events before it."""

    def __init__(self, max_bytes: int, events: list[bytes]) -> None:
        super().__init__(f"an event is larger than {max_bytes} bytes")
        self.events = events


class EventDecoder:
    """Turns a stream, split at any byte, into the `data` of its events.

    Only `data` is kept. Event names, ids, retry times and comments have no meaning in these streams.
    An event that is incomplete at the end of the stream is discarded, as the standard requires.
    """

    __slots__ = ("_at_start", "_data", "_line", "_max_bytes", "_skip_lf", "idle")

    def __init__(self, *, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.idle: bool = False  # nothing is buffered: the next piece starts a new event
        self._at_start = True  # a byte order mark may come, possibly split
        self._skip_lf = False  # the last piece ended in CR, so a leading LF belongs to it
        self._line = bytearray()  # the unfinished line
        self._data = bytearray()  # data lines of the unfinished event, each ending in LF
        self._max_bytes = max_bytes

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes. Raises `EventTooLarge`."""
        is_idle, size = self.idle or (self._at_start and not self._line), len(piece)
        if is_idle and size <= self._max_bytes and CR not in piece:
            if size > _SHORT:
                event = _long_event(piece)
            else:
                found = _match_event(piece)
                event = None if found is None else found[1]
            whole = _events_of(piece) if event is None else [event]
            if whole is not None:
                self.idle, self._at_start = True, False
                return whole
        events = self._feed_lines(piece)
        self.idle = not (self._at_start or self._line or self._data or self._skip_lf)
        return events

    def _feed_lines(self, piece: bytes) -> list[bytes]:
        if self._at_start:
            piece = self._without_bom(piece)
        if self._skip_lf and piece:
            self._skip_lf = False
            piece = piece.removeprefix(b"\n")
        if not piece:
            return []
        if LF not in piece and CR not in piece:
            self._line += piece
            self._check(len(self._line), [])
            return []
        if self._line:
            self._line += piece
            piece = bytes(self._line)
            self._line.clear()
        lines = piece.splitlines()  # on bytes, this splits at LF, CR and CRLF only
        self._skip_lf = piece.endswith(b"\r")
        rest = b"" if piece.endswith((b"\n", b"\r")) else lines.pop()
        events: list[bytes] = []
        data, bound = self._data, self._max_bytes
        # Each line counts with the data before it, complete or not, so the result does not depend on the pieces.
        for line in lines:
            if not line:
                if data:
                    del data[-1]
                    events.append(bytes(data))
                    data.clear()
                continue
            if len(data) + len(line) > bound:
                raise EventTooLarge(bound, events)
            if line[:5] == b"data:":
                start = 6 if line[5:6] == b" " else 5
                data += line[start:] if len(line) <= _SHORT else memoryview(line)[start:]  # a view copies it once
                data += b"\n"
            elif line == b"data":
                data += b"\n"
        self._check(len(rest), events)
        self._line += rest
        return events

    def _check(self, unfinished: int, events: list[bytes]) -> None:
        """Check the size of the unfinished event, whose unfinished line has `unfinished` bytes."""
        if len(self._data) + unfinished > self._max_bytes:
            raise EventTooLarge(self._max_bytes, events)

    def _without_bom(self, piece: bytes) -> bytes:
        start = bytes(self._line + piece)
        self._line.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._line += start
            return b""
        self._at_start = False
        return start.removeprefix(_BOM)


def _long_event(piece: bytes) -> bytes | None:
    """The data of a long piece without CR that is one event with one line of data. None for any other piece.

    This is faster than splitting lines, and copies the data once.
    """
    start = piece.find(b"\n") + 1 if piece.startswith(b"event: ") else 0
    end = len(piece) - 2
    if piece.startswith(b"data: ", start) and piece.find(b"\n", start) == end and piece.endswith(b"\n\n"):
        return piece[start + 6 : end]
    return None


def _events_of(piece: bytes) -> list[bytes] | None:
    """The data of each event, if a piece without CR is several short events with one line of data each."""
    *frames, rest = piece.split(b"\n\n")
    if rest or not frames or len(piece) > _SHORT * len(frames):
        return None
    events: list[bytes] = []
    for frame in frames:
        event = _match_frame(frame)
        if event is None:
            return None
        events.append(event[1])
    return events


def encode_data(data: bytes) -> bytes:
    """Encode an event whose data are JSON, in a single line. In JSON, line ends only occur between tokens."""
    return b"data: " + in_one_line(data) + b"\n\n"


def in_one_line(data: bytes) -> bytes:
    """JSON without line ends, which raw values may have."""
    return data.replace(b"\n", b" ").replace(b"\r", b" ")


def encode_comment(text: bytes) -> bytes:
    """Encode a comment, which keeps a connection alive and is not an event."""
    return b": " + text + b"\n\n"
