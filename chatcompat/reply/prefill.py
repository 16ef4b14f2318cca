"""Remove a prefill that the inner app repeats at the start of its reply. The client already has it."""


class PrefillFilter:
    """Removes the prefill from the start of a streamed text. A text with another start is unchanged."""

    __slots__ = ("_matched", "_prefill")

    def __init__(self, prefill: str) -> None:
        self._prefill = prefill
        self._matched = 0  # how many characters of the prefill have arrived. These are held

    def feed(self, text: str) -> str:
        """Return the next text without the prefill. Text that may belong to the prefill is held."""
        prefill, before = self._prefill, self._matched
        if not prefill:
            return text
        repeated = min(len(text), len(prefill) - before)
        if not prefill.startswith(text[:repeated], before):
            self._prefill = ""
            return prefill[:before] + text
        self._matched += repeated
        if self._matched == len(prefill):
            self._prefill = ""
        return text[repeated:]

    @property
    def waits(self) -> bool:
        """Whether the next text may still belong to the prefill."""
        return bool(self._prefill)

    def flush(self) -> str:
        """Return the held text at the end of the reply. It was not the prefill."""
        return self._prefill[: self._matched]
