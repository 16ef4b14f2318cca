"""A check of UTF-8, which msgspec does not validate in raw values and in skipped fields."""

from msgspec import Raw


def require_utf8(source: bytes | memoryview | Raw) -> None:
    """Raise `UnicodeDecodeError` for invalid UTF-8."""
    text = source if type(source) is bytes else bytes(source)
    if not text.isascii():
        text.decode()
