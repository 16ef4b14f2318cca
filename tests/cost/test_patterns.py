"""Every regular expression that sees bytes of a client or a model, with its worst input."""

import re
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.cost.patterns import faults, other_uses, used_patterns

KIB: Final = 1024
SIZE: Final = 256 * KIB

Worst = Callable[[int], Any]


def repeated(unit: str, before: str = "", after: str = "") -> Worst:
    return lambda size: before + unit * (size // len(unit)) + after


def raw(unit: bytes, before: bytes = b"", after: bytes = b"") -> Worst:
    return lambda size: before + unit * (size // len(unit)) + after


_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"'
)
# The text that each has most work with: what it nearly takes, without what has to stand behind.
WORST: Final[dict[str, Worst]] = {
    "chatcompat.dialect.BETA": repeated("a"),
    "chatcompat.dialect._VERSION": repeated("2023-06-"),
    "chatcompat.reply.errors._ABOUT_MODEL": repeated("models "),
    "chatcompat.reply.errors._ERROR_CODE": repeated("x", after="!"),
    "chatcompat.request.decode_error._EXPECTING": repeated(" | str", "Expected `str"),
    "chatcompat.request.decode_error._MISSING": repeated("x", "Object missing required field `"),
    "chatcompat.request.decode_error._OUT_OF_RANGE": repeated("Number out of "),
    "chatcompat.request.decode_error._PATH": repeated("a.a", "$.", "!"),
    "chatcompat.errors._PLAIN_STEP": repeated("a", after="["),
    "chatcompat.asgi.discovery._PLAIN": repeated("a"),
    "chatcompat.asgi.headers._UNSAFE": lambda size: "\u00e9" * 200,  # of a name that is cut first
    "chatcompat.wire.reasoning._STEP": repeated("t1"),
    "chatcompat.wire.ids._is_common": repeated("x", "toolu_"),
    "chatcompat.wire.ids._ESCAPED_ID": repeated("-1", "call_-"),
    "chatcompat.wire.ids._ID": repeated("x", after=":"),
    "chatcompat.wire.ids._KEPT_ID": repeated("x", "call_"),
    "chatcompat.wire.ids._VENDOR_ID": repeated("A", "call_toolu"),
    "chatcompat._telemetry._INDEX": repeated("[1", after="x"),
    "chatcompat._telemetry._STEP": repeated("x"),
    "chatcompat.request.pending_calls._PLAIN_ID": repeated("a"),
    "chatcompat.request.media._ADDRESS": repeated("https:/"),
    "chatcompat.request.media._HTTP": raw(b'"http'),
    "chatcompat.request.media._HTTP_URL": repeated("http"),
    "chatcompat.request.media._NO_BASE64": raw(b"A", b'"'),
    "chatcompat.request.tool_names._NAME": repeated("x"),
    "chatcompat.request.tool_names._OUTSIDE": lambda size: "\u00e9" * 100,  # of a name that is cut first
    "chatcompat.request.native_tools._SERVER_TOOL": raw(b"_0000000", b'"a'),
    "chatcompat.request.strict_schema._PATTERN": repeated("(\\d{1,2}", after="{"),
    "chatcompat.request.tool_schema._BRANCH_REFERENCE": raw(b"#/anyOf"),
    "chatcompat.request.tool_schema._INDEX": repeated("1"),
    "chatcompat.request.unknown_fields._DIGITS": raw(b"1" * 299 + b","),
    "chatcompat.reply.tool_input._WRAPPING": repeated(" ", "{"),
    "chatcompat.reply.fast_deltas._match_head": raw(b"9", b"".join(_DELTA.partition(b'"index":')[:2])),
    "chatcompat.reply.fast_deltas._match_rest": raw(b"\\n"),
    "chatcompat.reply.fast_deltas._match_text": raw(b"\\n ", after=b'"'),
    "chatcompat.reply.fast_deltas._replace_padded_ends": raw(b'"} '),
    "chatcompat.upstream.upload._LENGTH": raw(b"1"),
    "chatcompat.wire.sse._match_event": raw(b"x", b"data: "),
    "chatcompat.wire.sse._match_frame": raw(b"x", b"event: "),
}
FOUND: Final = used_patterns()
_ARGUMENTS: Final = {"sub": ("",), "subn": ("",)}


def test_every_pattern_is_listed_with_its_worst_input() -> None:
    assert sorted(FOUND) == sorted(WORST)
    assert other_uses() == []
    assert all(used.methods for used in FOUND.values())


@pytest.mark.parametrize("name", WORST)
def test_a_pattern_costs_one_scan_of_its_worst_input(name: str) -> None:
    used = FOUND[name]
    assert faults(used.pattern, used.methods) == []
    text = WORST[name](SIZE)
    for method in used.methods:
        more = [b"" if isinstance(text, bytes) else "" for _ in _ARGUMENTS.get(method, ())]
        tracemalloc.start()
        try:
            getattr(used.pattern, method)(*more, text)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= 2 * len(text) + 64 * KIB


@pytest.mark.parametrize(
    ("pattern", "method", "fault"),
    [
        ("(?:ab)*c", "match", "keeps a state for each repetition"),
        (r'"(?:[^"\\]|\\.)*"', "match", "keeps a state for each repetition"),
        (r"\s*x", "search", "attempts that fail overlap"),
        (r"x\s*y[^z]*z", "sub", "attempts that fail overlap"),
        (r"a*a{200}b", "match", "a repeat takes what stands behind it"),
        (r"\d*\d*x", "fullmatch", "a repeat takes what stands behind it"),
        (r"(?:a*)*b", "match", "a repeat takes what stands behind it"),
        (r"(?:ab|[ac]d)*e", "match", "two branches begin alike"),
        (r"(.)\1*x", "match", "refers to a group"),
    ],
)
def test_a_pattern_that_costs_more_is_found(pattern: str, method: str, fault: str) -> None:
    assert fault in faults(re.compile(pattern), {method})


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r'"[^"]*"', "match"),
        (r'"(?:[^"\\]++|\\.)*+"', "match"),
        (r"[a-z]+", "findall"),
        (r"\A\s*x", "search"),
        (r"(?<=\n)[^\n]*x", "search"),
        (r"[a-z]*_[0-9]{8}", "fullmatch"),
    ],
)
def test_a_pattern_that_costs_one_scan_is_left_alone(pattern: str, method: str) -> None:
    assert faults(re.compile(pattern), {method}) == []
