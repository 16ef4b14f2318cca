"""What base64 data tells about itself: whether it is base64 at all, and the type of its first bytes."""

from base64 import b64decode
from typing import Final

from chatcompat.errors import InvalidRequest
from chatcompat.wire.utf8 import require_utf8

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PADDING: Final = (b"", b"=", b"==")
_FIRST: Final = 16  # characters, for the 12 bytes that are compared

# The escapes that encoders write in base64: of a slash, and of the line ends of MIME.
_ESCAPES: Final = ((rb"\/", b"/"), (rb"\r", b""), (rb"\n", b""))

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def media_type_of(data: memoryview) -> str | None:
    """The media type that the first bytes tell, or None. Only the start of `data` is read."""
    start = bytes(data[:_FIRST]).replace(rb"\/", b"/").partition(b'"')[0]
    try:
        first = b64decode(start[: len(start) // 4 * 4])
    except ValueError:
        return None
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for signature, media_type in _SIGNATURES if first.startswith(signature)), None)


def to_plain_base64(data: memoryview, path: str) -> memoryview:
    """Return `data`, which ends in the closing quote of its JSON string, without escapes and line ends.

    Raises `InvalidRequest` with `path` if it is not base64, and `UnicodeDecodeError`. Images are large, so they are
    scanned and not decoded.
    """
    text = bytes(data)
    if b"\\" in text:
        for escape, meant in _ESCAPES:
            text = text.replace(escape, meant)
        data = memoryview(text)
    others = text.translate(None, _ALPHABET)  # what is left: the padding and the quote
    padding = others[:-1]
    if len(others) > len(b'=="') or padding not in _PADDING or not text.endswith(others) or (len(text) - 1) % 4:
        require_utf8(text)
        raise InvalidRequest(
            "The data is not valid base64. Send it in the standard alphabet of RFC 4648.",
            param=path,
            code="invalid_base64",
        )
    return data
