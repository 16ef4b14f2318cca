"""The usage of a plain reply: the short way reads the vendor's fields, and gives what the long way gives."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcompat import InvalidReply, translate
from chatcompat.wire.plain_message import PlainUsage
from tests.strategies.walker import PROPERTY

ASKED = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
OF = translate(ASKED, created=1)
TIER_ASKED = translate(ASKED.replace(b"{", b'{"service_tier":"auto",', 1), created=1)

COUNTS = [name for name in PlainUsage.__struct_fields__ if name.endswith("_tokens")]
OTHERS = [name for name in PlainUsage.__struct_fields__ if name not in COUNTS]
UNKNOWN = ["credits_consumed", "prompt_tokens", "total_tokens", "prompt_tokens_details", "speed"]
DETAILS = ["null", '{"thinking_tokens":4}', '{"thinking_tokens":0}', '{"thinking_tokens":null}', "{}"]
NUMBERS = ["0", "7", "-3", "5.0", "1e2", "9223372036854775808", "1" + "0" * 30]
VALUES = [
    *("null", "true", '"standard"', '"priority"', '"1"', "1.10", "1e400", "[1, 2]", "{}", '"\\ud83d\\ude00"'),
    *('{"thinking_tokens":null,"x":1}', '{"thinking_tokens":"4"}', '{"ephemeral_1h": 2}'),
]
USUAL = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(["null", "0", "7", "1024"]) for name in COUNTS}
    | {name: st.sampled_from(DETAILS if name == "output_tokens_details" else VALUES) for name in OTHERS},
).map(lambda fields: [*fields.items()])
ODD = st.lists(
    st.tuples(st.sampled_from(COUNTS), st.sampled_from([*NUMBERS, *NUMBERS, "null", '"1"', "true", "1.5"]))
    | st.tuples(st.sampled_from([*COUNTS, *OTHERS]), st.sampled_from(VALUES))
    | st.tuples(st.sampled_from(UNKNOWN), st.sampled_from([*NUMBERS, *VALUES])),
    max_size=9,
)


def reply(usage: str) -> bytes:
    head = '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}]'
    return f'{head},"stop_reason":"end_turn","usage":{usage}}}'.encode()


def told(body: bytes, of: Any) -> Any:
    """The completion with its numbers as they are written, and the plain usage of its summary."""
    try:
        completion, summary = of.whole_reply(body)
    except InvalidReply as error:
        return error.body
    return json.loads(completion, parse_float=str, parse_int=str, parse_constant=str), summary.usage


@PROPERTY
@given(USUAL | ODD, st.sampled_from([OF, TIER_ASKED]))
@example([("input_tokens", "1"), ("output_tokens", "2"), ("credits_consumed", "1.10")], OF)
def test_every_usage_is_told_as_by_the_long_way(fields: list[tuple[str, str]], of: Any) -> None:
    body = reply("{" + ",".join(f'"{name}": {value}' for name, value in fields) + "}")
    with patch("chatcompat.translation.to_plain_completion", return_value=None):
        long = told(body, of)
    assert told(body, of) == long


@pytest.mark.parametrize("usage", ["null", "{}", "5", "[]", '"a"', '{"input_tokens":[]}'])
def test_a_usage_of_another_form_is_told_as_by_the_long_way(usage: str) -> None:
    with patch("chatcompat.translation.to_plain_completion", return_value=None):
        long = told(reply(usage), OF)
    assert told(reply(usage), OF) == long


def test_the_vendors_fields_are_passed_on_as_they_came() -> None:
    others = {name: '{"a": 1.10, "a": 2}' for name in OTHERS if name != "output_tokens_details"}
    body = reply("{" + ",".join(f'"{name}":{value}' for name, value in others.items()) + "}")
    completion = OF.reply(body)
    for name, value in others.items():
        assert f'"{name}":{value}'.encode() in completion
