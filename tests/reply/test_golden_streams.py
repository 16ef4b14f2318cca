"""Native streams and the exact bytes that a client gets for them, however the native bytes are cut.

NAME.events.sse is what the inner app sends, NAME.chunks.sse what the client gets, NAME.request.json the request.
Names tell what a fixture is: `odd-` and `newer-` are not in the vendor's types though real servers send them, `broken-`
is no message, `cut-` ends early; all others must be as the vendor has them.
"""

import json
import re

import pytest

from tests.reply.support import (
    ALLOWED,
    GOLDEN,
    Json,
    cuts,
    each_byte,
    each_frame,
    golden_names,
    golden_translation,
    stream,
)
from tests.vendor import chat_sse, messages_event

NAMES = golden_names("streams", ".events.sse")
DEVIANT = ("broken-", "newer-", "odd-")


def load(name: str) -> tuple[bytes, bytes]:
    folder = GOLDEN / "streams"
    return (folder / f"{name}.events.sse").read_bytes(), (folder / f"{name}.chunks.sse").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_stream_becomes_these_chunks_however_it_is_cut(name: str) -> None:
    events, chunks = load(name)
    translation = golden_translation("streams", name)
    assert stream([events], translation) == chunks
    for pieces in cuts(events):
        assert stream(pieces, translation) == chunks, pieces


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
def test_line_ends_make_no_difference(name: str, line_end: bytes) -> None:
    events, chunks = load(name)
    events = events.replace(b"\n", line_end)
    translation = golden_translation("streams", name)
    for pieces in cuts(events):
        assert stream(pieces, translation) == chunks, pieces


@pytest.mark.parametrize("name", NAMES)
def test_byte_order_mark_makes_no_difference(name: str) -> None:
    events, chunks = load(name)
    events = b"\xef\xbb\xbf" + events
    translation = golden_translation("streams", name)
    for pieces in ([events], each_byte(events), each_frame(events), [events[:1], b"", events[1:2], events[2:]]):
        assert stream(pieces, translation) == chunks


@pytest.mark.parametrize("name", NAMES)
def test_client_stream_is_what_the_vendor_sends(name: str) -> None:
    include_usage = golden_translation("streams", name).context.include_usage
    assert chat_sse(load(name)[1], include_usage=include_usage, allow=ALLOWED) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_native_stream_is_the_vendors_unless_its_name_says_otherwise(name: str) -> None:
    problems = native_problems(load(name)[0])
    assert problems == [] or name.startswith(DEVIANT)


def native_problems(events: bytes) -> list[str]:
    problems, started = [], 0
    for block in events.split(b"\n\n")[:-1]:
        if data := b"\n".join(re.findall(rb"^data: ?(.*)$", block, re.MULTILINE)):
            try:
                event: Json = json.loads(data)
            except ValueError:
                problems.append("not JSON")
                continue
            problems += messages_event(event, allow=("credits_consumed",))
            started += event.get("type") == "message_start"
    return problems + ["started twice"] * (started > 1)
