"""The fate of each header of HTTP: what the inner app gets of the client's, and the client of the inner app's."""

from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware
from chatcompat.asgi.headers import NOT_POSTED, to_client_headers
from tests.asgi.driver import Inner, ask, call, chat, streaming

pytestmark = pytest.mark.anyio

Pairs = list[tuple[bytes, bytes]]

# RFC 9110 and the IANA registry of HTTP field names, but for those of WebDAV, calendars and servers' own experiments.
# Of a name: whether it passes to the inner app, and whether to the client.
PASSES, IN_ONLY, OUT_ONLY, NEITHER = (True, True), (True, False), (False, True), (False, False)
FIELDS: dict[str, tuple[bool, bool]] = {
    # end to end
    **dict.fromkeys(
        ("accept", "accept-language", "authorization", "cookie", "from", "host", "origin", "referer"), PASSES
    ),
    **dict.fromkeys(("user-agent", "max-forwards", "via", "forwarded", "x-forwarded-for", "priority"), PASSES),
    **dict.fromkeys(("traceparent", "tracestate", "baggage", "idempotency-key", "x-api-key", "dpop"), PASSES),
    **dict.fromkeys(("allow", "authentication-info", "server", "date", "vary", "www-authenticate", "link"), PASSES),
    **dict.fromkeys(("retry-after", "set-cookie", "strict-transport-security", "x-request-id", "alt-svc"), PASSES),
    **dict.fromkeys(("age", "cache-control", "cache-status", "expires", "pragma", "warning"), PASSES),
    **dict.fromkeys(("access-control-allow-origin", "access-control-expose-headers", "server-timing"), PASSES),
    **dict.fromkeys(("content-language", "content-security-policy", "proxy-status", "x-own"), PASSES),
    # of one connection (RFC 9110, section 7.6.1)
    **dict.fromkeys(("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"), NEITHER),
    **dict.fromkeys(("transfer-encoding", "http2-settings"), NEITHER),
    **dict.fromkeys(("proxy-authenticate", "proxy-authentication-info", "proxy-authorization"), NEITHER),
    # of the bytes of a body (sections 8.3 to 8.8, 14), which is another one now
    **dict.fromkeys(("content-disposition", "content-location", "content-md5", "content-range"), NEITHER),
    **dict.fromkeys(("content-digest", "repr-digest", "digest", "etag", "last-modified", "accept-ranges"), NEITHER),
    **dict.fromkeys(("signature", "signature-input", "im", "delta-base"), NEITHER),
    # that ask for a part, a coding or a digest of a reply which is rewritten
    **dict.fromkeys(("accept-encoding", "accept-signature", "expect", "a-im"), OUT_ONLY),
    **dict.fromkeys(("want-content-digest", "want-repr-digest", "want-digest"), OUT_ONLY),
    **dict.fromkeys(("range", "if-range", "if-match", "if-none-match"), OUT_ONLY),
    **dict.fromkeys(("if-modified-since", "if-unmodified-since"), OUT_ONLY),
    # of another vendor
    **dict.fromkeys(("openai-organization", "openai-project", "openai-beta"), OUT_ONLY),
    # of a redirect, which is not told
    "location": IN_ONLY,
}


@pytest.mark.parametrize(("name", "fate"), FIELDS.items(), ids=FIELDS)
async def test_each_field_has_its_fate(name: str, fate: tuple[bool, bool]) -> None:
    pair = (name.encode(), b"trailers" if name == "te" else b"odd")
    inner = Inner(headers=[pair])
    client = await call(ChatCompatMiddleware(inner), chat(), headers=[pair])
    streamed = await call(ChatCompatMiddleware(streaming(headers=[pair])), chat(stream=True))
    got = [header for header in inner.scopes[0]["headers"] if header == pair]
    assert len(got) == fate[0]
    for reply in (client, streamed):
        assert reply.status == 200
        assert (name in reply.headers and reply.headers[name] == pair[1].decode()) == fate[1]


def test_nothing_is_left_out_that_the_table_does_not_name() -> None:
    ours = {b"content-type", b"content-length", b"content-encoding", b"anthropic-version"}
    assert {name.encode() for name, (passes, _) in FIELDS.items() if not passes} >= {*NOT_POSTED} - ours


