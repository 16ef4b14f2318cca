"""Record the position of thinking among text and calls, so that it can be sent back in the same order."""

from chatcompat.wire.chat_request import ReasoningDetail


class ReasoningDetailsBuilder:
    """Collects the `reasoning_details` of one reply, block by block.

    A reply without signed thinking has no details. Otherwise each block has one: thinking with its signature, text with
    its length in characters. A call has only its position, since clients keep the call itself in `tool_calls`.
    """

    __slots__ = ("_details", "_placed", "_signed", "position")

    def __init__(self) -> None:
        self.position: int = 0  # characters of content so far
        self._placed = 0  # of these, those that have a detail
        self._details: list[ReasoningDetail] = []
        self._signed = False

    def end_text(self) -> None:
        """Add a detail for the text since the last one."""
        if self.position > self._placed:
            self._details.append(ReasoningDetail("content", length=self.position - self._placed))
            self._placed = self.position

    def add_call(self) -> None:
        """Add a call."""
        self.end_text()
        self._details.append(ReasoningDetail("tool_call"))

    def add_thinking(self, text: str, signature: str | None) -> None:
        """Add thinking. Without a signature the service does not take it back, so it is skipped."""
        if signature:
            self._add_signed(ReasoningDetail("reasoning.text", text=text, signature=signature))

    def add_redacted(self, encrypted: str) -> None:
        """Add redacted thinking."""
        if encrypted:
            self._add_signed(ReasoningDetail("reasoning.encrypted", data=encrypted))

    def _add_signed(self, detail: ReasoningDetail) -> None:
        self.end_text()
        self._details.append(detail)
        self._signed = True

    def build(self, *, positions: bool = True) -> list[ReasoningDetail]:
        """Return all details, or without `positions` only those of thinking."""
        if not self._signed:
            return []
        self.end_text()
        kept = [detail for detail in self._details if positions or detail.type.startswith("reasoning.")]
        for index, detail in enumerate(kept):
            detail.index = index
        return kept
