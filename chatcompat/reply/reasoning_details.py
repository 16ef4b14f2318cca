"""Where the thinking of a reply stood among its text and calls, so that it can go back to its exact place."""

from chatcompat.wire.chat_request import ReasoningDetail


class ReasoningDetailsBuilder:
    """Collects the `reasoning_details` of one reply, block by block.

    A reply without signed thinking has none. In one with it every block is told: thinking with its signature, text by
    its length in characters, and a call by its turn, since clients keep those elsewhere.
    """

    __slots__ = ("_details", "_placed", "_signed", "position")

    def __init__(self) -> None:
        self.position: int = 0  # characters of content so far
        self._placed = 0  # of these, those that a detail tells
        self._details: list[ReasoningDetail] = []
        self._signed = False

    def end_text(self) -> None:
        """Let what comes stand behind the text so far."""
        if self.position > self._placed:
            self._details.append(ReasoningDetail("content", length=self.position - self._placed))
            self._placed = self.position

    def add_call(self) -> None:
        """Take a call."""
        self.end_text()
        self._details.append(ReasoningDetail("tool_call"))

    def add_thinking(self, text: str, signature: str | None) -> None:
        """Take thinking; without a signature there is no way back for it."""
        if signature:
            self._add_signed(ReasoningDetail("reasoning.text", text=text, signature=signature))

    def add_redacted(self, encrypted: str) -> None:
        """Take thinking that only the service can read."""
        if encrypted:
            self._add_signed(ReasoningDetail("reasoning.encrypted", data=encrypted))

    def _add_signed(self, detail: ReasoningDetail) -> None:
        self.end_text()
        self._details.append(detail)
        self._signed = True

    def build(self, *, places: bool = True) -> list[ReasoningDetail]:
        """All details, or without `places` those of thinking alone."""
        if not self._signed:
            return []
        self.end_text()
        kept = [detail for detail in self._details if places or detail.type.startswith("reasoning.")]
        for index, detail in enumerate(kept):
            detail.index = index
        return kept
