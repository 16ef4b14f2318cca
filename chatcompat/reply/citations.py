"""Native citations -> annotations of the chat API, or their native form beside them."""

from typing import Final

import msgspec
from msgspec import Struct

from chatcompat.errors import DECODE_ERRORS
from chatcompat.wire.chat_reply import Annotation, CitedSpan, URLCitation
from chatcompat.wire.message_reply import Citation

_encode = msgspec.json.Encoder().encode


class _Cited(Struct, gc=False):
    type: str
    url: str | None = None
    source: str | None = None
    title: str | None = None


_cited = msgspec.json.Decoder(_Cited).decode
_WEB_SEARCH: Final = "web_search_result_location"
_OF_URLS: Final = (b'"web_search_result_location"', b'"search_result_location"')


def by_form(found: list[Annotation | CitedSpan]) -> tuple[list[Annotation], list[CitedSpan]]:
    """Split citations into those with a form in the chat API, and the others."""
    annotations: list[Annotation] = []
    spans: list[CitedSpan] = []
    for item in found:
        if isinstance(item, Annotation):
            annotations.append(item)
        else:
            spans.append(item)
    return annotations, spans


def to_annotation(citation: Citation, start: int, end: int) -> Annotation | CitedSpan:
    """Return a citation of the characters `start` to `end`: in the chat form for a URL, else in the native form."""
    if bytes(citation.get("type", b"")) not in _OF_URLS:
        return CitedSpan(start, end, citation)
    try:
        cited = _cited(_encode(citation))
    except DECODE_ERRORS:  # an unknown form
        return CitedSpan(start, end, citation)
    url = (cited.url if cited.type == _WEB_SEARCH else cited.source) or ""
    if url.lower().startswith(("http://", "https://")) or (url and cited.type == _WEB_SEARCH):
        return Annotation(URLCitation(start_index=start, end_index=end, title=cited.title or "", url=url))
    return CitedSpan(start, end, citation)
