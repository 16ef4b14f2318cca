"""Content parts -> content blocks."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.chat import ImagePart, RefusalPart, TextPart
from chatcompat.errors import InvalidRequest
from chatcompat.messages import (
    Base64Source,
    BlockParam,
    CacheControl,
    ImageBlockParam,
    TextBlockParam,
    URLSource,
)

IMAGE_MEDIA_TYPES: Final = {
    b"image/jpeg": "image/jpeg",
    b"image/jpg": "image/jpeg",  # no registered type, but what many clients write
    b"image/png": "image/png",
    b"image/gif": "image/gif",
    b"image/webp": "image/webp",
}

_HTTP: Final = re.compile(rb'"https?://[^"]', re.IGNORECASE)
# RFC 2397: data:[<media type>][;<attribute>=<value>]*;base64,<data>
_DATA_URL: Final = re.compile(rb'"data:([^;,"]*)(?:;[^;,"]*)*?;base64,(?!")', re.IGNORECASE)

_decode_str = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def is_blank(text: str) -> bool:
    """Whether the native API would refuse a text block of this text as empty."""
    return not text or text.isspace()


def to_text_blocks(
    content: str | list[TextPart] | list[TextPart | RefusalPart] | None,
) -> list[TextBlockParam]:
    """The text of a message without its blank parts."""
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [TextBlockParam(content)]
    return [
        TextBlockParam(part.text, part.cache_control)
        for part in content
        if isinstance(part, TextPart) and not is_blank(part.text)
    ]


def to_blocks(
    content: str | list[TextPart | ImagePart] | None, place: str, ignored: list[str]
) -> list[TextBlockParam | ImageBlockParam]:
    """Text and images in their order; blank text is dropped. `place` is the path of `content`."""
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [TextBlockParam(content)]
    blocks: list[TextBlockParam | ImageBlockParam] = []
    for index, part in enumerate(content):
        match part:
            case TextPart():
                if not is_blank(part.text):
                    blocks.append(TextBlockParam(part.text, part.cache_control))
            case ImagePart():
                source = _to_image_source(part.image_url.url, f"{place}[{index}]")
                blocks.append(ImageBlockParam(source, part.cache_control))
                if part.image_url.detail not in (None, "auto"):
                    ignored.append("messages[].content[].image_url.detail")
    return blocks


def with_cache_control(blocks: Sequence[BlockParam], cache_control: CacheControl | None) -> None:
    """Put a message's own breakpoint on its last block: the native side has none on messages."""
    if cache_control is not None and blocks:
        blocks[-1].cache_control = cache_control


def _to_image_source(raw: Raw, place: str) -> Base64Source | URLSource:
    url = bytes(raw)
    if not url.startswith(b'"'):
        raise InvalidRequest("Expected str.", param=f"{place}.image_url.url", code="invalid_type")
    if b"\\" in url:  # escaped, as by encoders that write "\/": bring it to the plain form
        url = _encode(_decode_str(url))
    if found := _DATA_URL.match(url):
        media_type = IMAGE_MEDIA_TYPES.get(found[1].strip().lower())
        if media_type is None:
            named = found[1][:40].decode("ascii", "replace")
            raise InvalidRequest(
                f"Images of type {named!r} are not supported; send image/jpeg, image/png, image/gif or image/webp.",
                param=place,
                code="unsupported_value",
            )
        return Base64Source(media_type, Raw(b'"' + url[found.end() :]))
    if _HTTP.match(url):
        return URLSource(Raw(url))
    raise InvalidRequest(
        "An image URL must be http://, https:// or a base64 data: URL with content.",
        param=place,
        code="unsupported_value",
    )
