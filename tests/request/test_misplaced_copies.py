"""Fields of an assistant's message that stand in its parts too."""

import pytest

from chatcompat import InvalidRequest, translate

CHAT = (
    b'{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","u":1,"refusal":%b,"content":[%b]},'
    b'{"role":"user","content":"b"}]}'
)
PART = b'{"type":"text","text":"t","refusal":%b}'


def test_several_values_that_are_no_copies_are_reported_once() -> None:
    parts = b",".join(PART % value for value in (b'"x"', b'"y"', b'"x"', b'"r"'))
    assert translate(CHAT % (b'"r"', parts)).ignored == ("messages[].u", "messages[].content[].refusal")


def test_parts_that_are_no_objects_are_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        translate(CHAT % (b"null", b"1"))
    assert refused.value.param == "messages[1].content[0]"
