"""Images and files -> image and document blocks. URLs are never fetched."""

import re
from binascii import a2b_base64
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.base64_data import JSONString, media_type_of, to_plain_base64
from chatcompat.request.bounds import grows_too_much
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL
from chatcompat.wire.chat_request import File, ImageURL
from chatcompat.wire.messages import (
    Base64Source,
    DocumentBlockParam,
    FileSource,
    ImageBlockParam,
    TextSource,
    URLSource,
)
from chatcompat.wire.utf8 import require_utf8

IMAGE_MEDIA_TYPES: Final = {
    b"image/jpeg": "image/jpeg",
    b"image/jpg": "image/jpeg",  # not registered, but common
    b"image/png": "image/png",
    b"image/gif": "image/gif",
    b"image/webp": "image/webp",
}
_PDF: Final = b"application/pdf"
_PLAIN_TEXT: Final = b"text/plain"
_TEXTS: Final = frozenset(
    {_PLAIN_TEXT, b"text/csv", b"text/tab-separated-values", b"text/markdown", b"text/x-markdown", b"application/csv"}
)
_USUAL_HEADS: Final = {b'"data:%b;base64' % name: name for name in (*IMAGE_MEDIA_TYPES, _PDF, _PLAIN_TEXT)}

# Media types that an error may repeat: common types that the native API does not accept.
_REFUSED_MEDIA_TYPES: Final = frozenset(
    {
        *(b"image/svg+xml", b"image/bmp", b"image/tiff", b"image/heic", b"image/heif", b"image/avif", b"image/x-icon"),
        *(b"audio/wav", b"audio/mpeg", b"audio/mp3", b"audio/mp4", b"audio/ogg", b"audio/webm", b"audio/flac"),
        *(b"video/mp4", b"video/webm", b"video/mpeg", b"video/quicktime"),
        *(b"text/html", b"text/css", b"text/xml", b"text/javascript"),
        *(b"application/json", b"application/xml", b"application/zip", b"application/octet-stream"),
        *(b"application/msword", b"application/rtf", b"application/epub+zip", b"application/vnd.ms-excel"),
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"application/vnd.openxmlformats-officedocument.presentationml.presentation",
    }
)

# The type of plain base64, by the extension of the filename.
_MEDIA_TYPES_OF_NAMES: Final = {
    "pdf": _PDF,
    "txt": _PLAIN_TEXT,
    "md": _PLAIN_TEXT,
    "markdown": _PLAIN_TEXT,
    "csv": _PLAIN_TEXT,
    "tsv": _PLAIN_TEXT,
    "jpg": b"image/jpeg",
    "jpeg": b"image/jpeg",
    "png": b"image/png",
    "gif": b"image/gif",
    "webp": b"image/webp",
}

_DATA: Final = b'"data:'
_FILE_DATA: Final = "file.file_data"
_FILE_FORMAT: Final = "file.format"
_HTTP: Final = re.compile(rb'"https?://[^"]', re.IGNORECASE)
_ADDRESS: Final = re.compile("data:|https?://", re.IGNORECASE)
_HTTP_URL: Final = re.compile("https?://.", re.IGNORECASE)
_NO_BASE64: Final = re.compile(rb'"(?:"|[^"]{0,99}:)')  # empty, or a URL

_MAX_HEAD: Final = 1024
"""The size limit of a data URL's header in bytes. Media types with their attributes are shorter."""

_LONGEST_TITLE: Final = 500
"""In characters. Natively a document's title has 1 to 500."""

_LONGEST_ESCAPE: Final = 6
"""The most bytes that JSON has for a character, as in `\\u0000`."""

