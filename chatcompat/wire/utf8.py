"""The check that msgspec leaves out: it does not validate UTF-8 in raw values and in skipped fields."""

from msgspec import Raw


def require_utf8(source: bytes | memoryview | Raw) -> None:
    """Raise `UnicodeDecodeError` for invalid UTF-8."""
    text = bytes(source)  # the same object, if it is `bytes` already
    if not text.isascii():
        text.decode()
