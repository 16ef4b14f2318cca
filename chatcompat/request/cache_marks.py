"""Cache marks: the client's own, made valid, or marks that we add if the client set none.

A mark (`cache_control`) makes the service cache the prompt up to it: tools first, then `system`, then messages.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct

from chatcompat.dialect import Dialect
from chatcompat.request.context import RequestContext
from chatcompat.wire.chat_request import (
    ChatCompletionRequest,
    DocumentPart,
    PromptCacheBreakpoint,
    ResultPart,
)
from chatcompat.wire.messages import BlockParam, CacheControl, MessagesRequest, TextBlockParam, ToolParam

MAX_MARKS: Final = 4
"""Native: "A maximum of 4 blocks with cache_control may be provided"."""

MIN_CACHED_BYTES: Final = 2_048
"""The smallest request to which we add marks, in bytes. The service caches no prompt of fewer than 1,024 tokens, and a
token takes at least two bytes of JSON on average."""

# A chat breakpoint asks for 30 minutes or 12 hours; a native one for 5 minutes or one hour.
_SHORT: Final = CacheControl("ephemeral")
_HOUR: Final = CacheControl("ephemeral", "1h")
_LIFETIMES: Final = {"5m": _SHORT, "30m": _HOUR, "1h": _HOUR}
_RETENTIONS: Final = {"in_memory": _SHORT, "in-memory": _SHORT}  # older clients write a hyphen


# ---------------------------------------------------------------- reading the client's marks


def to_mark(part: ResultPart, context: RequestContext) -> CacheControl | None:
    """The mark of a content part, in either form.

    A mark inside a document or a search result counts for the whole part: the service cannot cache only a piece of it.
    """
    if part.type == "document" or part.type == "search_result":  # noqa: PLR1714 - which tells the types apart
        content = part.content if part.type == "search_result" else _content_of(part)
        marks = [(index, mark) for index, item in enumerate(content) if (mark := to_mark(item, context)) is not None]
        return part.cache_control or join_marks(marks, context)
    if part.type == "image" or part.cache_control is not None or part.prompt_cache_breakpoint is None:
        return part.cache_control
    return _to_cache_control(part.prompt_cache_breakpoint, context)


def _content_of(part: DocumentPart) -> Sequence[ResultPart]:
    content = part.source.content if part.source.type == "content" else ()
    return content if isinstance(content, list) else ()


def _to_cache_control(breakpoint_: PromptCacheBreakpoint, context: RequestContext) -> CacheControl:
    if breakpoint_.ttl == "12h":
        context.ignored.append("messages[].content[].prompt_cache_breakpoint.ttl")
    return _HOUR


PartMarks = list[tuple[int, CacheControl]]
"""The marks of a list of parts, each with the index of its block.

