"""The container of a message comes back byte for byte, however it is nested."""

import json

import pytest

from chatcompat import translate

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
OF = translate(json.dumps(ASKED).encode(), created=1)
DEEP = "[" * 500 + "]" * 500


@pytest.mark.parametrize(
    "container",
    ['{"id":"c","z":1e2,"w":0.1000,"v":1.00000000000000000001}', '{"a":1e999}', f'{{"a":{DEEP}}}', '"c"', "{}"],
    ids=["digits", "large", "deep", "text", "empty"],
)
@pytest.mark.parametrize("extra", ["", ',"stop_details":{}'])
def test_a_container_comes_back_as_it_came(container: str, extra: str) -> None:
    named = f'"container":{container}'.encode()
    body = f'{{"id":"a","model":"m","content":[],"stop_reason":"end_turn","container":{container}{extra}}}'.encode()
    assert named in OF.reply(body)
    assert named in OF.stream().replay(body)
    head, place = '{"type":"message_start","message":{"id":"a","model":"m"', f',"container":{container}'
    for start, end in ((place, ""), ("", place), (place, ',"container":null')):
        events = [f"{head}{start}}}}}", f'{{"type":"message_delta","delta":{{"stop_reason":"end_turn"{end}}}}}']
        events.append('{"type":"message_stop"}')
        assert named in OF.stream().feed("".join(f"data: {event}\n\n" for event in events).encode())


def test_none_is_written_without_one() -> None:
    for container in ("", ',"container":null'):
        body = f'{{"id":"a","model":"m","content":[],"stop_reason":"end_turn"{container}}}'.encode()
        assert b"container" not in OF.reply(body)
        assert b"container" not in OF.stream().replay(body)