@pytest.mark.parametrize("name", ["content-type", "content-length"])
async def test_fields_of_the_new_body_stand_once(name: str) -> None:
    inner = Inner()
    value = b"application/vnd.x+json" if name == "content-type" else b"999"
    await call(ChatCompatMiddleware(inner), chat(), headers=[(name.encode(), value)] * 2)
    wanted = "application/json" if name == "content-type" else str(len(inner.bodies[0]))
    assert inner.headers[name] == wanted  # which also asserts that no header stands twice


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        ([], b"2023-06-01"),
        ([b""], b"2023-06-01"),
        ([b"", b"2026-10-21"], b"2023-06-01"),
        ([b"2026-10-21"], b"2026-10-21"),
        ([b"2026-10-21", b"2023-06-01"], b"2026-10-21"),
        ([b"a\xff"], b"a\xff"),
    ],
)
async def test_one_version_is_sent_and_never_an_empty_one(sent: list[bytes], version: bytes) -> None:
    inner = Inner()
    await call(ChatCompatMiddleware(inner), chat(), headers=[(b"Anthropic-Version", value) for value in sent])
    assert [value for name, value in inner.scopes[0]["headers"] if name == b"anthropic-version"] == [version]


CONNECTIONS: list[tuple[Pairs, bool]] = [
    ([(b"connection", b"keep-alive")], True),
    ([(b"connection", b"close")], True),
    ([(b"connection", b"X-Own")], False),
    ([(b"connection", b"keep-alive,\tx-own , te")], False),
    ([(b"connection", b"keep-alive"), (b"connection", b"x-own")], False),
    ([(b"Connection", b""), (b"Connection", b"X-OWN")], False),
    ([(b"connection", b"x-own-not")], True),
]


@pytest.mark.parametrize(("headers", "passes"), CONNECTIONS)
async def test_headers_that_connection_names_pass_in_no_direction(headers: Pairs, passes: bool) -> None:
    pairs = [(b"x-own", b"1"), *headers, (b"x-other", b"2")]
    inner = Inner(headers=pairs)
    reply = await call(ChatCompatMiddleware(inner), chat(), headers=pairs)
    assert ("x-own" in inner.headers, "x-own" in reply.headers) == (passes, passes)
    assert (inner.headers["x-other"], reply.headers["x-other"]) == ("2", "2")
    assert not {"connection", "te"} & (inner.headers.keys() | reply.headers.keys())


async def test_connection_cannot_take_what_the_new_body_needs() -> None:
    named = [(b"connection", b"content-type, content-length, anthropic-version, cache-control")]
    inner = streaming(headers=named)
    reply = await call(ChatCompatMiddleware(inner), chat(stream=True), headers=named)
    assert {"content-type", "content-length", "anthropic-version"} <= inner.headers.keys()
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache"


TOKENS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("byte", range(256))
def test_only_bytes_that_may_stand_there_are_sent(byte: int) -> None:
    """RFC 9110, sections 5.1 and 5.5: names are tokens, values visible characters with spaces and tabs between."""
    odd, good = bytes([byte]), (b"x-good", b"1")
    in_name = [(b"x" + odd + b"x", b"1")]
    assert to_client_headers([*in_name, good], {}, (), 0) == [*(in_name if byte in TOKENS else []), good]
    in_value = [(b"x", b"a" + odd + b"b")]
    may_stand = byte == 9 or (byte >= 32 and byte != 127)
    assert to_client_headers([good, *in_value], {}, (), 0) == [good, *(in_value if may_stand else [])]
    for value in (odd + b"a", b"a" + odd, odd):
        kept = [(b"x", value.strip(b" \t"))] if may_stand else []
        assert to_client_headers([(b"x", value), good], {}, (), 0) == [*kept, good]


def test_a_header_without_a_name_is_not_sent_and_one_without_a_value_is() -> None:
    assert to_client_headers([(b"", b"1"), (b"x", b"")], {}, (), 0) == [(b"x", b"")]
    assert to_client_headers([], {}, (), 0) == []


async def test_an_error_has_no_odd_headers_either() -> None:
    evil: Any = [(b"x-evil", b"a\x01b"), (b"x evil", b"1"), (b"retry-after", b" 7 ")]
    reply = await ask(Inner(b"{}", status=429, headers=evil))
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert not [name for name in reply.headers if "evil" in name]
