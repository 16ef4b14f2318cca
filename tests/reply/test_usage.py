"""Usages: two as one, and what a record can read of one."""

import json
from typing import Any

import pytest
from msgspec import Raw

from chatcompat.errors import InvalidReply
from chatcompat.reply.usage import add_counts, readable_usage


def raw(usage: Any) -> dict[str, Raw]:
    return {name: value if isinstance(value, Raw) else Raw(json.dumps(value).encode()) for name, value in usage.items()}


def plain(usage: dict[str, Raw]) -> Any:
    return {name: json.loads(bytes(value)) for name, value in usage.items()}


def nested(depth: int, count: int) -> Raw:
    return Raw(b'{"a":' * depth + b"%d" % count + b"}" * depth)


def test_usages_are_summed_at_any_depth() -> None:
    first = {"a": 1, "b": {"c": 1, "d": "x"}, "e": None, "f": "old", "g": True, "h": 2}
    more = {"a": 2, "b": {"c": 2, "d": "y"}, "e": 5, "f": "new", "g": False, "h": None, "i": None}
    assert plain(add_counts(raw(first), raw(more))) == {
        "a": 3,
        "b": {"c": 3, "d": "y"},
        "e": 5,
        "f": "new",
        "g": False,
        "h": 2,
        "i": None,
    }
    assert add_counts({"a": nested(100, 1)}, {"a": nested(100, 2)}) == {"a": nested(100, 3)}


@pytest.mark.parametrize("number", [b"1e999", b"1" * 5000])
def test_a_number_of_one_part_alone_stays_as_it_came(number: bytes) -> None:
    assert add_counts({}, {"a": Raw(number)}) == {"a": Raw(number)}


@pytest.mark.parametrize(
    ("before", "count"),
    [
        (b"1e308", b"1e308"),
        (b"1e999", b"1"),
        (b"1", b"1" * 5000),
        (b"1" * 400, b"1.5"),
        (b"9" * 4300, b"9" * 4300),
        (nested(2000, 1), nested(2000, 1)),
        (b'{"a": {"b": 1e308}}', b'{"a": {"b": 1e308}}'),
    ],
)
def test_counts_that_have_no_sum_are_an_invalid_reply(before: bytes, count: bytes) -> None:
    with pytest.raises(InvalidReply, match="usage that cannot be read"):
        add_counts({"a": Raw(before)}, {"a": Raw(count)})


def test_a_record_reads_what_can_be_read() -> None:
    usage = {"input_tokens": 1, "a": Raw(b"1e999"), "b": nested(5000, 1), "c": 2, "d": Raw(b"1" * 5000)}
    assert readable_usage(raw(usage)) == {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1, "c": 2}
    assert readable_usage(raw({"input_tokens": "x"})) is None
    assert readable_usage(raw({"input_tokens": Raw(b"9" * 4300), "output_tokens": 1})) is None
