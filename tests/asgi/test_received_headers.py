"""The headers of a request are read by their names, which are remembered, and never by their values."""

import gc
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, translate
from chatcompat.asgi.headers import NOT_POSTED, size_of, to_header_map, to_inner_headers
from chatcompat.asgi.received_headers import _plan_of, read_headers
from chatcompat.dialect import Dialect
from tests.asgi.driver import Inner, call, chat

pytestmark = pytest.mark.anyio

Pairs = list[tuple[bytes, bytes]]
LIMIT = 64 * 1024
SECRET = b"Bearer sk-secret-of-one-client"

# The headers of the `openai` client for Python.
CLIENT: Pairs = [
    (b"Host", b"localhost:8000"),
    (b"Accept-Encoding", b"gzip, deflate"),
    (b"Connection", b"keep-alive"),
    (b"Accept", b"application/json"),
    (b"Content-Type", b"application/json"),
    (b"User-Agent", b"OpenAI/Python 2.9.0"),
    (b"X-Stainless-Lang", b"python"),
    (b"X-Stainless-Retry-Count", b"0"),
    (b"OpenAI-Organization", b"org"),
    (b"Authorization", SECRET),
    (b"Content-Length", b"100"),
]
KINDS: dict[str, Pairs] = {
    "none": [],
    "of the client": CLIENT,
    "twice": [*CLIENT, (b"authorization", b"Bearer other"), (b"content-type", b"text/plain"), (b"x-api-key", b"k")],
    "named by connection": [(b"connection", b"x-own, close"), (b"x-own", b"1"), (b"x-other", b"2")],
    "two connections": [(b"connection", b"close"), (b"connection", b"x-own"), (b"x-own", b"1")],
    "a basic credential": [(b"authorization", b"Basic Og=="), (b"x-api-key", b"")],
}
DIALECTS = [Dialect(), Dialect(api_key_header=True)]


def lower(headers: Pairs) -> Pairs:
    return [(name.lower(), value) for name, value in headers]


@pytest.mark.parametrize("dialect", DIALECTS, ids=["as they are", "with a key"])
@pytest.mark.parametrize("betas", [(), ("a", "b")], ids=["no betas", "betas"])
@pytest.mark.parametrize("name", KINDS)
def test_the_inner_app_gets_the_headers_of_the_general_way(name: str, betas: tuple[str, ...], dialect: Dialect) -> None:
    headers = KINDS[name]
    read = read_headers(iter(headers), LIMIT)
    made = read.to_inner(dialect=dialect, version="2023-06-01", length=7, betas=betas)
    assert made == to_inner_headers(
        lower(headers),
        to_header_map(lower(headers)),
        dialect=dialect,
        version="2023-06-01",
        length=7,
        left_out=NOT_POSTED,
        betas=betas,
    )
    assert read.size == size_of(headers)
    assert read.pairs() == lower(headers)
    assert read.fields == {key: value for key, value in to_header_map(lower(headers)).items() if key in read.fields}


def test_of_the_same_names_each_request_has_its_own_values() -> None:
    other = [(name, b"other" if value is SECRET else value) for name, value in CLIENT]
    mine, theirs = read_headers(CLIENT, LIMIT), read_headers(other, LIMIT)
    assert (mine.credentials, theirs.credentials) == ([(b"authorization", SECRET)], [(b"authorization", b"other")])


def test_no_value_is_remembered() -> None:
    value = bytes([*b"secret-", *range(65, 91)])
    read_headers([(b"authorization", value), (b"x-new-name", value)], LIMIT)
    gc.collect()
    assert [held for held in gc.get_referrers(value) if type(held) in (tuple, dict)] == []
    assert value not in repr(_plan_of((b"authorization", b"x-new-name"))).encode()


def test_names_of_the_last_requests_are_cached_unless_too_large() -> None:
    bound = _plan_of.cache_info().maxsize
    assert bound == 64
    for number in range(3 * bound):
        read_headers([(b"x-%d" % number, b"")], LIMIT)
    assert _plan_of.cache_info().currsize == bound
    misses = _plan_of.cache_info().misses
    assert read_headers([(b"x" * 100, b"y" * 100)], 199).size == 200
    assert _plan_of.cache_info().misses == misses


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
async def test_a_server_may_give_other_buffers_than_bytes(buffer: Any) -> None:
    inner = Inner()
    odd = [(buffer(name), buffer(value)) for name, value in CLIENT]
    body = chat()
    reply = await call(ChatCompatMiddleware(inner), [buffer(body[:9]), buffer(b""), buffer(body[9:])], headers=odd)
    assert (reply.status, bytes(dict(inner.scopes[0]["headers"])[b"authorization"])) == (200, SECRET)
    assert inner.bodies == [translate(body).body]
