"""What base64 data tells about itself: whether it is base64 at all, and the type of its first bytes."""

from binascii import a2b_base64
from collections.abc import Callable
from functools import cache
from typing import Final

from chatcompat.errors import InvalidRequest
from chatcompat.wire.utf8 import require_utf8

JSONString = bytes | memoryview
"""A JSON string, or the end of one. Only short ones are `bytes`, which are handled faster: long ones are not copied."""

Decode = Callable[..., bytes]

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_ENDINGS: Final = (b'"', b'="', b'=="')
_MOST_OTHERS: Final = len(b'=="')
_SLICE: Final = 32_768  # bytes
_DECODED: Final = 262_144  # bytes that are decoded at once
_WORTH: Final = 1_024  # bytes from which on decoding is faster
_FIRST: Final = 16  # characters, for the 12 bytes that are compared

# The escapes that encoders write in base64: of a slash, and of the line ends of MIME.
_ESCAPES: Final = ((rb"\/", b"/"), (rb"\r", b""), (rb"\n", b""))

# What the signatures begin with in base64, `RIFF` included; a slash may be escaped.
_FIRST_CHARACTERS: Final = frozenset(b"i/RJU\\")
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def media_type_of(data: JSONString) -> str | None:
    """The media type that the first bytes tell, or None. Only the start of `data` is read."""
    if data[0] not in _FIRST_CHARACTERS:
        return None
    start = bytes(data[:_FIRST]).replace(rb"\/", b"/").partition(b'"')[0]
    try:
        first = a2b_base64(start[: len(start) // 4 * 4])
    except ValueError:
        return None
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for signature, media_type in _SIGNATURES if first.startswith(signature)), None)


def to_plain_base64(data: JSONString, path: str) -> JSONString:
    """Return `data`, which ends in the closing quote of its JSON string, without escapes and line ends.

    Raises `InvalidRequest` with `path` if it is not base64, and `UnicodeDecodeError`. Images are large, so they are
    scanned and not decoded.
    """
    if len(data) > _WORTH and (decode := _vector_decode()) is not None and _is_base64(data, decode):
        return data
    others = _outside_alphabet(data)  # the padding and the quote, if there are no escapes
    if others.find(b"\\") >= 0:
        data = bytes(data)
        for escape, meant in _ESCAPES:
            data = data.replace(escape, meant)
        others = _outside_alphabet(data)
    is_padded = others in _ENDINGS and bytes(data[-_MOST_OTHERS:]).endswith(others)
    if not is_padded or (len(data) - 1) % 4:
        require_utf8(data)
        raise InvalidRequest(
            "The data is not valid base64. Send it in the standard alphabet of RFC 4648.",
            param=path,
            code="invalid_base64",
        )
    return data


@cache
def _vector_decode() -> Decode | None:
    """A decoder six times as fast as looking at each byte. None unless the extra `speed` is installed."""
    try:
        from pybase64 import b64decode  # noqa: PLC0415 - loaded for the first image
    except ImportError:
        return None
    return b64decode


def _is_base64(data: JSONString, decode: Decode) -> bool:
    """Whether `data` is base64 without escapes. It is decoded slice by slice, and the bytes are dropped."""
    size = len(data) - 1
    try:
        for start in range(0, size, _DECODED):
            piece = data[start : min(start + _DECODED, size)]
            if 4 * len(decode(piece, validate=True)) < 3 * len(piece) and start + _DECODED < size:
                return False  # padding before the end
    except ValueError:
        return False
    return True


def _outside_alphabet(data: JSONString) -> bytes:
    """The bytes that are not of the alphabet, or the first of them if these are more than a valid ending has.

    Slices stay in the cache of the processor, and take little memory.
    """
    if len(data) <= _SLICE:
        return bytes(data).translate(None, _ALPHABET)
    others = b""
    for start in range(0, len(data), _SLICE):
        others += bytes(data[start : start + _SLICE]).translate(None, _ALPHABET)
        if len(others) > _MOST_OTHERS:
            break
    return others
