"""The base URL of an upstream."""

from urllib.parse import SplitResult, urlsplit


def to_parts(url: str) -> SplitResult:
    """The parts of a base URL. Raises `ValueError`, which does not quote it: it may have credentials."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("url must begin with http:// or https://, with a host and without credentials")
    if not _has_idna(parts):
        raise ValueError("url must have a host whose labels have 1 to 63 characters")
    if not _has_port(parts):
        raise ValueError("url must have a port from 1 to 65535, or no port")
    if parts.query or parts.fragment:
        raise ValueError("url must not have a query or a fragment")
    return parts


def _has_idna(parts: SplitResult) -> bool:
    """Whether the host can be looked up (RFC 3490)."""
    try:
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        return False
    return True


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is valid or absent. The error of `urlsplit` would quote it."""
    try:
        return parts.port != 0
    except ValueError:
        return False
