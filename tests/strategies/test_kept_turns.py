"""A turn has one key: of its whole reply, of its stream however it is cut, and of what its client sends back."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatcompat import Translation
from chatcompat.reply.turn_keys import Turn, to_key, to_turn
from chatcompat.request import decode_chat_request
from tests.strategies.client import as_history, read_stream
from tests.strategies.replies import ASKED, dumps, frames, messages, pieces, streams_of
from tests.strategies.walker import PROPERTY
from tests.vendor import Json

SIGNED: Json = {"type": "thinking", "thinking": "hm", "signature": "s"}
CALL: Json = {"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}}


def key(turn: Turn | None) -> bytes | None:
    return None if turn is None else to_key(b"", b"", turn)


def streamed(raw: list[bytes], asked: Translation) -> tuple[bytes, Turn | None]:
    """What the client gets, and the turn that is kept."""
    stream = asked.stream()
    return b"".join([*map(stream.feed, raw), stream.close()]), stream.summary.thinking


def sent_back(chunks: bytes) -> Turn:
    """The turn as it stands in the next request; its client lost the thinking, and what has no field there."""
    message: Any = as_history(read_stream(chunks)["message"])
    fields = {"role": "assistant"} | {name: message.get(name) for name in ("content", "tool_calls", "function_call")}
    chat = decode_chat_request(json.dumps({"model": "m", "messages": [fields]}).encode()).chat
    return to_turn(chat.messages[0])  # type: ignore[arg-type]


@PROPERTY
@given(messages(), st.sampled_from(ASKED), st.data())
def test_a_turn_is_the_same_whole_streamed_and_sent_back(
    message: Json, asked: Translation, data: st.DataObject
) -> None:
    message["content"] = data.draw(st.permutations([*message["content"], SIGNED, CALL]))
    events, _ = data.draw(streams_of(message))
    whole = asked.whole_reply(dumps(message).encode())[1].thinking
    chunks, turn = streamed(data.draw(pieces(frames(events))), asked)
    assert whole is not None
    assert turn is not None
    assert key(turn) == key(whole) == key(sent_back(chunks))
    assert turn.details == whole.details
