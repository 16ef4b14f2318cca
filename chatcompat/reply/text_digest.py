"""Collect what the key of stored thinking depends on: a digest of the reply's text, and its calls."""

from typing import Final, Literal, NamedTuple

import msgspec

from chatcompat.wire import digests

BATCH: Final = 8 * 1024
"""How many bytes of text are digested at once. Digesting each delta alone would be slower."""

MAX_SAID_BYTES: Final = 1024 * 1024
"""The largest size of all calls of a turn, in bytes. The thinking of a larger turn is not stored."""

CALL_BYTES: Final = 64
"""Bytes that a call counts in addition to its name and arguments. This limits the number of empty calls."""

ENDLESS: Final = 2**63
"""The `room` of a collector that never runs out of it: it keeps no text, or drops what is too large."""

Kind = Literal["function", "custom"]

Call = tuple[Kind, str, str]
"""The kind of a call, its name, and its arguments or input."""

_decode = msgspec.json.Decoder(str).decode


def to_text(unquoted: bytes | bytearray) -> str:
    """Decode a JSON string without its quotation marks."""
    return _decode(b"".join((b'"', unquoted, b'"')))


def _is_blank(text: str | bytes | bytearray) -> bool:
    """Whether a text is empty or white space. The first character decides for nearly all texts."""
    return not text[:1].strip() and not text.strip()


def digest_of(text: str) -> bytes:
    """Return the digest of a text, the same as that of a `TextDigest` of its pieces. Blank text counts as empty."""
    return digests.blake2b(b"" if _is_blank(text) else text.encode(), digest_size=32).digest()


class TextDigest:
    """The length in characters and the digest of a text that arrives in pieces.

    A piece is a JSON string without its quotation marks. A caller that appends to `unread` must call `read` once it is
    longer than `BATCH`.
    """

    __slots__ = ("_blank", "_digest", "_length", "unread")
    room = ENDLESS

    def __init__(self) -> None:
        self.unread: bytearray = bytearray()
        self._length = 0
        self._blank = True
        self._digest = digests.blake2b(digest_size=32)

    def read(self) -> None:
        """Count and digest the unread pieces."""
        unread = self.unread
        if not unread:
            return
        if unread.isascii() and unread.find(b"\\") < 0:  # the text as it is
            self._length += len(unread)
            self._blank = self._blank and _is_blank(unread)
            self._digest.update(unread)
        else:
            text = to_text(unread)
            self._length += len(text)
            self._blank = self._blank and _is_blank(text)
            self._digest.update(text.encode())
        unread.clear()

    def add(self, piece: bytes) -> None:
        """Add a piece."""
        self.unread += piece
        if len(self.unread) > BATCH:
            self.read()

    @property
    def length(self) -> int:
        """The length of the text so far, in characters."""
        self.read()
        return self._length

    @property
    def digest(self) -> bytes:
        """The digest of the text so far."""
        self.read()
        return digest_of("") if self._blank else self._digest.digest()


class KeptText:
    """Like a `TextDigest`, for a text whose pieces are kept anyway."""

    __slots__ = ("length", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length: int = 0

    def add(self, piece: str) -> None:
        """Add a piece."""
        self.pieces.append(piece)
        self.length += len(piece)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    @property
    def digest(self) -> bytes:
        """The digest of the text so far."""
        return digest_of(self.text)


class SaidCall(NamedTuple):
    """A call whose arguments arrive in pieces: parts of one JSON string, without its quotation marks."""

    kind: Kind
    name: str
    arguments: list[bytes]


class CallCollector:
    """The calls of a streamed reply. None are kept if they are too large together.

    A piece is a JSON string without its quotation marks. A caller that appends to `unread` does so for the `current`
    call, and must call `read` once it is longer than `BATCH`.
    """

    __slots__ = ("_calls", "_left", "current", "unread")
    room = ENDLESS

    def __init__(self) -> None:
        self.unread: bytearray = bytearray()
        self.current: SaidCall | None = None
        self._calls: list[SaidCall] = []
        self._left = MAX_SAID_BYTES

    def begin(self, kind: Kind, name: str) -> SaidCall:
        """Begin a call."""
        call = SaidCall(kind, name, [])
        self.turn_to(call)
        self._calls.append(call)
        self._count(CALL_BYTES + len(name))
        return call

    def turn_to(self, call: SaidCall) -> None:
        """Make a call the `current` one."""
        self.read()
        self.current = call

    def read(self) -> None:
        """Count the unread pieces, and add them to the `current` call."""
        if self.current is not None and self.unread:
            self._count(len(self.unread))
            if self._left >= 0:
                self.current.arguments.append(bytes(self.unread))
            self.unread.clear()

    def add(self, call: SaidCall, piece: bytes) -> None:
        """Add a piece to a call."""
        if self.current is not call:
            self.turn_to(call)
        self.unread += piece
        if len(self.unread) > BATCH:
            self.read()

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            for call in self._calls:
                call.arguments.clear()
            self._calls.clear()

    def whole(self) -> list[Call]:
        """Return the calls, each with all of its arguments."""
        self.read()
        return [(kind, name, to_text(b"".join(arguments))) for kind, name, arguments in self._calls]
