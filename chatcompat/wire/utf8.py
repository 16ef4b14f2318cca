"""A check of UTF-8, which msgspec does not validate in raw values and in skipped fields."""

from msgspec import Raw


def require_utf8(source: bytes | memoryview | Raw) -> None:
    """Raise `UnicodeDecodeError` for invalid UTF-8."""
    text = bytes(source)  # the same object, if it is `bytes` already
    if not text.isascii():
        text.decode()
