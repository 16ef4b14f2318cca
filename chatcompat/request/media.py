"""Images and files -> the sources of image and document blocks; nothing is ever fetched."""

import re
from base64 import b64decode
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import grows_too_much
from chatcompat.request.context import RequestContext
from chatcompat.wire.chat_request import File
from chatcompat.wire.messages import (
    Base64Source,
    DocumentBlockParam,
    FileSource,
    ImageBlockParam,
    TextSource,
    URLSource,
)

IMAGE_MEDIA_TYPES: Final = {
    b"image/jpeg": "image/jpeg",
    b"image/jpg": "image/jpeg",  # no registered type, but what many clients write
    b"image/png": "image/png",
    b"image/gif": "image/gif",
    b"image/webp": "image/webp",
}
_PDF: Final = b"application/pdf"
_PLAIN_TEXT: Final = b"text/plain"

# What an error may repeat of a client's media type: common ones that the native side does not take.
_REFUSED_MEDIA_TYPES: Final = frozenset(
    {
        *(b"image/svg+xml", b"image/bmp", b"image/tiff", b"image/heic", b"image/heif", b"image/avif", b"image/x-icon"),
        *(b"audio/wav", b"audio/mpeg", b"audio/mp3", b"audio/mp4", b"audio/ogg", b"audio/webm", b"audio/flac"),
        *(b"video/mp4", b"video/webm", b"video/mpeg", b"video/quicktime"),
        *(b"text/html", b"text/css", b"text/csv", b"text/markdown", b"text/xml", b"text/javascript"),
        *(b"application/json", b"application/xml", b"application/zip", b"application/octet-stream"),
        *(b"application/msword", b"application/rtf", b"application/epub+zip", b"application/vnd.ms-excel"),
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"application/vnd.openxmlformats-officedocument.presentationml.presentation",
    }
)

# What bare base64 is taken for, by the end of its file's name.
_MEDIA_TYPES_OF_NAMES: Final = {
    "pdf": _PDF,
    "txt": _PLAIN_TEXT,
    "md": _PLAIN_TEXT,
    "jpg": b"image/jpeg",
    "jpeg": b"image/jpeg",
    "png": b"image/png",
    "gif": b"image/gif",
    "webp": b"image/webp",
}

_HTTP: Final = re.compile(rb'"https?://[^"]', re.IGNORECASE)
_NO_BASE64: Final = re.compile(rb'"(?:"|[^"]{0,99}:)')  # nothing, or a URL

_MAX_HEAD: Final = 1024
"""How much may stand before the data of a data URL, in bytes: media types and their attributes are shorter."""

_decode_str = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def to_image(raw: Raw, path: str, context: RequestContext) -> ImageBlockParam | DocumentBlockParam:
    """The block of an `image_url`: an image, or a document if the data URL says so."""
    url = _to_plain_string(raw, f"{path}.image_url.url")
    if found := _split_data_url(url):
        return _to_block(*found, None, path, context)
    if _HTTP.match(url):
        return ImageBlockParam(URLSource(_decode_str(url)))
    raise InvalidRequest(
        "An image URL must be http://, https:// or a base64 data: URL with content.",
        param=path,
        code="unsupported_value",
    )


def to_file(file: File, path: str, context: RequestContext) -> ImageBlockParam | DocumentBlockParam:
    """The block of a `file` part: by the id of a file that the service has, or by its data."""
    if file.file_id is not None:
        return DocumentBlockParam(FileSource(file.file_id), title=file.filename)
    if file.file_data is UNSET:
        raise InvalidRequest("A file needs file_data or file_id.", param=path, code="missing_required_parameter")
    data = _to_plain_string(file.file_data, f"{path}.file.file_data")
    if found := _split_data_url(data):
        return _to_block(*found, file.filename, path, context)
    ending = (file.filename or "").rpartition(".")[2].lower()
    media_type = _MEDIA_TYPES_OF_NAMES.get(ending)
    if media_type is None or _NO_BASE64.match(data):
        raise InvalidRequest(
            "The data of a file must be a base64 data: URL, or base64 with a filename that tells its type.",
            param=path,
            code="unsupported_value",
        )
    return _to_block(media_type, data[1:], file.filename, path, context)


def _split_data_url(url: memoryview) -> tuple[bytes, memoryview] | None:
    """The media type and the data of a base64 data URL, quotes included; None for any other text.

    RFC 2397: data:[<media type>][;<attribute>=<value>]*;base64,<data>
    """
    head, comma, data = bytes(url[:_MAX_HEAD]).partition(b",")
    attributes = head.lower().split(b";")
    if not comma or attributes[-1] != b"base64" or not attributes[0].startswith(b'"data:') or b'"' in head[1:]:
        return None
    if data[:1] == b'"':  # no data
        return None
    return attributes[0].removeprefix(b'"data:').strip(), url[len(head) + 1 :]


def _to_plain_string(raw: Raw, path: str) -> memoryview:
    """A JSON string that begins without escapes: encoders that escape a slash mean the same by it."""
    text = memoryview(raw)
    start = bytes(text[:_MAX_HEAD])
    if not start.startswith(b'"'):
        raise InvalidRequest("Expected str.", param=path, code="invalid_type")
    return memoryview(_encode(_decode_str(text))) if b"\\" in start else text


def _to_block(
    media_type: bytes, data: memoryview, title: str | None, path: str, context: RequestContext
) -> ImageBlockParam | DocumentBlockParam:
    """`data` is base64 with the closing quote of the JSON string that it came in."""
    if image := IMAGE_MEDIA_TYPES.get(media_type):
        return ImageBlockParam(Base64Source(image, context.splice(data)))
    if media_type == _PDF:
        return DocumentBlockParam(Base64Source(_PDF.decode(), context.splice(data)), title=title)
    if media_type == _PLAIN_TEXT:
        return DocumentBlockParam(TextSource("text/plain", _to_text(data, path, context)), title=title)
    named = f"of type {media_type.decode()!r}" if media_type in _REFUSED_MEDIA_TYPES else "of this type"
    raise InvalidRequest(
        f"Data {named} is not supported; send image/jpeg, image/png, image/gif, image/webp, "
        "application/pdf or text/plain.",
        param=path,
        code="unsupported_value",
    )


def _to_text(data: memoryview, path: str, context: RequestContext) -> str:
    """The text of a file, as JSON no larger than its base64 but for the bound: JSON escapes some characters."""
    try:
        text = b64decode(_decode_base64(data), validate=True).decode()
    except ValueError:
        raise InvalidRequest("A text file must be base64 of UTF-8.", param=path, code="unsupported_value") from None
    if len(_encode(text)) > len(data) + context.bounds.growth:
        raise grows_too_much(path, context.bounds)
    return text


def _decode_base64(data: memoryview) -> bytes | str:
    """Base64 that ends in the quote of its JSON string, which may have escaped slashes in it."""
    raw = bytes(data)
    return _decode_str(b'"' + raw) if b"\\" in raw else raw[:-1]
