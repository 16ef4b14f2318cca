"""Headers of an exchange: those the inner app receives, and those the client receives.

Names are lower case, as ASGI requires.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest

Headers = list[tuple[bytes, bytes]]
HeaderMap = Mapping[bytes, bytes]
"""The value of the first header of each name."""

# RFC 9110, section 7.6.1: these belong to one connection, and each side has its own.
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# These describe or sign the bytes of a body, and the body is rewritten. `content-language` stays true.
REPRESENTATION_HEADERS: Final = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-location",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"delta-base",
        b"digest",
        b"etag",
        b"im",
        b"last-modified",
        b"repr-digest",
        b"signature",
        b"signature-input",
    }
)
# These request a range, coding, digest or signature of a reply that is rewritten. `anthropic-version` is set anew.
_NOT_SENT_IN: Final = (
    HOP_BY_HOP
    | REPRESENTATION_HEADERS
    | {b"a-im", b"accept-encoding", b"accept-signature", b"anthropic-version", b"expect", b"if-range", b"range"}
    | {b"want-content-digest", b"want-digest", b"want-repr-digest"}
)
# Conditions apply to another representation: a client has no validator for the reply to a `POST`.
NOT_POSTED: Final = _NOT_SENT_IN | {b"if-match", b"if-modified-since", b"if-none-match", b"if-unmodified-since"}
_NOT_SENT_OUT: Final = HOP_BY_HOP | REPRESENTATION_HEADERS | {b"location"}  # redirects are errors

_BETA: Final = b"anthropic-beta"

EVENT_STREAM: Final = b"text/event-stream"

USUAL_CONNECTION: Final = frozenset({b"", b"close", b"keep-alive"})

# Native headers and the names that chat clients read.
_READ_AS: Final = {b"request-id": b"x-request-id"} | {
    b"anthropic-ratelimit-%s-%s" % (what, which): b"x-ratelimit-%s-%s" % (which, what)
    for what in (b"requests", b"tokens")
    for which in (b"limit", b"remaining", b"reset")
}

# RFC 9110, sections 5.5 and 5.6.2. Any other byte makes servers refuse the reply, or can forge a header.
_IN_VALUES: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_IN_NAMES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_MAX_NAME: Final = 64
_MAX_IGNORED: Final = 32


def lowered(headers: Iterable[Iterable[Any]]) -> Headers:
    """The headers of a scope or message, with lower-case names."""
    return [
        # To call `bytes` for what is `bytes` already takes longer than all else here.
        (name.lower(), value) if type(name) is type(value) is bytes else (bytes(name).lower(), bytes(value))
        for name, value in headers
    ]


def to_header_map(headers: Headers) -> HeaderMap:
    """Headers by name; the first of each name wins."""
    return dict(reversed(headers))


def to_inner_headers(
    headers: Headers,
    fields: HeaderMap,
    *,
    dialect: Dialect,
    version: str,
    length: int,
    left_out: Set[bytes] = _NOT_SENT_IN,
    betas: Sequence[str] = (),
) -> Headers:
    """The client's headers for the inner app, and the headers of the new body, which has `length` bytes.

    `betas` are all names of the `anthropic-beta` header, those of the client included.

    Credentials pass unchanged. `accept-encoding` is left out, since the reply is read here. `openai-*` headers are
    left out too.
    """
    if named := _named_by_connection(headers, fields):
        left_out |= named
    if betas:
        left_out |= {_BETA}
    inner = [(name, value) for name, value in headers if name not in left_out and not name.startswith(b"openai-")]
    if betas:
        inner.append((_BETA, ",".join(betas).encode("latin-1")))
    inner.append((b"anthropic-version", version.encode("latin-1")))
    if dialect.api_key_header and b"x-api-key" not in fields:
        inner += [(b"x-api-key", key) for name, value in inner if name == b"authorization" and (key := _bearer(value))]
    inner.append((b"content-type", b"application/json"))
    inner.append((b"content-length", b"%d" % length))
    return inner


def to_betas(headers: Headers) -> tuple[str, ...]:
    """The names in the `anthropic-beta` headers."""
    joined = b",".join([value for name, value in headers if name == _BETA]).decode("latin-1")
    return tuple(beta for part in joined.split(",") if (beta := part.strip()))


def _named_by_connection(headers: Headers, fields: HeaderMap) -> Set[bytes]:
    """The same as `named_by_connection`, without a search in the usual case."""
    first = fields.get(b"connection")
    if first is None or (first in USUAL_CONNECTION and len(fields) == len(headers)):
        return frozenset()
    return named_by_connection(headers)


def named_by_connection(headers: Headers) -> Set[bytes]:
    """The header names that `connection` lists (RFC 9110, section 7.6.1)."""
    return {option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")}


def _bearer(value: bytes) -> bytes:
    """The token of a bearer credential (RFC 6750, section 2.1); empty for other schemes."""
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def to_client_headers(headers: Headers, fields: HeaderMap, ignored: Sequence[str], now: float) -> Headers:
    """The inner app's headers for the client, without those of the body.

    `now` is in seconds since the epoch. Native reset headers are instants; chat clients expect durations.
    """
    left_out: Set[bytes] = _NOT_SENT_OUT
    if named := _named_by_connection(headers, fields):
        left_out |= named
    client = [header for header in headers if header[0] not in left_out]
    if not client and not ignored:
        return client
    if client and not _can_be_sent(client):
        stripped = [(name, value.strip(b" \t")) for name, value in client]
        client = [header for header in stripped if _can_be_sent([header])]
    if renamed := [header for header in client if header[0] in _READ_AS]:
        fields = to_header_map(client)
        for name, value in renamed:
            if (read_as := _READ_AS[name]) not in fields:
                client.append((read_as, _to_duration(value, now) if name.endswith(b"reset") else value))
    if ignored and (report := to_ignored_header(ignored)):
        client.append((b"x-chatcompat-ignored", report))
    return client


def _can_be_sent(headers: Headers) -> bool:
    """Whether every name is a token, and no value has control characters or surrounding white space."""
    names, values = [name for name, _ in headers], [value for _, value in headers]
    return (
        is_token(b"".join(names))
        and not has_control(b"".join(values))
        and [value.strip(b" \t") for value in values] == values
        and b"" not in names
    )


def is_token(name: bytes) -> bool:
    """Whether a lower-case header name is valid (RFC 9110, section 5.6.2)."""
    return name != b"" and not name.translate(None, _IN_NAMES)


def has_control(value: bytes) -> bool:
    """Whether a header's value has a control character other than a tab. Servers refuse such a value."""
    return value.translate(None, _IN_VALUES) != b""


