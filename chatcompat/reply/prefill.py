"""A prefill that the inner app repeats at the beginning of its reply: the client has it already."""


class PrefillFilter:
    """Takes the text of a reply as it comes and leaves the prefill out; text that begins otherwise stays whole."""

    __slots__ = ("_matched", "_prefill")

    def __init__(self, prefill: str) -> None:
        self._prefill = prefill
        self._matched = 0  # characters of it that came: the text that is held

    def feed(self, text: str) -> str:
        """What of the next text is the reply's own; while it may be the prefill it is held."""
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

    def flush(self) -> str:
        """What is still held when the reply ends: it was not the prefill."""
        return self._prefill[: self._matched]
