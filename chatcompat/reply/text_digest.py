"""What a reply says, as far as the key of its thinking needs it: a digest of its text, and its calls."""

from hashlib import blake2b
from typing import Final, Literal, NamedTuple

import msgspec

BATCH: Final = 8 * 1024
"""How many bytes of text wait to be counted and digested: doing so with each delta would cost more."""

MAX_SAID_BYTES: Final = 1024 * 1024
"""How much the calls of one turn may say; a turn that says more is not kept."""

CALL_BYTES: Final = 64
"""What a call counts beside its name and arguments, so that there is a bound on calls that say nothing."""

MAX_PIECES: Final = 256
"""How many pieces of arguments wait to be counted and joined."""

Kind = Literal["function", "custom"]

Call = tuple[Kind, str, str]
"""The kind of a call, its name, and its arguments or input."""

_decode = msgspec.json.Decoder(str).decode


def _to_text(unquoted: bytes | bytearray) -> str:
    return _decode(b"".join((b'"', unquoted, b'"')))


def digest_of(text: str) -> bytes:
    """The digest of a text, the same as that of its pieces in a `TextDigest`."""
    return blake2b(text.encode(), digest_size=32).digest()


class TextDigest:
    """The length in characters of a text that comes in pieces, and its digest.

    A piece is JSON text without its quotation marks. Whoever adds to `unread` calls `read` above `BATCH`.
    """

    __slots__ = ("_digest", "_length", "unread")

    def __init__(self) -> None:
        self.unread: bytearray = bytearray()
        self._length = 0
        self._digest = blake2b(digest_size=32)

    def read(self) -> None:
        """Count and digest the pieces so far."""
        if self.unread:
            text = _to_text(self.unread)
            self.unread.clear()
            self._length += len(text)
            self._digest.update(text.encode())

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        self.unread += piece
        if len(self.unread) > BATCH:
            self.read()

    @property
    def length(self) -> int:
        """How many characters there are so far."""
        self.read()
        return self._length

    @property
    def digest(self) -> bytes:
        """The digest of the text so far."""
        self.read()
        return self._digest.digest()


class KeptText:
    """The same of a text whose pieces are kept anyway."""

    __slots__ = ("length", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length: int = 0

    def add(self, piece: str) -> None:
        """Take a piece."""
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
    """A call whose arguments come in pieces."""

    kind: Kind
    name: str
    arguments: list[bytes]
    """Parts of one JSON text, without its quotation marks."""


class CallCollector:
    """The calls of a reply that comes in pieces; none of a reply whose calls are too large.

    A piece is JSON text with its quotation marks. Whoever adds to `unread` does so for the `current` call, and calls
    `read` above `MAX_PIECES` pieces or behind one above `BATCH`.
    """

    __slots__ = ("_calls", "_left", "current", "unread")

    def __init__(self) -> None:
        self.unread: list[bytes] = []
        self.current: SaidCall | None = None
        self._calls: list[SaidCall] = []
        self._left = MAX_SAID_BYTES

    def begin(self, kind: Kind, name: str) -> SaidCall:
        """Take the beginning of a call."""
        call = SaidCall(kind, name, [])
        self.turn_to(call)
        self._calls.append(call)
        self._count(CALL_BYTES + len(name))
        return call

    def turn_to(self, call: SaidCall) -> None:
        """Take the next pieces for a call."""
        self.read()
        self.current = call

    def read(self) -> None:
        """Count the pieces so far, and keep them in their call."""
        if self.current is not None:
            arguments = b"".join([piece[1:-1] for piece in self.unread])
            self.unread.clear()
            self._count(len(arguments))
            if self._left >= 0:
                self.current.arguments.append(arguments)

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            for call in self._calls:
                call.arguments.clear()
            self._calls.clear()

    def whole(self) -> list[Call]:
        """The calls, each with all of its arguments."""
        self.read()
        return [(kind, name, _to_text(b"".join(arguments))) for kind, name, arguments in self._calls]
