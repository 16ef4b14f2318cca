"""What base64 data tells about itself: whether it is base64 at all, and the type of its first bytes."""

from binascii import a2b_base64
from typing import Final

from chatcompat.errors import InvalidRequest
from chatcompat.wire.utf8 import require_utf8

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PADDING: Final = (b"", b"=", b"==")
_MOST_OTHERS: Final = len(b'=="')
_SLICE: Final = 32_768  # bytes
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
        first = a2b_base64(start[: len(start) // 4 * 4])
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
    others = _outside_alphabet(data)  # the padding and the quote, if there are no escapes
    if b"\\" in others:
        text = bytes(data)
        for escape, meant in _ESCAPES:
            text = text.replace(escape, meant)
        data = memoryview(text)
        others = _outside_alphabet(data)
    is_padded = len(others) <= _MOST_OTHERS and others[:-1] in _PADDING and data[-len(others) :] == others
    if not is_padded or (len(data) - 1) % 4:
        require_utf8(data)
        raise InvalidRequest(
            "The data is not valid base64. Send it in the standard alphabet of RFC 4648.",
            param=path,
            code="invalid_base64",
        )
    return data


def _outside_alphabet(data: memoryview) -> bytes:
    """The bytes that are not of the alphabet, or the first of them if these are more than a valid ending has.

    Slices stay in the cache of the processor, and take little memory.
    """
    others = b""
    for start in range(0, len(data), _SLICE):
        others += bytes(data[start : start + _SLICE]).translate(None, _ALPHABET)
        if len(others) > _MOST_OTHERS:
            break
    return others