A blank part makes no block, so its mark goes to the block before it. -1 means that there is no block before it."""


def place_marks(blocks: Sequence[BlockParam], marks: PartMarks, context: RequestContext) -> None:
    """Set the marks of parts on their blocks. A mark before the first block goes to that block."""
    for index, mark in marks:
        if blocks:
            context.add_breakpoint(blocks[max(index, 0)], mark)  # type: ignore[arg-type]  # parts never make thinking
        else:
            context.ignored.append("messages[].content[].cache_control")


def join_marks(marks: PartMarks, context: RequestContext) -> CacheControl | None:
    """Join the marks of the parts of a tool result, which can carry only one.

    Native: "cache_control may not be specified within `tool_result.content`. Instead, place it directly on
    `tool_result`".
    """
    if not marks:
        return None
    if len({index for index, _ in marks}) > 1:
        context.ignored.append("messages[].content[].cache_control")
    return next((mark for _, mark in marks if mark.ttl == "1h"), marks[0][1])


# ---------------------------------------------------------------- the finished request

Markable = Any
"""A block, a tool or the request itself: a struct, or a dict in the native shape."""


def settle_marks(request: MessagesRequest, context: RequestContext, lifetime: CacheControl) -> None:
    """Make the client's marks valid: at most four, none on a deferred tool, and longer lifetimes first.

    `lifetime` is for marks without `ttl`. Each change is reported, and so is each mark that was lost before.
    """
    moved = _move_off_deferred([] if request.tools is UNSET else request.tools)
    marked = [holder for holder in _markable(request) if _mark_of(holder) is not None]
    automatic = [request] if _has_automatic(request) else []
    surplus = marked[: -(MAX_MARKS - len(automatic))]
    for holder in surplus:
        _set_mark(holder, None)
    if moved or surplus or len(marked) < len(context.breakpoints):
        context.ignored.append("cache_control")
    kept = [*marked[len(surplus) :], *automatic]
    if lifetime is _HOUR:
        for holder in kept:
            if _ttl_of(holder) is None:
                _set_mark(holder, _HOUR)
    if _order_lifetimes(kept, _last_block(request) if automatic else None):
        context.ignored.append("cache_control.ttl")


def _order_lifetimes(holders: Sequence[Markable], automatic: Markable | None) -> bool:
    """Raise each shorter lifetime that comes before a longer one. Returns whether there was any.

    Native: "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block". `automatic` is the
    block to which the automatic mark, the last of `holders`, applies. Native: "When both are specified on the same
    block, they must have matching TTLs".
    """
    raised = False
    longest = max((index for index, holder in enumerate(holders) if _ttl_of(holder) == "1h"), default=-1)
    if automatic is not None and _ttl_of(automatic) == "1h":
        longest = len(holders) - 1
    for holder in holders[: longest + 1]:
        if _ttl_of(holder) != "1h":
            _set_mark(holder, _HOUR)
            raised = True
    return raised


def _has_automatic(request: MessagesRequest) -> bool:
    """Whether the client asked for the automatic mode in the native shape, which counts as one mark."""
    return request.cache_control is not UNSET and request.cache_control is not None


def _markable(request: MessagesRequest) -> Iterator[Markable]:
    """All tools and blocks in the order of the prompt."""
    if request.tools is not UNSET:
        yield from request.tools
    if request.system is not UNSET:
        yield from request.system
    for message in request.messages:
        if not isinstance(message.content, str):
            yield from message.content


def _last_block(request: MessagesRequest) -> Markable | None:
    """The block at the end of the prompt, to which an automatic mark applies. None for a text without a mark."""
    content = request.messages[-1].content
    return None if isinstance(content, str) else next(filter(_can_be_marked, reversed(content)), None)


def _can_be_marked(block: Markable) -> bool:
    """Whether a block can carry a mark. Thinking and opaque blocks of the service cannot."""
    return isinstance(block, dict) or hasattr(block, "cache_control")


def _mark_of(holder: Markable) -> Any:
    return holder.get("cache_control") if isinstance(holder, dict) else getattr(holder, "cache_control", None)


def _ttl_of(holder: Markable) -> str | None:
    """The lifetime of a mark. None for the default, five minutes."""
    mark = _mark_of(holder)
    ttl = mark.get("ttl") if isinstance(mark, dict) else getattr(mark, "ttl", None)
    return ttl if isinstance(ttl, str) else None


def _set_mark(holder: Markable, mark: CacheControl | None) -> None:
    if not isinstance(holder, dict):
        holder.cache_control = mark
    elif mark is None:
        del holder["cache_control"]
    else:
        holder["cache_control"] = msgspec.to_builtins(mark)


def _is_deferred(tool: ToolParam | dict[str, Any]) -> bool:
    """Whether a tool is left out of the prompt until a tool search finds it."""
    deferred = tool.get("defer_loading") if isinstance(tool, dict) else getattr(tool, "defer_loading", None)
    return deferred is True


def _move_off_deferred(tools: Sequence[ToolParam | dict[str, Any]]) -> bool:
    """Move marks of deferred tools to the last tool before them that is not deferred. Returns whether there were any.

    Native: "Tools with defer_loading cannot use prompt caching".
    """
    before: ToolParam | dict[str, Any] | None = None
    found = False
    for tool in tools:
        if not _is_deferred(tool):
            before = tool
        elif (mark := _mark_of(tool)) is not None:
            found = True
            _set_mark(tool, None)
            if before is not None and _mark_of(before) is None:
                _set_mark(before, mark if isinstance(mark, CacheControl) else msgspec.convert(mark, CacheControl))
    return found


# ---------------------------------------------------------------- our own marks


class OwnMarks(Struct, frozen=True):
    """How a request that the client did not mark is cached."""

    mode: Literal["automatic", "breakpoints"]
    lifetime: CacheControl

    def suffix(self) -> bytes:
        """The field that ends a request in automatic mode, with the closing brace."""
        return b',"cache_control":%b}' % msgspec.json.encode(self.lifetime)

    def place(self, request: MessagesRequest) -> None:
        """Mark the last tool, the last block of `system`, and the last two user turns.

        The last mark writes the prompt to the cache. The one before it is where the previous request wrote, which is
        then found however many blocks a turn has. The first two stay valid if the client drops old messages.
        """
        tools = [] if request.tools is UNSET else [tool for tool in request.tools if not _is_deferred(tool)]
        lists: list[Sequence[Markable]] = [tools, [] if request.system is UNSET else request.system]
        turns = [message for message in request.messages if message.role == "user"]
        for turn in turns[-2:]:
            if isinstance(turn.content, str):
                turn.content = [TextBlockParam(turn.content)]
            lists.append(turn.content)
        for holders in lists:
            last = next(filter(_can_be_marked, reversed(holders)), None)
            if last is not None:
                _set_mark(last, self.lifetime)


OWN_MARKS: Final[dict[str, OwnMarks | None]] = {
    "off": None,
    "automatic": OwnMarks("automatic", _SHORT),
    "breakpoints": OwnMarks("breakpoints", _SHORT),
}
"""Our own marks by `Dialect.caching`, for a request without cache options."""


def set_marks(
    chat: ChatCompletionRequest, request: MessagesRequest, dialect: Dialect, context: RequestContext
) -> OwnMarks | None:
    """Make the client's marks valid, or return how to mark a request without any. None if it is not marked."""
    options, retention = chat.prompt_cache_options, chat.prompt_cache_retention
    lifetime = _SHORT
    if options is not None and options.ttl is not None:
        lifetime = _LIFETIMES.get(options.ttl, _HOUR)
        if options.ttl not in _LIFETIMES:
            context.ignored.append("prompt_cache_options.ttl")
    if retention is not None and retention not in _RETENTIONS:  # 24 hours: an hour is the longest
        lifetime = _HOUR
        context.ignored.append("prompt_cache_retention")
    if context.breakpoints or _has_automatic(request):
        settle_marks(request, context, lifetime)
        return None
    own = OWN_MARKS[dialect.caching] if options is None or options.mode != "explicit" else None
    if own is None:
        if options is not None and options.ttl is not None:
            context.ignored.append("prompt_cache_options.ttl")
        return None
    return own if lifetime is _SHORT else OwnMarks(own.mode, lifetime)
