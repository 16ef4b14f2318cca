"""Content parts -> content blocks."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Raw

from chatcompat.request.context import RequestContext
from chatcompat.request.media import to_file, to_image
from chatcompat.request.native_blocks import to_native_block
from chatcompat.wire.chat_native import NativeImagePart
from chatcompat.wire.chat_request import (
    AssistantPart,
    DocumentPart,
    FilePart,
    ImagePart,
    PromptCacheBreakpoint,
    SearchResultPart,
    TextPart,
    ToolResultPart,
    UserPart,
)
from chatcompat.wire.messages import (
    BlockParam,
    CacheControl,
    ContentBlockParam,
    RedactedThinkingBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolResultBlockParam,
)

# A chat breakpoint asks for 30 minutes or 12 hours; a native one for 5 minutes or one hour.
_HOUR = CacheControl("ephemeral", "1h")


def is_blank(text: str) -> bool:
    """Whether the native API would reject a text block with this text as empty."""
    return not text or text.isspace()


def to_text_blocks(
    content: str | Sequence[TextPart | AssistantPart] | None, context: RequestContext
) -> list[TextBlockParam]:
    """Convert the text of a message, without blank parts."""
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [TextBlockParam(content)]
    blocks: list[TextBlockParam] = []
    for part in content:
        if isinstance(part, TextPart) and not is_blank(part.text):
            block = TextBlockParam(part.text)
            _mark(block, part, context)
            blocks.append(block)
    return blocks


def to_blocks(content: str | Sequence[UserPart] | None, path: str, context: RequestContext) -> list[ContentBlockParam]:
    """Convert text, images, files and native blocks in order, without blank text and without results of calls.

    `path` is the path of `content`.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [TextBlockParam(content)]
    blocks: list[ContentBlockParam] = []
    for index, part in enumerate(content):
        match part:
            case TextPart():
                if is_blank(part.text):
                    continue
                block: ContentBlockParam = TextBlockParam(part.text)
            case ImagePart():
                block = to_image(part.image_url.url, f"{path}[{index}]", context)
                if part.image_url.detail not in (None, "auto"):
                    context.ignored.append("messages[].content[].image_url.detail")
            case FilePart():
                block = to_file(part.file, f"{path}[{index}]", context)
            case NativeImagePart() | DocumentPart() | SearchResultPart():
                blocks.append(to_native_block(part, f"{path}[{index}]", context))
                continue
            case ToolResultPart():
                continue
            case _:
                assert_never(part)
        _mark(block, part, context)
        blocks.append(block)
    return blocks


def only_text(content: str | Sequence[BlockParam]) -> str | None:
    """The text, if the content is one plain text block: a string means the same in fewer bytes."""
    if len(content) == 1:
        block = content[0]
        if isinstance(block, TextBlockParam) and block.cache_control is None:
            return block.text
    return None


def set_content(result: ToolResultBlockParam, blocks: list[ContentBlockParam]) -> None:
    """Set the content of a result, if there is any."""
    if blocks:
        result.content = only_text(blocks) or blocks


def mark_last(blocks: Sequence[BlockParam], cache_control: CacheControl | None, context: RequestContext) -> None:
    """Move a message's breakpoint to its last block that can carry one: native messages carry none."""
    if cache_control is None:
        return
    for block in reversed(blocks):
        if not isinstance(block, ThinkingBlockParam | RedactedThinkingBlockParam | Raw):
            context.add_breakpoint(block, cache_control)
            return


def _mark(block: ContentBlockParam, part: TextPart | ImagePart | FilePart, context: RequestContext) -> None:
    if part.cache_control is not None:
        context.add_breakpoint(block, part.cache_control)
    elif part.prompt_cache_breakpoint is not None:
        context.add_breakpoint(block, _to_cache_control(part.prompt_cache_breakpoint, context))


def _to_cache_control(breakpoint_: PromptCacheBreakpoint, context: RequestContext) -> CacheControl:
    if breakpoint_.ttl == "12h":
        context.ignored.append("messages[].content[].prompt_cache_breakpoint.ttl")
    return _HOUR
