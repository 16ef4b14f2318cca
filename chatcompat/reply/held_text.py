"""A text that is held until its block is complete, up to a limit."""

from typing import Protocol

from chatcompat.reply.text_digest import to_text


class _Holder(Protocol):
    """Counts what is held, and raises `InvalidReply` above the limit."""

    left: int

    def hold(self, size: int) -> None:
        """Count held bytes."""


class HeldText:
    """A text that is held. Pieces may be appended to `unread`, as with a `TextDigest`."""

    __slots__ = ("_holder", "_pieces", "unread")

    def __init__(self, holder: _Holder) -> None:
        self.unread: bytearray = bytearray()
        self._pieces: list[str] = []
        self._holder = holder

    @property
    def room(self) -> int:
        """How many more bytes may be held."""
        return self._holder.left

    def read(self) -> None:
        """Count and decode the unread pieces."""
        if self.unread:
            piece = to_text(self.unread)
            self.unread.clear()
            self.add(piece)

    def add(self, piece: str) -> None:
        """Add a piece."""
        self._holder.hold(len(piece))
        self._pieces.append(piece)

    @property
    def text(self) -> str:
        """The text so far."""
        self.read()
        return "".join(self._pieces)
