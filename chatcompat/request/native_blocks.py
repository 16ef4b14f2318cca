"""Native blocks in chat messages -> the same blocks, checked like the parts of chat messages.

Some clients mix the two APIs: they send chat messages, but with native blocks for tool calls and results. URLs are
never fetched.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import check_count
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL, require_object
from chatcompat.request.media import is_http, to_base64_block
from chatcompat.request.tool_arguments import to_input
from chatcompat.wire.chat_native import (
    NativeBase64,
    NativeFile,
    NativeImagePart,
    NativeText,
    NativeURL,
    RedactedThinkingPart,
    ThinkingPart,
)
from chatcompat.wire.chat_request import AssistantPart, DocumentPart, NativeContent, SearchResultPart, TextPart
from chatcompat.wire.messages import (
    ContentSource,
    DocumentBlockParam,
    FileSource,
    ImageBlockParam,
    RedactedThinkingBlockParam,
    SearchResultBlockParam,
    TextBlockParam,
    TextSource,
    ThinkingBlockParam,
    URLSource,
)

NativePart = NativeImagePart | DocumentPart | SearchResultPart
CALL_TAGS: Final = frozenset({"tool_use"})
THINKING_TAGS: Final = frozenset({"thinking", "redacted_thinking"})
_NATIVE_TAGS: Final = CALL_TAGS | THINKING_TAGS

_decode_str = msgspec.json.Decoder(str).decode


def to_native_block(
    part: NativePart, path: str, context: RequestContext
) -> ImageBlockParam | DocumentBlockParam | SearchResultBlockParam:
    """Convert an image, a document or a search result, without its cache mark. Raises `InvalidRequest`."""
    if part.type == "image":
        return _to_image(part, path, context)
    if part.type == "document":
        return _to_document(part, path, context)
    return _to_search_result(part, path, context)


def _to_image(part: NativeImagePart, path: str, context: RequestContext) -> ImageBlockParam:
    context.count_file(path)
    source = part.source
    if source.type == "url":
        return ImageBlockParam(_to_url(source.url, path))
    if source.type == "file":
        return ImageBlockParam(FileSource(source.file_id))
    block = to_base64_block(source.media_type, source.data, path, context)
    if isinstance(block, ImageBlockParam):
        return block
    raise InvalidRequest(
        "An image must be of type image/*. Send other data as a document.", param=path, code="unsupported_value"
    )


def _to_document(part: DocumentPart, path: str, context: RequestContext) -> DocumentBlockParam:
    context.count_file(path)
    block = _from_source(part.source, path, context)
    block.title, block.context, block.citations = part.title, part.context, part.citations
    context.cites = context.cites or _is_cited(part)
    return block


def _is_cited(part: DocumentPart | SearchResultPart) -> bool:
    return part.citations is not None and part.citations.enabled is True


def _from_source(
    source: NativeBase64 | NativeURL | NativeFile | NativeText | NativeContent, path: str, context: RequestContext
) -> DocumentBlockParam:
    if source.type == "content":
        return DocumentBlockParam(ContentSource(_to_content(source.content, f"{path}.source.content", context)))
    if source.type == "text":
        return DocumentBlockParam(TextSource("text/plain", source.data))
    if source.type == "file":
        return DocumentBlockParam(FileSource(source.file_id))
    if source.type == "url":
        return DocumentBlockParam(_to_url(source.url, path))
    block = to_base64_block(source.media_type, source.data, path, context)
    if isinstance(block, DocumentBlockParam):
        return block
    raise InvalidRequest("A document must not be an image. Send it as an image.", param=path, code="unsupported_value")


def _to_content(
    content: str | list[TextPart | NativeImagePart], path: str, context: RequestContext
) -> str | list[TextBlockParam | ImageBlockParam]:
    if isinstance(content, str):
        return content
    check_count("content parts", len(content), context.bounds.parts, path)
    blocks: list[TextBlockParam | ImageBlockParam] = []
    for index, part in enumerate(content):
        if part.type == "image":
            blocks.append(_to_image(part, f"{path}[{index}]", context))
        elif part.text and not part.text.isspace():
            blocks.append(TextBlockParam(part.text))
    return blocks


def _to_search_result(part: SearchResultPart, path: str, context: RequestContext) -> SearchResultBlockParam:
    texts = _to_content([*part.content], f"{path}.content", context)
    context.cites = context.cites or _is_cited(part)
    return SearchResultBlockParam(
        part.source, part.title, [text for text in texts if isinstance(text, TextBlockParam)], part.citations
    )


def _to_url(url: str, path: str) -> URLSource:
    if not is_http(url):
        raise InvalidRequest(
            "This URL is not supported. Send an http:// or https:// URL.",
            param=f"{path}.source.url",
            code="unsupported_value",
        )
    return URLSource(url)


# ---------------------------------------------------------------- blocks of the assistant


def has_native_parts(content: str | Sequence[AssistantPart] | None, tags: frozenset[str] = _NATIVE_TAGS) -> bool:
    """Whether the content of an assistant message has native blocks, or some with these tags."""
    if isinstance(content, list):
        for part in content:  # `any` takes twice the time, and `isinstance` several times
            if part.type in tags:
                return True
    return False


def read_input(raw: Raw | UnsetType, path: str, context: RequestContext) -> tuple[dict[str, Any], bool]:
    """Decode the input of a call. Also returns whether it was complete. Some clients send it as a string of JSON."""
    if raw is UNSET or raw == NULL:
        return {}, True
    if bytes(memoryview(raw)[:1]) == b'"':
        return to_input(_decode_str(raw), path, context.bounds.depth)
    return require_object(raw, path, context.bounds.depth), True


def to_thinking_block(
    part: ThinkingPart | RedactedThinkingPart,
) -> ThinkingBlockParam | RedactedThinkingBlockParam | None:
    """Convert thinking. None without a signature, since the service only accepts what it signed."""
    if isinstance(part, RedactedThinkingPart):
        return RedactedThinkingBlockParam(part.data)
    if not part.signature or not isinstance(part.thinking, str):
        return None
    return ThinkingBlockParam(part.thinking, part.signature)
