"""Any reply of the vendor's type becomes a completion or chunks that the chat types take, and both say the same."""

import json
import re
from typing import Any

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from chatcompat import InvalidReply, Translation
from tests.strategies import values
from tests.strategies.client import collect, read_stream, read_whole, stream
from tests.strategies.replies import ALLOWED, ASKED, dumps, frames, loose_events, messages, pieces, streams_of
from tests.strategies.walker import PROPERTY
from tests.vendor import Json, chat_error, chat_reply, chat_sse, check_chat_reply, messages_event, messages_reply

UNPROVEN = "arguments not"  # what a server that sends broken JSON makes of a call
USAGE_EXTRA = re.compile(r"usage\..*: Extra inputs", re.DOTALL)  # a count of the server's own is kept as it came


@PROPERTY
@given(messages().flatmap(streams_of), st.sampled_from(ASKED), st.data())
def test_any_message_reads_the_same_whole_and_streamed(
    given_message: tuple[list[Json], Json], of: Translation, data: st.DataObject
) -> None:
    events, message = given_message
    assert messages_reply(message) == []
    assert [problem for event in events for problem in messages_event(event)] == []
    raw, cut = dumps(message).encode(), data.draw(pieces(frames(events)))
    completion = of.reply(raw)
    assert check_chat_reply(json.loads(completion), allow=ALLOWED) == []
    whole = read_whole(completion)
    note(f"finish_reason {whole['end']['finish_reason']}")
    assert json.loads(collect(cut, of)) == json.loads(completion)
    for chunks in (stream(cut, of), of.stream().replay(raw)):
        assert chat_sse(chunks, include_usage=True, allow=ALLOWED) == []
        assert read_stream(chunks) == whole


@PROPERTY
@given(messages().flatmap(streams_of), st.sampled_from(ASKED), st.data())
def test_a_stream_that_is_cut_off_never_looks_whole(
    given_message: tuple[list[Json], Json], of: Translation, data: st.DataObject
) -> None:
    raw = frames(given_message[0])
    end = data.draw(st.integers(0, len(raw) - 2))  # the last line feed only says that the frame ends
    chunks = of.stream()
    out = chunks.feed(raw[:end]) + chunks.close()
    assert chunks.error is not None
    assert chat_sse(out, include_usage=True, allow=ALLOWED) == []
    assert b"[DONE]" not in out


@PROPERTY
@given(loose_events(), st.sampled_from(ASKED), st.data())
def test_any_events_become_chunks_or_one_error(events: list[Json], of: Translation, data: st.DataObject) -> None:
    assert [problem for event in events for problem in messages_event(event)] == []
    answer(data.draw(pieces(frames(events))), of)


def answer(cut: list[bytes], of: Translation) -> None:
    """Check what becomes of a stream of any form, both ways."""
    chunks = of.stream()
    out = b"".join([*map(chunks.feed, cut), chunks.close()])
    note(f"error {chunks.error.status}" if chunks.error else "ended")
    assert serious(chat_sse(out, include_usage=True, allow=ALLOWED)) == []
    body, failed = collected(cut, of)
    assert failed == (chunks.error is not None)
    assert serious(chat_error(body) if failed else chat_reply(body, allow=ALLOWED)) == []


def serious(problems: list[str]) -> list[str]:
    """The problems without those that a server makes that strays from its own types."""
    return [problem for problem in problems if UNPROVEN not in problem and not USAGE_EXTRA.search(problem)]


def collected(cut: list[bytes], of: Translation) -> tuple[Json, bool]:
    """The body for a client that reads the stream as a whole reply, and whether it is an error."""
    collector = of.collector()
    try:
        for piece in cut:
            collector.feed(piece)
        return json.loads(collector.close()), collector.error is not None
    except InvalidReply as error:
        return json.loads(error.body), True


# ---------------------------------------------------------------- replies with a fault


@st.composite
def faulty(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> Any:
    """A value with one thing in it taken out, or another in its place."""
    value = json.loads(json.dumps(draw(whole)))  # a copy: parts of it are drawn again
    here, depth = value, draw(st.integers(0, 5))
    while True:
        keys: list[Any] = [*here] if isinstance(here, dict) else [*range(len(here))]
        if not keys:
            return value
        key = draw(st.sampled_from(keys))
        if depth == 0 or not isinstance(here[key], dict | list):
            break
        here, depth = here[key], depth - 1
    if draw(st.booleans()):
        del here[key]
    else:
        here[key] = draw(values.JSON)
    return value


@PROPERTY
@given(faulty(messages()), st.sampled_from(ASKED))
def test_a_message_with_a_fault_is_read_or_is_an_invalid_reply(message: Json, of: Translation) -> None:
    try:
        problems = chat_reply(json.loads(of.reply(dumps(message).encode())), allow=ALLOWED)
    except InvalidReply as error:
        note("invalid")
        problems = chat_error(json.loads(error.body))
    assert serious(problems) == []


@PROPERTY
@given(faulty(messages().flatmap(streams_of).map(lambda given_message: given_message[0])), st.sampled_from(ASKED))
def test_a_stream_with_a_fault_is_read_or_ends_with_one_error(events: list[Any], of: Translation) -> None:
    raw = "".join(f"data: {dumps(event)}\n\n" for event in events).encode()
    answer([raw], of)
