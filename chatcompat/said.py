"""What a streamed reply says, as far as the key of its thinking needs it: a digest of its text, and its calls."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Literal

import msgspec

BATCH: Final = 8 * 1024
"""How many bytes of text wait to be counted and digested: doing so with each delta would cost more."""

MAX_SAID_BYTES: Final = 1024 * 1024
"""How much the calls of one turn may say; a turn that says more is not kept."""

CALL_BYTES: Final = 64
"""What a call counts beside its name and arguments, so that there is a bound on calls that say nothing."""

Kind = Literal["function", "custom"]

Call = tuple[Kind, str, str]
"""The kind of a call, its name, and its arguments or input."""

_decode = msgspec.json.Decoder(str).decode


def _to_text(unquoted: bytearray) -> str:
    return _decode(b"".join((b'"', unquoted, b'"')))


def digest_of(text: str) -> bytes:
    """The digest of a text, the same as that of its pieces in a `SaidText`."""
    return blake2b(text.encode(), digest_size=32).digest()


class SaidText:
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


class SaidCalls:
    """The calls of a reply that comes in pieces; none of a reply whose calls are too large."""

    __slots__ = ("_calls", "_left")

    def __init__(self) -> None:
        self._calls: list[tuple[Kind, str, bytearray]] = []
        self._left = MAX_SAID_BYTES

    def begin(self, kind: Kind, name: str) -> Callable[[bytes], None]:
        """Take the beginning of a call; gives what takes the pieces of its arguments, as JSON text."""
        arguments = bytearray()
        self._calls.append((kind, name, arguments))
        self._left -= CALL_BYTES + len(name)

        def add(piece: bytes) -> None:
            self._left -= len(piece)
            if self._left >= 0:
                arguments.extend(piece)
            else:
                self._calls.clear()

        add(b"")
        return add

    def whole(self) -> list[Call]:
        """The calls, each with all of its arguments."""
        return [(kind, name, _to_text(arguments)) for kind, name, arguments in self._calls]
