"""Replace tool names that the native API does not accept, without collisions."""

import re
from collections.abc import Collection
from typing import Final

from chatcompat.wire import digests

_LONGEST: Final = 128
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_OUTSIDE: Final = re.compile(r"[^a-zA-Z0-9_-]")


def is_native(name: str) -> bool:
    """Whether the native API accepts a name."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


class ToolNames:
    """Maps names that the native API does not accept. A name always maps to the same native name.

    `restored` maps native names back to the client's for the reply. `custom` holds the native names of custom tools,
    whose calls become custom calls in the reply.
    """

    def __init__(self) -> None:
        self.offered: Collection[str] = ()
        self.restored: dict[str, str] = {}
        self.custom: set[str] = set()
        self._native: dict[str, str] = {}  # by the client's name

    def to_native(self, name: str) -> str:
        """`name`, or the native name that replaces it."""
        native = self._native.get(name)
        if native is None:
            native = self._native[name] = name if is_native(name) else self._replacement(name)
        return native

    def _replacement(self, name: str) -> str:
        cleaned = _OUTSIDE.sub("_", name[:100])
        native, salt = "", 0
        while not native or native in self.offered or native in self.restored:
            digest = digests.blake2b(name.encode(), digest_size=6, salt=salt.to_bytes(4)).hexdigest()
            native = f"{cleaned}_{digest}"
            salt += 1
        self.restored[native] = name
        return native
