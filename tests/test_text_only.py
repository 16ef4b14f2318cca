"""What goes a short way comes out as on the long one."""

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from chatcompat import Dialect, InvalidRequest, Translation, translate
from tests.strategies import values
from tests.strategies.replies import ASKED, dumps, messages
from tests.strategies.requests import any_requests, as_body
from tests.strategies.walker import PROPERTY
from tests.vendor import Json

SHORT = "chatcompat.request.decode._SHORT"
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "assistant", "user"])
RARE: list[Json] = [
    {"name": "n"},
    {"cache_control": {"type": "ephemeral"}},
    {"refusal": "no"},
    {"reasoning_content": "r"},
]
ORDERS = [["system", "user"], ["user"], ["user", "assistant", "user"], ["developer", "system", "user"]]


@st.composite
def texts(draw: st.DrawFn) -> Json:
    """A message of text, or nearly."""
    message: Json = {"role": draw(ROLES), "content": draw(st.sampled_from(["hi", "", " \n", "\u00e9 "]) | values.TEXTS)}
    if message["role"] == "assistant" and draw(st.integers(0, 5)) == 0:
        message |= {"tool_calls": [], "audio": None}
    return message | draw(st.sampled_from([{}] * 12 + RARE))


@st.composite
def turns(draw: st.DrawFn) -> list[Json]:
    """Turns in good order, or any."""
    if draw(st.booleans()):
        return draw(st.lists(texts(), min_size=1, max_size=5))
    roles = draw(st.sampled_from(ORDERS))
    return [draw(texts()) | {"role": role} for role in roles]


SHOWN = Dialect(reasoning="effort", display="summarized", betas=("b",))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(0, 9),
        "max_completion_tokens": st.integers(1, 9),
        "temperature": st.sampled_from([0, 1.5, None]),
        "top_p": st.sampled_from([0.5, None]),
        "stop": st.sampled_from(["x", ["a", " "], None]),
        "stream": st.booleans(),
        "stream_options": st.just({"include_usage": True}),
        "seed": st.just(1),
        "user": st.sampled_from(["u", "u" * 300]),
        "safety_identifier": st.sampled_from(["s", None]),
        "service_tier": st.sampled_from(["auto", "flex", None]),
        "tools": st.just([]),
        "x": st.just(1),
        "reasoning": st.just({"exclude": True}),
        "thinking": st.sampled_from([None, {"type": "adaptive"}]),
        "betas": st.just(["b"]),
    },
)


def outcome(body: bytes, dialect: Dialect) -> Any:
    try:
        return translate(body, dialect=dialect, created=1)
    except InvalidRequest as error:
        return error.status, error.body


@PROPERTY
@given(
    turns(), OPTIONS, st.sampled_from([Dialect(), Dialect(system_messages=True, sampling=False, prefill=False), SHOWN])
)
def test_a_chat_of_text_becomes_the_same_request(conversation: list[Json], options: Json, dialect: Dialect) -> None:
    body = dumps({"model": "m", "messages": conversation, **options}).encode("utf-8", "surrogatepass")
    with patch("chatcompat.request.build.to_plain_request", return_value=None), patch(SHORT, -1):
        long = outcome(body, dialect)
    assert outcome(body, dialect) == long


@PROPERTY
@given(any_requests())
def test_a_short_request_becomes_what_a_long_one_would(request: Json) -> None:
    body = as_body(request)
    with patch(SHORT, -1):
        long = outcome(body, Dialect())
    assert outcome(body, Dialect()) == long


@PROPERTY
@given(messages(), st.sampled_from(ASKED))
def test_a_reply_of_text_and_calls_becomes_the_same_completion(message: Json, of: Translation) -> None:
    raw = dumps(message).encode()
    with patch("chatcompat.translation.to_plain_completion", return_value=None):
        long = of.reply(raw)
    assert json.loads(of.reply(raw)) == json.loads(long)
