"""A history made from our own replies, whole or streamed, goes back to exactly the native blocks they came from."""

import json
from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatcompat import translate
from tests.strategies import values
from tests.strategies.client import as_history, read_stream, read_whole, stream
from tests.strategies.replies import PLAIN, TOOLS, dumps, frames, pieces, streams_of
from tests.strategies.values import Strategy
from tests.strategies.walker import PROPERTY
from tests.vendor import Json, check_messages_request, messages_reply

CUSTOM = frozenset(PLAIN.context.custom_tools)
FUNCTIONS = frozenset(("f", *PLAIN.context.tool_names)) - CUSTOM
# Without a signature there is no way back for thinking, and none for citations; the native side takes no blank text.
TEXT = st.builds(lambda said: {"type": "text", "text": said, "citations": None}, values.SPOKEN)
THINKING = st.builds(
    lambda thought, signature: {"type": "thinking", "thinking": thought, "signature": signature},
    values.TEXTS,
    st.sampled_from(["c2ln", "\u00e9/+=="]),
)
REDACTED = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, st.sampled_from(["ZGF0YQ==", "-"]))


def calls(names: frozenset[str], inputs: Strategy) -> Strategy:
    return st.builds(
        lambda name, given: {"type": "tool_use", "id": "", "name": name, "input": given, "caller": {"type": "direct"}},
        st.sampled_from(sorted(names)),
        inputs,
    )


CALLS = calls(FUNCTIONS, values.OBJECTS) | calls(CUSTOM, st.builds(lambda text: {"input": text}, values.TEXTS))


@st.composite
def replies(draw: st.DrawFn) -> Json:
    """A reply that chat can tell whole: signed thinking in any place, or none."""
    blocks = draw(st.lists(TEXT | THINKING | REDACTED | CALLS, min_size=1, max_size=6))
    for number, block in enumerate(block for block in blocks if block["type"] == "tool_use"):
        block["id"] = f"toolu_{number}"
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def expected(blocks: list[Json]) -> list[Json]:
    """The blocks as they go back: each, in its place; where nothing was thought, one text and then the calls."""
    asked = [{key: block[key] for key in block if key not in ("citations", "caller")} for block in blocks]
    if any("thinking" in block["type"] for block in asked):
        return asked
    said = "".join(block["text"] for block in asked if block["type"] == "text")
    used = [block for block in asked if block["type"] == "tool_use"]
    return [*([{"type": "text", "text": said}] if said else ()), *used]


def sent_back(message: Json) -> tuple[list[Any], bytes]:
    """The native turns, and the body, that a client's next request becomes."""
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in message.get("tool_calls", ())
    ]
    last = [] if results else [{"role": "user", "content": "go on"}]
    chat = {"model": "m", "tools": TOOLS, "messages": [{"role": "user", "content": "hi"}, message, *results, *last]}
    translation = translate(json.dumps(chat).encode())
    body = json.loads(translation.body)
    assert check_messages_request(body, version=translation.version) == []
    return body["messages"], translation.body


@PROPERTY
@given(replies().flatmap(lambda message: st.tuples(st.just(message), streams_of(message))), st.data())
def test_a_reply_goes_back_to_exactly_the_blocks_that_it_came_from(
    replied: tuple[Json, tuple[list[Json], Json]], data: st.DataObject
) -> None:
    message, (events, _) = replied
    assert messages_reply(message) == []
    want = expected(message["content"])
    plain = want[0]["text"] if [block["type"] for block in want] == ["text"] else want
    whole = read_whole(PLAIN.reply(dumps(message).encode()))["message"]
    streamed = read_stream(stream(data.draw(pieces(frames(events))), PLAIN))["message"]
    for said in (whole, streamed):
        turns, body = sent_back(as_history(said))
        assert turns[1] == {"role": "assistant", "content": plain}
        for block in want:
            assert block["type"] != "tool_use" or dumps(block["input"]).encode() in body, "digits and order are kept"
    assert [kind for kind, _ in groupby(turn["role"] for turn in turns)] == ["user", "assistant", "user"]
