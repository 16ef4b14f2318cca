"""Decoding: unknown fields do not change the result, and invalid UTF-8 is refused."""

import json

import pytest

from chatcompat import InvalidRequest, translate

HI = b'{"role":"user","content":"hi"}'


def ask(messages: bytes, more: bytes = b"") -> bytes:
    return b'{%b"model":"m","messages":[%b]}' % (more, messages)


def outcome(body: bytes) -> bytes:
    """The messages request, or the reason for its refusal."""
    try:
        return translate(body).body
    except InvalidRequest as error:
        return str(error.param).partition(".")[0].encode()


TWICE = [
    b'{"role":"user","content":"a","role":"assistant"}',
    b'{"role":"assistant","content":"a","role":"user"}',
    b'{"role":"user","content":"a","role":5}',
    b'{"role":"user","role":"user","content":"a"}',
    b'{"role":"user","content":"a","content":"b"}',
    b'{"role":"user","content":[{"type":"text","text":"a","type":"image_url"}]}',
    b'{"role":"user","content":[{"type":"image_url","text":"a","type":"text"}]}',
    b'{"role":"user","content":[{"type":"text","text":"a"},5]}',
    b'{"role":"user","content":[{"type":"text","text":"a"},{"type":"video"}]}',
    b'{"role":"user","content":[["a"]]}',
    b"5",
]


@pytest.mark.parametrize("message", TWICE)
def test_an_unknown_field_changes_nothing_of_what_is_read(message: bytes) -> None:
    assert outcome(ask(message)) == outcome(ask(message, b'"odd":1,'))
    if message != b"5":
        assert outcome(ask(message)) == outcome(ask(message.replace(b"{", b'{"odd":1,', 1)))


@pytest.mark.parametrize("field", ["prediction", "audio", "prompt_cache_options", "odd"])
def test_a_field_that_is_not_sent_must_be_utf8_too(field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        translate(ask(HI, b'"%b":"\xff",' % field.encode()))
    assert refused.value.code == "invalid_utf8"


@pytest.mark.parametrize("field", ["annotations", "audio", "odd"])
def test_what_a_message_brings_back_must_be_utf8_too(field: str) -> None:
    message = b'{"role":"assistant","content":"a","%b":["\xff"]}' % field.encode()
    with pytest.raises(InvalidRequest) as refused:
        translate(ask(b",".join((HI, message, HI))))
    assert refused.value.code == "invalid_utf8"


def test_the_name_of_an_unknown_field_is_cut_to_a_size() -> None:
    translation = translate(json.dumps({"model": "m", "messages": [json.loads(HI)], "n" * 5000: 1}).encode())
    assert translation.ignored == ("n" * 200,)


NUMBERS = ["1.10", "1e400", "1E-7", "12345678901234567890123", "-1.0", "0.0", "9" * 4000]


@pytest.mark.parametrize("digits", NUMBERS, ids=lambda digits: digits[:20])
def test_numbers_keep_their_digits_and_keys_their_order(digits: str) -> None:
    arguments = json.dumps(f'{{ "z" : {digits}, "a":[{digits}] }}').encode()
    call = b'{"id":"c","type":"function","function":{"name":"f","arguments":%b}}' % arguments
    said = b'{"role":"assistant","tool_calls":[%b]}' % call
    body = ask(b",".join((HI, said, b'{"role":"tool","tool_call_id":"c","content":"r"}')))
    assert b'"input":{"z":%b,"a":[%b]}' % (digits.encode(), digits.encode()) in translate(body).body