_decode_str = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def to_image(image: ImageURL, path: str, context: RequestContext) -> ImageBlockParam | DocumentBlockParam:
    """Convert an `image_url` to an image, or to a document if its data URL has such a type."""
    context.count_file(path)
    url, start = _to_plain_string(image.url, path, "image_url.url")
    media_type = _read_format(image.format)
    if found := _split_data_url(url, start):
        _check_format(media_type, found[0], "image_url.format", context)
        return _to_block(*found, None, path, context, field="image_url.url")
    if _HTTP.match(url):
        source = URLSource(_decode_str(url))
        is_pdf = media_type == _PDF or _is_pdf_url(source.url)
        if media_type not in (None, _PDF, *IMAGE_MEDIA_TYPES):
            context.ignored.append("messages[].content[].image_url.format")
        return DocumentBlockParam(source) if is_pdf else ImageBlockParam(source)
    raise InvalidRequest(
        "This image URL is not supported. Send an http://, https:// or base64 data: URL with content.",
        param=path,
        code="unsupported_value",
    )


def to_file(file: File, path: str, context: RequestContext) -> ImageBlockParam | DocumentBlockParam:
    """Convert a `file` part, which has the id of an uploaded file or the data itself."""
    context.count_file(path)
    media_type, raw = _read_format(file.format), NULL if file.file_data is UNSET else file.file_data
    if file.file_id:
        if raw != NULL:
            require_utf8(raw)
            context.ignored.append(f"messages[].content[].{_FILE_DATA}")
        if not _ADDRESS.match(file.file_id):
            return _to_uploaded(file.file_id, file.filename, media_type, context)
        raw = Raw(_encode(file.file_id))  # some gateways take an address for an id
    if raw == NULL:
        raise InvalidRequest(
            "A file needs content. Add file_data or file_id.", param=path, code="missing_required_parameter"
        )
    data, start = _to_plain_string(raw, path, _FILE_DATA)
    if found := _split_data_url(data, start):
        _check_format(media_type, found[0], _FILE_FORMAT, context)
        return _to_block(*found, file.filename, path, context, field=_FILE_DATA)
    ending = (file.filename or "").rpartition(".")[2].lower()
    if _HTTP.match(data):
        source = URLSource(_decode_str(data))
        if media_type == _PDF or ending == "pdf" or _is_pdf_url(source.url):
            return _to_document(source, file.filename, context)
    media_type = media_type or _MEDIA_TYPES_OF_NAMES.get(ending)
    if media_type is None or _NO_BASE64.match(data):
        raise InvalidRequest(
            "Send file_data as a base64 data: URL, or as plain base64 with a filename whose extension tells its type.",
            param=path,
            code="unsupported_value",
        )
    return _to_block(media_type, data[1:], file.filename, path, context, field=_FILE_DATA)


def _to_uploaded(
    file_id: str, filename: str | None, media_type: bytes | None, context: RequestContext
) -> ImageBlockParam | DocumentBlockParam:
    """The block of a file that the service has. Only an image whose media type is named is known as one."""
    if media_type in IMAGE_MEDIA_TYPES:
        return ImageBlockParam(FileSource(file_id))
    _check_format(media_type, _PDF, _FILE_FORMAT, context)
    return _to_document(FileSource(file_id), filename, context)


def _to_document(
    source: Base64Source | URLSource | FileSource | TextSource, filename: str | None, context: RequestContext
) -> DocumentBlockParam:
    """A document with its filename as title, which may be cut."""
    title = filename or None
    if title is not None and len(title) > _LONGEST_TITLE:
        title = title[:_LONGEST_TITLE]
        context.ignored.append("messages[].content[].file.filename")
    return DocumentBlockParam(source, title=title)


def _read_format(name: str | None) -> bytes | None:
    """The media type that a client writes beside a URL or data."""
    return name.strip().lower().encode() if name else None


def _check_format(named: bytes | None, media_type: bytes, field: str, context: RequestContext) -> None:
    """Report a media type that differs from that of the data. One that repeats it is no loss."""
    if named is not None and IMAGE_MEDIA_TYPES.get(named, named) != IMAGE_MEDIA_TYPES.get(media_type, media_type):
        context.ignored.append(f"messages[].content[].{field}")


def _is_pdf_url(url: str) -> bool:
    """Whether the path of a URL names a PDF. The URL is not fetched, so nothing else tells."""
    lowered = url.lower()
    return ".pdf" in lowered and lowered.partition("#")[0].partition("?")[0].endswith(".pdf")


