"""Whole native replies and the exact bytes of their completions.

NAME.message.json is what the inner app sends, NAME.completion.json what the client gets, NAME.request.json the request.
`odd-` and `newer-` in a name: not in the vendor's types, though real servers send it.
"""

import json

import pytest

from tests.reply.support import ALLOWED, CREATED, GOLDEN, golden_names, golden_translation
from tests.vendor import check_chat_reply, messages_reply

NAMES = golden_names("replies", ".message.json")
DEVIANT = ("newer-", "odd-")


def load(name: str) -> tuple[bytes, bytes]:
    folder = GOLDEN / "replies"
    message, completion = (folder / f"{name}.{side}.json" for side in ("message", "completion"))
    return message.read_bytes().removesuffix(b"\n"), completion.read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", NAMES)
def test_message_becomes_this_completion(name: str) -> None:
    message, completion = load(name)
    assert golden_translation("replies", name).reply(message) == completion


@pytest.mark.parametrize("name", NAMES)
def test_completion_is_what_the_vendor_sends(name: str) -> None:
    assert check_chat_reply(json.loads(load(name)[1]), allow=ALLOWED) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_native_reply_is_the_vendors_unless_its_name_says_otherwise(name: str) -> None:
    problems = messages_reply(json.loads(load(name)[0]), allow=("credits_consumed",))
    assert problems == [] or name.startswith(DEVIANT)


def test_white_space_around_and_in_a_message_makes_no_difference() -> None:
    message, completion = load("tools-mapped-names")
    spaced = b"\n " + json.dumps(json.loads(message), indent=2).encode() + b"\r\n\t"
    assert golden_translation("replies", "tools-mapped-names").reply(spaced) == completion


def test_input_of_a_call_keeps_its_bytes() -> None:
    given = b'{ "b" : 1.50e+2, "a":[ ],\t"id": 12345678901234567890, "a": "\\ud83d\\ude42\\/" }'
    message, completion = load("tools-input-bytes")
    assert given in message
    (call,) = json.loads(completion)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"].encode() == given


def test_reply_is_stamped_with_the_time_of_its_request() -> None:
    assert json.loads(load("text")[1])["created"] == CREATED
