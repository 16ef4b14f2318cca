"""What a reply was, read from its own bytes: for the record of its exchange."""

from collections.abc import Sequence
from typing import Final

MAX_NAME: Final = 200
"""Characters of what a client named."""
MAX_IGNORED: Final = 64
"""Names in `ignored`; where there are more, one further entry says how many."""


def bounded(ignored: Sequence[str]) -> tuple[str, ...]:
    """The names as a record has them."""
    names = [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]
    if len(ignored) > MAX_IGNORED:
        names.append(f"... {len(ignored) - MAX_IGNORED} more")
    return tuple(names)
