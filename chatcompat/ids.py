"""Ids of calls, each used once: some servers give the same one twice, in one reply or in every turn."""


class UniqueIds:
    """Keeps the ids of one conversation or reply apart."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def unique(self, call_id: str) -> str:
        """`call_id`, or where it was given before one like it that was not."""
        unique, count = call_id, 1
        while unique in self._seen:
            count += 1
            unique = f"{call_id}_{count}"
        self._seen.add(unique)
        return unique
