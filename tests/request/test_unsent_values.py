"""What is not sent is reported, and is UTF-8 like the rest."""

import json
from typing import Any

import pytest

from chatcompat import InvalidRequest, translate

FILE = {"type": "file", "file": {"file_id": "f", "file_data": "?"}}
FLAT = {"type": "function", "function": {"name": "f"}, "parameters": {"a": "?"}}


def ask(content: Any = "hi", **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields}).encode()


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (ask([{"type": "text", "text": "a"}, FILE]), "messages[].content[].file.file_data"),
        (ask(tools=[FLAT]), "tools[].parameters"),
        (ask(response_format={"type": "text", "schema": {"a": "?"}}), "response_format.schema"),
        (
            ask(response_format={"type": "text", "json_schema": {"name": "n", "schema": {"a": "?"}}}),
            "response_format.json_schema",
        ),
    ],
)
def test_what_is_not_sent_is_reported_and_proven(body: bytes, reported: str) -> None:
    assert translate(body).ignored == (reported,)
    with pytest.raises(InvalidRequest) as refused:
        translate(body.replace(b"?", b"\xff"))
    assert refused.value.status == 400
