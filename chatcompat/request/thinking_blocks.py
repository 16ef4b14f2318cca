"""Thinking and native blocks that a client sends back -> blocks of the assistant turn, each in its place.

Only thinking of the native service goes back: it refuses a block that another vendor signed, in every later turn. An
entry is native if its `format` says so. Without a `format`, as in entries of earlier releases, the shape decides:
signed `reasoning.text` is native, and so is `reasoning.encrypted` without an `id`, unless its data is a token of
another vendor. The `model` of an entry does not matter: the service itself decides whose thinking a model takes.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chatcompat.errors import DECODE_ERRORS
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import decode_raw_object, read_object
from chatcompat.wire.chat_request import ReasoningDetail, ThinkingBlock
from chatcompat.wire.messages import (
    BlockParam,
    CitedTextParam,
    RedactedThinkingBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolUseBlockParam,
)
from chatcompat.wire.reasoning import NATIVE_FORMAT, NOWHERE, Place, count_steps, read_steps, to_place

_FOREIGN_DATA: Final = "gAAAA"  # how encrypted reasoning of the chat API begins: it is a Fernet token
_USUAL_STEPS: Final = 2  # of one entry: a text and the calls behind it
_SHORT: Final = len("t1c1")
_ONE_STEP: Final = 8  # characters; longer ones may be several
_OLD_PLACES: Final = frozenset({"content", "tool_call"})
# Blocks that the translation makes itself, so a client has no reason to send one back as opaque.
_TRANSLATED: Final = frozenset(
    {"text", "image", "document", "search_result", "tool_use", "tool_result", "thinking"}  # not `redacted_thinking`
)

_encode = msgspec.json.Encoder().encode


class CallFields(Struct):
    """Fields of the next call that `tool_calls` has no place for."""

    caller: Raw | UnsetType = UNSET
    toolset_name: str | UnsetType = UNSET


class TextFields(Struct):
    """The citations of the text that ends where they stand."""

    citations: Raw


Entry = ThinkingBlockParam | RedactedThinkingBlockParam | Raw | CallFields | TextFields

_BLOCKS: Final = frozenset({ThinkingBlockParam, RedactedThinkingBlockParam, Raw})


class Kept(Struct, gc=False):
    """An entry that goes back. One of an earlier release may be a place alone: a `ReasoningDetail`."""

    block: Entry | ReasoningDetail
    place: Place = NOWHERE

    @property
    def is_thinking(self) -> bool:
        """Whether it holds thinking."""
        return isinstance(self.block, ThinkingBlockParam | RedactedThinkingBlockParam)


# ---------------------------------------------------------------- whose it is


def to_kept(details: Sequence[ReasoningDetail], index: int, context: RequestContext) -> tuple[list[Kept], bool]:
    """Return the entries of a message, by its index, that go back to the service, and whether these are all.

    Raises `InvalidRequest` for a block that is nested too deeply, and for too many places.
    """
    kept: list[Kept] = []
    lost, depth = False, context.bounds.depth
    for detail in join_fragments(details):
        if detail.type in _OLD_PLACES:
            kept.append(Kept(detail))
            continue
        try:
            place = to_place(detail)
            is_ours = place is not None and detail.format is None  # most entries, so they are not asked further
            block = _to_block(detail, index, depth) if is_ours or _is_native(detail) else None
        except ValueError:  # the client changed it
            block = None
        if block is None:
            lost = True
        else:
            place = place or NOWHERE
            if len(place[0]) + len(place[1]) > _SHORT and (steps := count_steps(place)) > _USUAL_STEPS:
                context.count_places(steps - _USUAL_STEPS, _path_of(index))
            kept.append(Kept(block, place))
    return kept, not lost


def from_thinking_blocks(blocks: Iterable[ThinkingBlock]) -> tuple[list[Kept], bool]:
    """Return the blocks of another gateway that go back to the service, and whether nothing is lost."""
    kept: list[Kept] = []
    lost = False
    for block in blocks:
        lost = lost or block.cache_control is not None  # thinking cannot carry it
        if block.type == "thinking" and block.signature:
            kept.append(Kept(ThinkingBlockParam(block.thinking or "", block.signature)))
        elif block.type == "redacted_thinking" and block.data:
            kept.append(Kept(RedactedThinkingBlockParam(block.data)))
        else:
            lost = True
    return kept, not lost


def _is_native(detail: ReasoningDetail) -> bool:
    """Whether an entry without a place is native, or one that names a format."""
    if detail.format is not None:
        return detail.format == NATIVE_FORMAT
    if detail.type == "reasoning.encrypted":
        return detail.id is None and not (detail.data or "").startswith(_FOREIGN_DATA)
    return True


def _path_of(index: int) -> str:
    return f"messages[{index}].reasoning_details"


def _to_block(detail: ReasoningDetail, index: int, max_depth: int) -> Entry | None:
    if detail.type == "reasoning.text" and detail.signature:
        return ThinkingBlockParam(detail.text or "", detail.signature)
    if detail.type != "reasoning.encrypted" or not detail.data:
        return None
    if not detail.data.startswith("{"):
        return RedactedThinkingBlockParam(detail.data)
    try:
        block = read_object(detail.data, _path_of(index), max_depth)
    except DECODE_ERRORS:
        return None
    kind = block.get("type")
    if block.keys() == {"citations"}:
        raw = decode_raw_object(detail.data)["citations"]
        return TextFields(raw) if isinstance(block["citations"], list) else None
    if kind is None:
        return _to_call_fields(block)
    return Raw(detail.data.encode()) if isinstance(kind, str) and kind not in _TRANSLATED else None


def _to_call_fields(fields: dict[str, Any]) -> CallFields | None:
    caller, toolset_name = fields.pop("caller", UNSET), fields.pop("toolset_name", UNSET)
    if fields or not (caller is UNSET or isinstance(caller, dict)):
        return None
    if not (toolset_name is UNSET or isinstance(toolset_name, str)):
        return None
    return CallFields(UNSET if caller is UNSET else Raw(_encode(caller)), toolset_name)


# ---------------------------------------------------------------- fragments


class _Fragments(Struct):
    """The fragments of one entry, as a stream brings them."""

    parts: list[ReasoningDetail]
    id: str | None
    signed: bool


def join_fragments(details: Sequence[ReasoningDetail]) -> Sequence[ReasoningDetail]:
    """Join the fragments of one type and `index`. Text behind a signature, or another `id`, begins a new entry."""
    if len(details) == 1 or {detail.index for detail in details} == {None}:
        return details
    found: list[_Fragments] = []
    current: dict[tuple[float, str], _Fragments] = {}
    for detail in details:
        key = (detail.index, detail.type) if detail.index is not None and detail.type not in _OLD_PLACES else None
        fragments = current.get(key) if key is not None else None
        if fragments is None or (fragments.signed and detail.text) or _differ(fragments.id, detail.id):
            fragments = _Fragments([], None, signed=False)
            found.append(fragments)
            if key is not None:
                current[key] = fragments
        fragments.parts.append(detail)
        fragments.id = fragments.id or detail.id
        fragments.signed = fragments.signed or bool(detail.signature)
    return [_joined(fragments.parts) for fragments in found]


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _joined(parts: list[ReasoningDetail]) -> ReasoningDetail:
    if len(parts) == 1:
        return parts[0]
    return ReasoningDetail(
        parts[0].type,
        parts[0].index,
        text="".join([part.text or "" for part in parts]) if any(part.text is not None for part in parts) else None,
        signature="".join([part.signature or "" for part in parts]) or None,
        data="".join([part.data or "" for part in parts]) or None,
        id=next((part.id for part in parts if part.id is not None), None),
        format=next((part.format for part in parts if part.format is not None), None),
    )


# ---------------------------------------------------------------- where it stands


def without_citations(kept: list[Kept], length: int) -> list[Kept]:
    """Leave out citations if the text is not as long as in the reply: then they may cite for another text."""
    for entry in kept:
        if type(entry.block) is TextFields:  # half as long as `isinstance`, for each of many entries
            break
    else:  # most turns
        return kept
    ends = [number for entry in kept for steps in entry.place for kind, number in read_steps(steps) if kind == "t"]
    if max(ends, default=0) == length:
        return kept
    return [entry for entry in kept if not isinstance(entry.block, TextFields)]


def place_blocks(
    text: Sequence[TextBlockParam], calls: Sequence[ToolUseBlockParam], kept: Sequence[Kept]
) -> list[BlockParam]:
    """Return the blocks of an assistant turn in order.

    Entries without a place come first. Text and calls that no place covers, as in a message that the client edited,
    follow at the end, text first.
    """
    first: list[BlockParam] = []
    for entry in kept:
        if entry.place is not NOWHERE or type(entry.block) not in _BLOCKS:
            break
        first.append(entry.block)  # type: ignore[arg-type]  # one of `_BLOCKS`
    else:
        if len(text) <= 1:  # most turns: nothing stands within the text
            return [*first, *text, *calls]
    turn = _Turn("".join([block.text for block in text]), calls)
    marks = [block.cache_control for block in text if block.cache_control]
    for entry in kept:
        block, (before, after) = entry.block, entry.place
        turn.cited = None
        if before:
            turn.walk(before)
        if type(block) in _BLOCKS:  # most entries
            turn.blocks.append(block)  # type: ignore[arg-type]
        elif isinstance(block, CallFields):
            turn.fields = block
        elif isinstance(block, TextFields):
            turn.cite(block.citations)
        else:
            turn.step_over(block)  # type: ignore[arg-type]  # neither a block nor fields
        if after:
            turn.walk(after)
    turn.end()
    if marks:
        last = next(block for block in reversed(turn.blocks) if isinstance(block, TextBlockParam))
        last.cache_control = marks[-1]
    return turn.blocks


class _Turn:
    """The blocks so far, and how much of the text and the calls they hold."""

    __slots__ = ("_called", "_calls", "_end", "_text", "blocks", "cited", "fields")

    def __init__(self, text: str, calls: Sequence[ToolUseBlockParam]) -> None:
        self.blocks: list[BlockParam] = []
        self.fields: CallFields | None = None  # of the next call
        self.cited: int | None = None  # the index of the text that ends here; None if it is blank
        self._text, self._end = text, 0
        self._calls, self._called = calls, 0

    def walk(self, steps: str) -> None:
        """Add the text and the calls that stand between two entries."""
        if len(steps) < _ONE_STEP and steps[1:].isdecimal():  # most often; to call `read_steps` takes as long
            self._step(steps[0], int(steps[1:]))
        else:
            for kind, number in read_steps(steps):
                self._step(kind, number)

    def _step(self, kind: str, number: int) -> None:
        if kind == "c":
            self._add_calls(number)
        elif kind == "t" and number > self._end:
            self._add_text(number)
        else:
            self.cited = None

    def step_over(self, place: ReasoningDetail) -> None:
        """Add the text or the call that an entry of an earlier release stands for."""
        if place.type == "tool_call":
            self._add_calls(self._called + 1)
        elif place.length:
            self._add_text(self._end + int(place.length))

    def cite(self, citations: Raw) -> None:
        """Add citations to the text that ends here."""
        if self.cited is not None:
            text = self.blocks[self.cited]
            assert isinstance(text, TextBlockParam)  # noqa: S101 - nothing else is cited
            self.blocks[self.cited] = CitedTextParam(text.text, citations=citations)

    def end(self) -> None:
        """Add what is left."""
        if self._end < len(self._text):
            self._add_text(len(self._text))
        self._add_calls(len(self._calls))

    def _add_text(self, end: int) -> None:
        text = self._text[self._end : end]
        self._end, self.cited = end, None
        if text and not text.isspace():
            self.cited = len(self.blocks)
            self.blocks.append(TextBlockParam(text))

    def _add_calls(self, number: int) -> None:
        if number <= self._called:
            return
        for call in self._calls[self._called : number]:
            if self.fields is not None:
                call.caller, call.toolset_name = self.fields.caller, self.fields.toolset_name
                self.fields = None
            self.blocks.append(call)
        self._called = number