def _to_duration(reset: bytes, now: float) -> bytes:
    """An RFC 3339 instant as a duration from now (`6m0s`), as chat-completions services write it."""
    try:
        instant = datetime.fromisoformat(reset.decode("ascii"))
    except ValueError:
        return reset
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    minutes, seconds = divmod(max(0, round(instant.timestamp() - now)), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" * bool(hours) + f"{minutes}m" * bool(hours or minutes) + f"{seconds}s").encode()


def to_ignored_header(ignored: Sequence[str]) -> bytes:
    """The ignored fields as a header value."""
    shown = to_plain_text(ignored[:_MAX_IGNORED])
    if len(ignored) > _MAX_IGNORED:
        shown += f", ... {len(ignored) - _MAX_IGNORED} more"
    return shown.encode()


def to_plain_text(ignored: Iterable[str]) -> str:
    """The ignored fields in one line. Clients choose the names, so unsafe characters become `_`."""
    return ", ".join([_UNSAFE.sub("_", name[:_MAX_NAME]) for name in ignored])


def size_of(headers: Headers) -> int:
    """The total bytes of all names and values."""
    return sum(map(len, chain.from_iterable(headers)))


def too_large(size: int, max_bytes: int) -> InvalidRequest | None:
    """The refusal of a request whose headers have `size` bytes, if these are more than `max_bytes`."""
    if size <= max_bytes:
        return None
    return InvalidRequest(f"The headers are larger than {max_bytes} bytes.", code="headers_too_large", status=431)


def media_type(fields: HeaderMap) -> bytes | None:
    """The media type of `content-type`, in lower case and without parameters (RFC 9110, section 8.3.1)."""
    value = fields.get(b"content-type")
    return None if value is None else value.partition(b";")[0].strip().lower()


def is_encoded(fields: HeaderMap) -> bool:
    """Whether a body has a content coding, such as gzip (RFC 9110, section 8.4)."""
    coding = fields.get(b"content-encoding")
    return coding is not None and coding.strip().lower() not in (b"", b"identity")


def is_json(media: bytes | None) -> bool:
    """Whether a media type is JSON, or has the suffix `+json` (RFC 6839, section 3.1)."""
    return media == b"application/json" or (media is not None and media.endswith(b"+json"))
