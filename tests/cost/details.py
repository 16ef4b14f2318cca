"""Entries of `reasoning_details` and blocks of thinking that are known to be costly."""

from typing import Final

from chatcompat.wire.chat_request import ReasoningDetail
from chatcompat.wire.reasoning import to_entry_id
from tests.cost.chats import MIB, USER, Make, chat
from tests.cost.fills import many


def _details(detail: str, text: str = "a") -> Make:
    """An assistant message of half text and half reasoning details."""

    def make(size: int) -> bytes:
        content, details = text * (size // 2 // len(text.encode())), many(detail, size // 2).decode()
        return chat(f'{USER},{{"role":"assistant","content":"{content}","reasoning_details":[{details}]}},{USER}')

    return make


def _messages(detail: str) -> Make:
    """Many turns with thinking."""
    turn = f'{{"role":"assistant","content":"aa","reasoning_details":[{detail}]}},{USER}'
    return lambda size: chat(f"{USER},{many(turn, size).decode()}")


def _entry(steps: str, data: str = "d") -> str:
    """An entry with an id of ours, for the data `d`."""
    entry_id = to_entry_id(ReasoningDetail("reasoning.encrypted", data="d"), [])
    return f'{{"type":"reasoning.encrypted","data":"{data}","id":"{entry_id[:-1]}{steps}_"}}'


DETAILS: Final[dict[str, tuple[Make, int]]] = {
    "details of content": (_details('{"type":"content","length":1}'), 32 * MIB),
    "details of content, not ASCII": (_details('{"type":"content","length":1}', "\U0001f642"), 4 * MIB),
    "details of content and thinking": (
        _details('{"type":"content","length":1},{"type":"reasoning.text","text":"t","signature":"s"}'),
        4 * MIB,
    ),
    "details of no length": (_details('{"type":"content"}'), 4 * MIB),
    "details of calls": (_details('{"type":"tool_call"}'), 4 * MIB),
    "details of encrypted thinking": (_details('{"type":"reasoning.encrypted","data":"d"}'), 4 * MIB),
    "details of calls that were not made": (
        _details(_entry("c9")),
        MIB,
    ),
    "details of thinking in its place": (
        _details(_entry("t1")),
        MIB,
    ),
    "details that were changed": (
        _details(_entry("", "e")),
        MIB,
    ),
    "details of different indexes": (
        _details('{"type":"reasoning.text","text":"t","signature":"s","index":#}'),
        MIB,
    ),
    "details of one index": (_details('{"type":"reasoning.text","text":"t","index":0}'), MIB),
    "an id of many steps": (
        lambda size: chat(
            f'{USER},{{"role":"assistant","content":"{"a" * 100}",'
            f'"reasoning_details":[{_entry("t1" * (size // 2))}]}},{USER}'
        ),
        MIB,
    ),
    "ids of many places": (
        lambda size: chat(
            f'{USER},{{"role":"assistant","content":"{"a" * (size // 8)}","reasoning_details":['
            f"{_entry(''.join([f't{number}' for number in range(1, size // 8)]))}]}},{USER}"
        ),
        MIB,
    ),
    "messages of thinking": (_messages('{"type":"reasoning.text","text":"t","signature":"s"}'), MIB),
    "messages of numbered thinking": (
        _messages('{"type":"reasoning.text","index":0.0,"text":"t","signature":"s"}'),
        MIB,
    ),
    "messages of thinking in its place": (_messages(_entry("t1")), MIB),
    "messages of thinking behind a call": (_messages(_entry("c1")), MIB),
    "thinking blocks": (
        lambda size: chat(
            USER
            + ',{"role":"assistant","content":"a","thinking_blocks":['
            + many('{"type":"redacted_thinking","data":"d"}', size).decode()
            + "]},"
            + USER
        ),
        MIB,
    ),
}