def to_base64_block(
    media_type: str, raw: Raw, path: str, context: RequestContext
) -> ImageBlockParam | DocumentBlockParam:
    """Convert the base64 source of a native block, whose data is the JSON string `raw`."""
    text, start = _to_plain_string(raw, path, "source.data")
    if start == b'""':
        raise InvalidRequest(
            "The base64 data is empty. Send some.", param=f"{path}.source.data", code="unsupported_value"
        )
    return _to_block(media_type.strip().lower().encode(), text[1:], None, path, context, field="source.data")


def is_http(url: str) -> bool:
    """Whether the service can load a URL."""
    return _HTTP_URL.match(url) is not None


def _split_data_url(url: JSONString, start: bytes) -> tuple[bytes, JSONString] | None:
    """Split a base64 data URL, quotes included, into media type and data; None for any other string.

    RFC 2397: data:[<media type>][;<attribute>=<value>]*;base64,<data>
    """
    head, comma, data = start.partition(b",")
    media_type = _USUAL_HEADS.get(head)
    if media_type is None:
        if head[: len(_DATA)].lower() != _DATA:
            return None
        attributes = head.lower().split(b";")
        if attributes[-1] != b"base64" or b'"' in head[1:]:
            return None
        media_type = attributes[0].removeprefix(_DATA).strip()
    if not comma or data[:1] == b'"':  # no data
        return None
    return media_type, url[len(head) + 1 :]


def _to_plain_string(raw: Raw, path: str, name: str) -> tuple[JSONString, bytes]:
    """Return a JSON string with no escapes at its start, and this start. Some encoders escape slashes."""
    text = memoryview(raw)
    start = bytes(text[:_MAX_HEAD])
    if not start.startswith(b'"'):
        raise InvalidRequest("Send a string.", param=f"{path}.{name}", code="invalid_type")
    if start.find(b"\\") >= 0:  # `in` for bytes takes 0.2 µs more
        text = memoryview(_encode(_decode_str(text)))
        start = bytes(text[:_MAX_HEAD])
    return (start if len(start) < _MAX_HEAD else text), start


def _to_block(
    media_type: bytes, data: JSONString, filename: str | None, path: str, context: RequestContext, *, field: str
) -> ImageBlockParam | DocumentBlockParam:
    """Convert base64 `data`, which includes the closing quote of its JSON string."""
    true_type = media_type_of(data)
    if true_type and true_type != IMAGE_MEDIA_TYPES.get(media_type, media_type.decode("latin-1")):
        context.ignored.append(f"messages[].content[].{field}")  # the bytes are of another type
        media_type = true_type.encode()
    if media_type in _TEXTS:
        return _to_document(TextSource("text/plain", _to_text(data, path, context)), filename, context)
    if image := IMAGE_MEDIA_TYPES.get(media_type):
        return ImageBlockParam(Base64Source(image, context.splice(to_plain_base64(data, path))))
    if media_type == _PDF:
        source = Base64Source(_PDF.decode(), context.splice(to_plain_base64(data, path)))
        return _to_document(source, filename, context)
    named = f"of type {media_type.decode()!r}" if media_type in _REFUSED_MEDIA_TYPES else "of this type"
    raise InvalidRequest(
        f"Data {named} is not supported. Send image/jpeg, image/png, image/gif, image/webp, "
        "application/pdf, text/plain, text/csv or text/markdown.",
        param=path,
        code="unsupported_value",
    )


def _to_text(data: JSONString, path: str, context: RequestContext) -> str:
    """Decode a text file. JSON escapes may enlarge it, by no more than the limit on growth."""
    try:
        text = a2b_base64(to_plain_base64(data, path)[:-1]).decode()
    except ValueError:
        raise InvalidRequest(
            "The text file is not valid UTF-8. Send it in UTF-8.", param=path, code="unsupported_value"
        ) from None
    most = len(data) + context.bounds.growth
    if _LONGEST_ESCAPE * len(text) + 2 > most and len(_encode(text)) > most:
        raise grows_too_much(path, context.bounds)
    return text
