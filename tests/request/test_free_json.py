"""Free JSON (schemas, arguments, native tools) is written in one form, wherever it stands and in every turn."""

import json
from collections.abc import Callable

import pytest

from chatcompat import Dialect, InvalidRequest, RequestBounds, translate

# White space, escapes that need not be, digits that no float holds, and a key that stands twice.
WRITTEN = rb'{ "z" : 1.10, "a":[ 1e400,-0.0 ,12345678901234567890123 ], "k\u0065y":"\u00e9\/ \"", "d":1, "d":{"e":[]} }'
SENT = '{"z":1.10,"a":[1e400,-0.0,12345678901234567890123],"key":"é/ \\"","d":{"e":[]}}'.encode()

HI = b'{"role":"user","content":"hi"}'
SCHEMA = b'{"type":"object","default":%b}'


def ask(*messages: bytes, more: bytes = b"") -> bytes:
    return b'{"model":"m","messages":[%b]%b}' % (b",".join((HI, *messages)), more)


def called(call: bytes) -> bytes:
    said = b'{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f",%b}}]}' % call
    return ask(said, b'{"role":"tool","tool_call_id":"c","content":"r"}')


def used(content: bytes) -> bytes:
    said = b'{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":%b}]}' % content
    return ask(said, b'{"role":"tool","tool_call_id":"c","content":"r"}')


def text(free: bytes) -> bytes:
    return json.dumps(free.decode()).encode()


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "parameters": lambda free: ask(
        more=b',"tools":[{"type":"function","function":{"name":"f","parameters":%b}}]' % (SCHEMA % free)
    ),
    "parameters on the tool": lambda free: ask(
        more=b',"tools":[{"type":"function","name":"f","parameters":%b}]' % (SCHEMA % free)
    ),
    "functions": lambda free: ask(more=b',"functions":[{"name":"f","parameters":%b}]' % (SCHEMA % free)),
    "a native tool": lambda free: ask(more=b',"tools":[{"name":"f","input_schema":%b}]' % (SCHEMA % free)),
    "an example": lambda free: ask(
        more=b',"tools":[{"type":"function","function":{"name":"f"},"input_examples":[%b]}]' % free
    ),
    "arguments": lambda free: called(b'"arguments":%b' % text(free)),
    "arguments as an object": lambda free: called(b'"arguments":%b' % free),
    "a native input": used,
    "a native input as a string": lambda free: used(text(free)),
    "response_format": lambda free: ask(
        more=b',"response_format":{"type":"json_schema","json_schema":{"schema":%b}}' % (SCHEMA % free)
    ),
}
TAKES_EXAMPLES = Dialect(native_tool_fields=frozenset({"input_examples"}))


@pytest.mark.parametrize("place", PLACES)
def test_free_json_is_written_in_one_form_wherever_it_stands(place: str) -> None:
    body = translate(PLACES[place](WRITTEN), dialect=TAKES_EXAMPLES).body
    assert body.count(SENT) == 1
    again = translate(PLACES[place](SENT), dialect=TAKES_EXAMPLES).body
    assert again == body


@pytest.mark.parametrize("place", PLACES)
def test_free_json_must_be_utf8_wherever_it_stands(place: str) -> None:
    broken = PLACES[place](b'{"a":"x"}').replace(b"x", b"\xff")
    with pytest.raises(InvalidRequest) as refused:
        translate(broken, dialect=TAKES_EXAMPLES)
    assert refused.value.code == "invalid_utf8"


@pytest.mark.parametrize("place", ["parameters", "arguments", "a native input"])
@pytest.mark.parametrize("text", ["", "[{" * 300], ids=["short", "with brackets in a text"])
@pytest.mark.parametrize("depth", [3, 4, 128])
def test_the_depth_is_exact_however_it_is_found_out(depth: int, text: str, place: str) -> None:
    around = 1 if place == "parameters" else 0  # the schema that holds it
    for levels in (depth - around, depth - around + 1):
        lists = levels - 1
        free = b'{"p":"%b","a":%b1%b}' % (text.encode(), b"[" * lists, b"]" * lists)
        try:
            translate(PLACES[place](free), bounds=RequestBounds(depth=depth))
            code = None
        except InvalidRequest as error:
            code = error.code
        assert code == (None if levels + around == depth else "nested_too_deeply")


@pytest.mark.parametrize("place", ["parameters", "arguments", "a native input"])
def test_json_that_no_decoder_takes_is_nested_too_deeply(place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        translate(PLACES[place](b'{"a":%b%b}' % (b"[" * 50_000, b"]" * 50_000)))
    assert refused.value.code == "nested_too_deeply"


@pytest.mark.parametrize("place", ["parameters", "arguments", "a native input", "a native tool", "response_format"])
def test_an_integer_that_python_does_not_read_is_refused(place: str) -> None:
    with pytest.raises(InvalidRequest, match="too many digits"):
        translate(PLACES[place](b'{"a":%b}' % (b"9" * 5000)))
