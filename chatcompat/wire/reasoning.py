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
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.digests import blake2b

NATIVE_FORMAT: Final = "anthropic-claude-v1"
"""The name that gateways use for signed thinking of the native API."""

Step = tuple[str, int]
"""`("t", offset)` or `("c", number)`."""

_STEPS: Final = r"((?:[tc][0-9]{1,10})*+)"
_ID: Final = re.compile(rf"cc1_([0-9a-f]{{12}})_{_STEPS}_{_STEPS}")
_STEP: Final = re.compile(r"([tc])([0-9]{1,10})")


class Place(NamedTuple):
    """What stands between an entry and the one before it, and behind the last entry, as written in the id."""

    before: str
    after: str


def digest_of_entry(entry: ReasoningDetail) -> str:
    """A digest of what an entry holds."""
    digest = blake2b(digest_size=6)
    for value in (entry.text, entry.signature, entry.data):
        digest.update(b"\0" if value is None else b"\1%d:%b" % (len(value), value.encode()))
    return digest.hexdigest()


def to_entry_id(entry: ReasoningDetail, before: Iterable[Step], after: Iterable[Step] = ()) -> str:
    """The id of an entry."""
    return f"cc1_{digest_of_entry(entry)}_{_written(before)}_{_written(after)}"


def to_place(entry: ReasoningDetail) -> Place | None:
    """The place in an entry's id, or None for an id that is not ours. Raises `ValueError` for a changed entry."""
    found = _ID.fullmatch(entry.id or "")
    if found is None:
        return None
    digest, before, after = found.groups()
    if digest != digest_of_entry(entry):
        raise ValueError("the entry was changed")
    return Place(before, after)


def read_steps(steps: str) -> Iterator[Step]:
    """The steps that an id holds, one by one: a client can write very many."""
    return ((found[1], int(found[2])) for found in _STEP.finditer(steps))


def _written(steps: Iterable[Step]) -> str:
    return "".join([f"{kind}{number}" for kind, number in steps])
