"""Whatever a client sends, it gets an answer in good order, and the inner app strict JSON or nothing."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, RequestBounds
from tests.asgi.driver import Inner
from tests.asgi.faults.server import chat, json_suite, scope, serve, strict

pytestmark = pytest.mark.anyio

HI = {"role": "user", "content": "hi"}


def ask(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [HI]} | fields).encode()


def said(*messages: Any) -> bytes:
    return ask(messages=list(messages))


def part(**fields: Any) -> bytes:
    return said({"role": "user", "content": [fields]})


def with_arguments(arguments: str) -> bytes:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return said(HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "r"})


def with_schema(schema: bytes) -> bytes:
    tool = b'{"type":"function","function":{"name":"f","parameters":%b}}' % schema
    return b'{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[%b]}' % tool


REFUSED = {
    "empty": b"",
    "no JSON": b"hello",
    "truncated": ask()[:-1],
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "trailing garbage": ask() + b"x",
    "two documents": ask() + ask(),
    "comment": b"{/**/" + ask()[1:],
    "single quotes": ask().replace(b'"', b"'"),
    "invalid UTF-8 in content": ask().replace(b"hi", b"\xff"),
    "invalid UTF-8 in an unused field": b'{"zz":"\xff",' + ask()[1:],
    "surrogate bytes": ask().replace(b"hi", b"\xed\xa0\x80"),
    "UTF-16": ask().decode().encode("utf-16"),
    "control character": ask().replace(b"hi", b"h\x01i"),
    "NaN": b'{"temperature":NaN,' + ask()[1:],
    "Infinity in an unused field": b'{"zz":Infinity,' + ask()[1:],
    "deep objects": b'{"a":' * 100_000,
    "deep arrays": b"[" * 100_000,
    "deep objects inside": b'{"zz":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"," + ask()[1:],
    "no model": json.dumps({"messages": [HI]}).encode(),
    "empty model": ask(model=""),
    "model null": ask(model=None),
    "model list": ask(model=["m"]),
    "no messages": b'{"model":"m"}',
    "messages empty": ask(messages=[]),
    "messages object": ask(messages={}),
    "messages null": ask(messages=None),
    "message text": said("hi"),
    "no role": said({"content": "hi"}),
    "unknown role": said({"role": "critic", "content": "hi"}),
    "role in capitals": said({"role": "User", "content": "hi"}),
    "role null": said({"role": None, "content": "hi"}),
    "content number": said({"role": "user", "content": 5}),
    "content object": said({"role": "user", "content": {"text": "hi"}}),
    "content null of a user": said({"role": "user", "content": None}),
    "part of unknown type": part(type="hologram", hologram={}),
    "part without type": part(text="hi"),
    "text part without text": part(type="text"),
    "text part with a number": part(type="text", text=5),
    "image without url": part(type="image_url", image_url={}),
    "image with a file": part(type="image_url", image_url={"url": "file:///etc/passwd"}),
    "image with no data": part(type="image_url", image_url={"url": "data:,"}),
    "audio": part(type="input_audio", input_audio={"data": "x", "format": "wav"}),
    "arguments no JSON": with_arguments("x"),
    "arguments a list": with_arguments("[1]"),
    "arguments with NaN": with_arguments('{"a":NaN}'),
    "tool message without id": said(HI, {"role": "tool", "content": "r"}),
    "tool message of no call": said(HI, {"role": "tool", "tool_call_id": "c", "content": "r"}),
    "stream text": ask(stream="true"),
    "stream number": ask(stream=1),
    "max_tokens -1": ask(max_tokens=-1),
    "max_tokens 0": ask(max_tokens=0),
    "max_tokens true": ask(max_tokens=True),
    "max_tokens 1.5": ask(max_tokens=1.5),
    "max_tokens text": ask(max_tokens="5"),
    "temperature text": ask(temperature="hot"),
    "temperature 1e400": b'{"temperature":1e400,' + ask()[1:],
    "n 2": ask(n=2),
    "stop object": ask(stop={}),
    "tools object": ask(tools={}),
    "tool without name": ask(tools=[{"type": "function", "function": {}}]),
    "tool null": ask(tools=[None]),
    "tool_choice number": ask(tool_choice=5),
    "half a character in content": ask().replace(b"hi", b"\\ud800"),
    "half a character in a schema's key": with_schema(b'{"type":"object","properties":{"\\ud800":{}}}'),
    "a deep schema": with_schema(b'{"type":"object","a":' + b"[" * 600 + b"]" * 600 + b"}"),
    "a very deep schema": with_schema(b'{"type":"object","a":' + b"[" * 4000 + b"]" * 4000 + b"}"),
    "5,000 digits in a schema": with_schema(b'{"type":"object","maximum":%b}' % (b"9" * 5000)),
    "5,000 digits in arguments": with_arguments('{"a":%s}' % ("9" * 5000)),
    "byte order mark": b"\xef\xbb\xbf" + ask(),
    "large garbage": b"\x7b" * 500_000,
    "large role": said({"role": "x" * 300_000, "content": "hi"}),
    "large unknown tag": part(type="y" * 300_000),
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
async def test_what_is_no_request_is_refused_and_reaches_nobody(given: bytes) -> None:
    inner = Inner()
    seen = await serve(ChatCompatMiddleware(inner), given)
    assert seen.status == 400
    assert seen.fails()
    assert len(seen.body) < 2048
    assert not inner.scopes


TAKEN = {
    "a key twice": b'{"model":"x","user":"a","user":"b",' + ask()[1:],
    "a key twice in a schema": with_schema(
        b'{"type":"object","properties":{"a":{"const":1,"const":2.50}},"type":"object"}'
    ),
    "a key twice, written as an escape": with_schema(b'{"type":"object","a":1,"\\u0061":2}'),
    "a key twice in arguments": with_arguments('{"a": {"b": 1, "b": 22222222222222222222.0}}'),
    "a key twice in a native tool": ask(tools=[{"name": "f", "input_schema": {"type": "object"}}]).replace(
        b'"name": "f"', b'"name":"f","description":"a","description":"b"'
    ),
    "a key twice, hidden by white space": with_schema(b'{"type" :"object","a":1,"a":2}'),
    "a key twice, hidden by an escape": with_schema(b'{"type":"object","a":"\\u0022:","b": 1,"b":2}'),
    "a large exponent in a schema": with_schema(b'{"type":"object","maximum":1e400}'),
    "NUL": ask(messages=[{"role": "user", "content": "a\0b"}]),
    "a large model": ask(model="m" * 1024 * 1024),
    "a model with line ends": ask(model="m\r\nx-evil: 1"),
    "unknown fields": ask(zz={"a": [1]}, **{"x\r\nevil: 1": 1}),
    "null everywhere": ask(temperature=None, tools=None, stop=None, user=None, stream=None),
    "no content in a call": with_arguments("{}"),
    "noncharacters": said({"role": "user", "content": "\ufffe\U0010ffff"}),
    "only system": said({"role": "system", "content": "x"}),
}


@pytest.mark.parametrize("given", TAKEN.values(), ids=TAKEN)
async def test_what_is_odd_arrives_as_strict_json(given: bytes) -> None:
    inner = Inner()
    seen = await serve(ChatCompatMiddleware(inner), given)
    assert seen.status == 200
    strict(inner.bodies[0])


async def test_the_last_value_of_a_repeated_key_arrives_with_its_digits() -> None:
    inner = Inner()
    await serve(ChatCompatMiddleware(inner), TAKEN["a key twice in arguments"])
    await serve(ChatCompatMiddleware(inner), TAKEN["a key twice in a schema"])
    assert b'"input":{"a":{"b":22222222222222222222.0}}' in inner.bodies[0]
    assert b'"input_schema":{"type":"object","properties":{"a":{"const":2.50}}}' in inner.bodies[1]


@pytest.mark.parametrize(
    ("length", "status"),
    [("abc", 200), ("-5", 200), ("+3", 200), ("9" * 5000, 413), ("\u00b2", 200), ("0", 200), (str(10**10), 413)],
)
async def test_a_content_length_is_judged_by_the_bytes(length: str, status: int) -> None:
    inner = Inner()
    seen = await serve(ChatCompatMiddleware(inner), ask(), headers=[(b"content-length", length.encode("latin-1"))])
    assert seen.status == status
    if status == 200:
        assert inner.headers["content-length"] == str(len(inner.bodies[0]))


async def test_a_length_above_the_bound_is_refused_before_anything_is_read() -> None:
    async def receive() -> Any:
        pytest.fail("nothing is to be read")

    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    await ChatCompatMiddleware(Inner())(scope(headers=[(b"content-length", b"10000000000")]), receive, send)
    assert statuses[0] == 413


LARGE = ask(user="u" * 8 * 1024 * 1024)


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in ask()],
        [b""] * 20_000 + [ask()],
        [LARGE[start : start + 256] for start in range(0, len(LARGE), 256)],
    ],
    ids=["byte by byte", "empty messages", "8 MiB in small messages"],
)
async def test_a_body_in_pieces_is_the_same_body(pieces: list[bytes]) -> None:
    inner = Inner()
    assert (await serve(ChatCompatMiddleware(inner), pieces)).status == 200
    whole = Inner()
    await serve(ChatCompatMiddleware(whole), b"".join(pieces))
    assert inner.bodies == whole.bodies


async def test_twenty_thousand_turns_are_a_request() -> None:
    inner = Inner()
    turns = [HI, {"role": "assistant", "content": "ho"}] * 10_000
    assert (await serve(ChatCompatMiddleware(inner), said(*turns, HI))).status == 200
    assert len(json.loads(inner.bodies[0])["messages"]) == 20_001


@pytest.mark.parametrize(
    ("media", "status"),
    [
        (b"multipart/form-data; boundary=x", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"", 415),
        (b"Application/JSON; charset=utf-8", 200),
        (None, 200),
    ],
)
async def test_the_media_type_is_json_or_nothing(media: bytes | None, status: int) -> None:
    inner = Inner()
    headers = [] if media is None else [(b"content-type", media)]
    assert (await serve(ChatCompatMiddleware(inner), ask(), headers=headers)).status == status
    if status == 200:
        assert inner.headers["content-type"] == "application/json"


async def test_a_compressed_body_is_refused_unread() -> None:
    inner = Inner()
    bomb = gzip.compress(b" " * 1024 * 1024)
    seen = await serve(ChatCompatMiddleware(inner), bomb, headers=[(b"content-encoding", b"gzip")])
    assert seen.status == 415
    assert seen.fails()
    assert not inner.scopes


async def test_a_schema_that_is_not_utf8_is_refused() -> None:
    inner = Inner()
    seen = await serve(ChatCompatMiddleware(inner), with_schema(b'{"type":"object","default":"\xff"}'))
    assert (seen.status, json.loads(seen.body)["error"]["code"]) == (400, "invalid_utf8")
    assert not inner.scopes


@pytest.mark.skipif(not json_suite(), reason="JSON_TEST_SUITE names no copy of JSONTestSuite")
async def test_the_json_suite_as_bodies_in_schemas_and_in_arguments() -> None:
    app = ChatCompatMiddleware(inner := Inner())
    for path in json_suite():
        raw, legal = path.read_bytes(), path.name[0] in "yi"
        assert (await serve(app, raw)).status == 400, path.name
        assert not inner.bodies
        arguments = json.dumps(f'{{"a":{raw.decode("utf-8", "surrogateescape")}}}').encode()
        for given in (
            with_schema(b'{"type":"object","default":%b}' % raw),
            with_arguments("@@").replace(b'"@@"', arguments),
        ):
            seen = await serve(app, given)
            assert seen.status in (200, 400), path.name
            assert legal or seen.status == 400 or inner.bodies[0].count(b'"input":{}'), path.name
            while inner.bodies:
                strict(inner.bodies.pop())


async def test_each_bound_holds_at_the_bound_and_not_above() -> None:
    app = ChatCompatMiddleware(Inner(), bounds=RequestBounds(messages=2, tools=2, depth=3), max_header_bytes=100)
    tools = [{"type": "function", "function": {"name": f"f{number}"}} for number in range(2000)]
    functions = [{"name": f"f{number}"} for number in range(2000)]

    def deep(levels: int) -> bytes:
        return with_schema(b'{"type":"object","a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}")

    asked: dict[str, Callable[[int], bytes]] = {
        "messages": lambda count: said(*[HI] * count),
        "tools": lambda count: ask(tools=tools[:count]),
        "functions": lambda count: ask(functions=functions[:count]),
    }
    for param, made in asked.items():
        assert (await serve(app, made(2))).status == 200
        for above in (3, 2000):
            seen = await serve(app, made(above))
            assert (seen.status, json.loads(seen.body)["error"]["param"]) == (400, param)
    assert (await serve(app, deep(3))).status == 200
    for above in (4, 120):
        seen = await serve(app, deep(above))
        assert json.loads(seen.body)["error"]["code"] == "nested_too_deeply"
    for size, status in ((100, 200), (101, 431), (100_000, 431)):
        assert (await serve(app, chat(), headers=[(b"x", b"y" * (size - 1))])).status == status


@pytest.mark.parametrize("bound", ["messages", "tools", "depth"])
def test_a_bound_is_at_least_one(bound: str) -> None:
    with pytest.raises(ValueError, match=bound):
        RequestBounds(**{bound: 0})
