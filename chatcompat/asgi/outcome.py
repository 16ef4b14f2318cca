"""Bounds of the names in an `ExchangeRecord`."""

from collections.abc import Sequence
from typing import Final

MAX_NAME: Final = 200
"""Characters kept of a name that a client chose."""
MAX_IGNORED: Final = 64
"""Names kept in `ignored`. One further entry counts the rest."""


def bounded(ignored: Sequence[str]) -> tuple[str, ...]:
    """The ignored names, bounded for a record."""
    names = [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]
    if len(ignored) > MAX_IGNORED:
        names.append(f"... {len(ignored) - MAX_IGNORED} more")
    return tuple(names)
