"""Collect the blocks of a reply that chat completions cannot express, with their positions among text and calls."""

from typing import Final

import msgspec
from msgspec import UNSET, Struct

from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.message_reply import NULL, Citation, ToolUseBlock
from chatcompat.wire.messages import RedactedThinkingBlockParam
from chatcompat.wire.reasoning import NATIVE_FORMAT, Step, holds_thinking, to_entry_id

_DIRECT: Final = b'{"type":"direct"}'  # the model itself made the call, which is also the default
_WHITE_SPACE: Final = b" \t\r\n"

_encode = msgspec.json.Encoder().encode


class _Item(Struct, gc=False):
    """An entry, and the steps between the previous entry and this one."""

    entry: ReasoningDetail
    steps: list[Step]
    of_other: bool = False  # whether it has fields of a text or a call, which need its position


class ReasoningDetailsBuilder:
    """Collects the `reasoning_details` of one reply, block by block.

    Signed thinking has an entry, and so do the citations of a text and each block of an unknown type. Text and calls
    are only steps in the ids of these entries, since clients keep them elsewhere. Many replies have no entries.
    """

    __slots__ = ("_calls", "_items", "_placed", "_steps", "position")

    def __init__(self) -> None:
        self.position: int = 0  # characters of content so far
        self._placed = 0  # of these, those that have a step
        self._calls = 0
        self._steps: list[Step] = []  # since the last entry
        self._items: list[_Item] = []

    def end_text(self) -> None:
        """Add a step for the text since the last one."""
        if self.position > self._placed:
            self._placed = self.position
            self._steps.append(("t", self.position))

    def add_call(self, block: ToolUseBlock) -> None:
        """Add a call, and those of its fields that do not fit into `tool_calls`."""
        self.end_text()
        if fields := _extra_fields(block):
            self._add(ReasoningDetail("reasoning.encrypted", data=fields), of_other=True)
        self._calls += 1
        if self._steps and self._steps[-1][0] == "c":
            self._steps.pop()  # a step is for all calls up to its number
        self._steps.append(("c", self._calls))

    def add_citations(self, citations: list[Citation]) -> None:
        """Add the citations of the text that ends here."""
        self._add(
            ReasoningDetail("reasoning.encrypted", data=_encode({"citations": citations}).decode()), of_other=True
        )

    def add_thinking(self) -> ReasoningDetail:
        """Add a block of thinking. Set its `text` and `signature` once it is complete, or the entry is dropped."""
        return self._add(ReasoningDetail("reasoning.text"))

    def add_redacted(self, encrypted: str) -> None:
        """Add redacted thinking."""
        if encrypted.startswith("{"):  # it would look like a block
            encrypted = _encode(RedactedThinkingBlockParam(encrypted)).decode()
        if encrypted:
            self._add(ReasoningDetail("reasoning.encrypted", data=encrypted))

    def add_opaque(self) -> ReasoningDetail:
        """Add a block of an unknown type. Set `data` to its JSON once it is complete, or the entry is dropped."""
        return self._add(ReasoningDetail("reasoning.encrypted"))

    def _add(self, entry: ReasoningDetail, *, of_other: bool = False) -> ReasoningDetail:
        self.end_text()
        self._items.append(_Item(entry, self._steps, of_other))
        self._steps = []
        return entry

    def build(self, model: str, *, positions: bool = True) -> list[ReasoningDetail]:
        """Return the entries. Without `positions`, return only those that need none."""
        if not self._items:
            return []
        self.end_text()
        entries: list[ReasoningDetail] = []
        places: list[list[Step]] = []
        steps: list[Step] = []
        for item in self._items:
            steps += item.steps
            if (item.entry.text is None and item.entry.data is None) or (item.of_other and not positions):
                continue
            entries.append(item.entry)
            places.append(steps if positions else [])
            steps = []
        after = [*steps, *self._steps] if positions else []
        for index, (entry, before) in enumerate(zip(entries, places, strict=True)):
            entry.id = to_entry_id(entry, before, after if index == len(entries) - 1 else ())
            entry.index, entry.format, entry.model = index, NATIVE_FORMAT, model
        return entries


def without_thinking(entries: list[ReasoningDetail]) -> list[ReasoningDetail]:
    """The entries of blocks and fields that the service wants back, for a client that wants no reasoning."""
    return [entry for entry in entries if not holds_thinking(entry)]


def _extra_fields(block: ToolUseBlock) -> str | None:
    """The `caller` and the `toolset_name` of a call as a JSON object, or None for the defaults."""
    if block.caller is UNSET and block.toolset_name is UNSET:  # most calls
        return None
    fields = {"caller": block.caller, "toolset_name": block.toolset_name}
    kept = {name: value for name, value in fields.items() if value is not UNSET and value != NULL}
    if "caller" in kept and bytes(kept["caller"]).translate(None, _WHITE_SPACE) == _DIRECT:
        del kept["caller"]
    return _encode(kept).decode() if kept else None
