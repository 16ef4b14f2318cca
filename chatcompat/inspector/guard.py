"""Who may use the inspector: only its own pages, at a host name of this machine.

A web page of another origin can make a browser send requests to a server on the same machine. If its own host name
points to this machine (DNS rebinding), it could read the replies too.
"""

from ipaddress import ip_address
from typing import Final

from chatcompat.asgi.headers import HeaderMap, is_json, media_type
from chatcompat.asgi.request_reader import unsupported_media_type
from chatcompat.errors import InvalidRequest

HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        b"require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
"""The headers of every reply of the inspector."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address always means this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(fields: HeaderMap) -> None:
    """Refuse a request for a host that is not this machine. Raises `InvalidRequest`."""
    host = fields.get(b"host", b"").decode("latin-1").lower()
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if not is_loopback(name):
        raise InvalidRequest(
            "The inspector answers at localhost only. Start the server with --inspect-anywhere to use another name.",
            code="wrong_host",
            status=403,
        )


def check_origin(fields: HeaderMap) -> None:
    """Refuse a request that a page of another origin makes. Raises `InvalidRequest`."""
    origin, site = fields.get(b"origin"), fields.get(b"sec-fetch-site", b"none")
    is_own = origin is None or (origin.partition(b"://")[2] or b"null") == fields.get(b"host")
    if not is_own or site not in (b"same-origin", b"none"):
        raise InvalidRequest("The inspector does not answer pages of other origins.", code="cross_origin", status=403)


def check_json(fields: HeaderMap) -> None:
    """Refuse a body that is not declared as JSON: pages of other origins could send it without a preflight."""
    media = media_type(fields)
    if media is None or not is_json(media):
        raise unsupported_media_type()
