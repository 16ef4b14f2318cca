"""The entries of `reasoning_details`: who wrote them, and their positions in the message.

Clients check these entries against the types that gateways share (`reasoning.text`, `reasoning.summary`,
`reasoning.encrypted`), and drop unknown fields and types. So our entries have these types. The position of an entry
among the text and the calls is in its `id`, which all clients keep:

    cc1_<digest>_<steps before the entry>_<steps after the last entry>

A step is `t<offset>`, a block of text that ends at this character of the content, or `c<number>`, the calls up to this
one. Offsets and numbers count from the start of the message, so if a client drops an entry, the others stay in place.

The digest shows whether a client changed the entry. It also makes ids unique, since some clients drop an entry whose id
they have already seen.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from chatcompat.wire import digests
from chatcompat.wire.chat_request import ReasoningDetail

NATIVE_FORMAT: Final = "anthropic-claude-v1"
"""The name that gateways use for signed thinking of the native API."""

Step = tuple[str, int]
"""`("t", offset)` or `("c", number)`."""

_REDACTED: Final = '{"type":"redacted_thinking"'
_MARK: Final = "cc1_"
_START: Final = len(_MARK)
_END: Final = len("cc1_0123456789ab")
_STEP: Final = re.compile(r"([tc])([0-9]{1,10})")
_DIGITS: Final = 10


Place = tuple[str, str]
"""What stands between an entry and the one before it, and behind the last entry, as written in the id."""

NOWHERE: Final = ("", "")


def digest_of_entry(entry: ReasoningDetail) -> str:
    """A digest of what an entry holds."""
    text, signature, data = entry.text, entry.signature, entry.data
    if text is signature is None is not data:  # most entries
        written = f"\0\0\1{len(data)}:{data}"
    else:
        written = "\0" if data is None else f"\1{len(data)}:{data}"
        before = "\0" if text is None else f"\1{len(text)}:{text}"
        written = before + ("\0" if signature is None else f"\1{len(signature)}:{signature}") + written
    return digests.blake2b(written.encode(), digest_size=6).hexdigest()


def to_entry_id(entry: ReasoningDetail, before: Collection[Step], after: Collection[Step] = ()) -> str:
    """The id of an entry."""
    return f"{_MARK}{digest_of_entry(entry)}_{_written(before)}_{_written(after)}"


def to_place(entry: ReasoningDetail) -> Place | None:
    """The place in an entry's id, or None for an id that is not ours. Raises `ValueError` for a changed entry."""
    entry_id = entry.id
    if entry_id is None or not entry_id.startswith(_MARK) or entry_id[_END : _END + 1] != "_":
        return None
    if entry_id.startswith(digest_of_entry(entry), _START):
        before, _, after = entry_id[_END + 1 :].partition("_")
        return before, after
    raise ValueError("the entry was changed")


def count_steps(place: Place) -> int:
    """The number of steps, without reading them: a client can write very many."""
    before, after = place
    return before.count("t") + before.count("c") + after.count("t") + after.count("c")


def read_steps(steps: str) -> Iterable[Step]:
    """The steps that an id holds before or after its entry. A client may have written others than `t` and `c`."""
    number = steps[1:]
    if number.isdecimal() and len(number) <= _DIGITS:  # one step, as most
        return ((steps[0], int(number)),)
    return ((found[1], int(found[2])) for found in _STEP.finditer(steps))


def holds_thinking(entry: ReasoningDetail) -> bool:
    """Whether an entry holds thinking. All others hold a block, or fields, that chat completions cannot express."""
    data = entry.data or "{"
    return not data.startswith("{") or data.startswith(_REDACTED) or entry.type != "reasoning.encrypted"


def _written(steps: Collection[Step]) -> str:
    if not steps:  # as between most entries
        return ""
    return "".join([f"{kind}{number}" for kind, number in steps])
