"""A prefill that the inner app repeats at the beginning of its reply: the client has it already."""


class Echo:
    """Takes the text of a reply as it comes and leaves the prefill out; text that begins otherwise stays whole."""

    __slots__ = ("_held", "_prefill")

    def __init__(self, prefill: str) -> None:
        self._prefill = prefill
        self._held = ""

    def cut(self, text: str) -> str:
        """What of the next text is the reply's own; while it may be the prefill it is held."""
        prefill = self._prefill
        if not prefill:
            return text
        text = self._held + text
        if len(text) < len(prefill) and prefill.startswith(text):
            self._held = text
            return ""
        self._held = self._prefill = ""
        return text.removeprefix(prefill)

    def rest(self) -> str:
        """What is still held when the reply ends: it was not the prefill."""
        return self._held
