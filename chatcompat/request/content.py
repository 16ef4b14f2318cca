"""Content parts -> content blocks."""

from collections.abc import Sequence

from msgspec import Raw

from chatcompat.request.cache_marks import PartMarks, join_marks, place_marks, to_mark
from chatcompat.request.context import RequestContext
from chatcompat.request.media import to_file, to_image
from chatcompat.request.native_blocks import to_native_block
from chatcompat.wire.chat_native import NativeImagePart
from chatcompat.wire.chat_request import (
    AssistantPart,
    DocumentPart,
    FilePart,
    ImagePart,
    SearchResultPart,
    TextPart,
    ToolMessage,
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
    marks: PartMarks = []
    for part in content:
        if part.type == "text":
            text = part.text
            if text and not text.isspace():
                blocks.append(TextBlockParam(text))
            if not (part.cache_control is None is part.prompt_cache_breakpoint) and (mark := to_mark(part, context)):
                marks.append((len(blocks) - 1, mark))
    if marks:
        place_marks(blocks, marks, context)
    return blocks


def to_blocks(content: str | Sequence[UserPart] | None, path: str, context: RequestContext) -> list[ContentBlockParam]:
    """Convert text, images, files and native blocks in order, without blank text and tool results.

    `path` is the path of `content`.
    """
    blocks, marks = to_unmarked_blocks(content, path, context)
    place_marks(blocks, marks, context)
    return blocks


def to_unmarked_blocks(
    content: str | Sequence[UserPart] | None, path: str, context: RequestContext
) -> tuple[list[ContentBlockParam], PartMarks]:
    """Convert like `to_blocks`, and return the cache marks of the parts separately."""
    if content is None:
        return [], []
    if isinstance(content, str):
        return [] if is_blank(content) else [TextBlockParam(content)], []
    blocks: list[ContentBlockParam] = []
    marks: PartMarks = []
    for index, part in enumerate(content):
        if part.type == "tool_result":
            continue
        if part.type != "text":
            blocks.append(_to_block(part, f"{path}[{index}]", context))
        elif not is_blank(part.text):
            blocks.append(TextBlockParam(part.text))
        if (mark := to_mark(part, context)) is not None:
            marks.append((len(blocks) - 1, mark))
    return blocks, marks


def _to_block(
    part: ImagePart | FilePart | NativeImagePart | DocumentPart | SearchResultPart, path: str, context: RequestContext
) -> ContentBlockParam:
    if part.type == "image_url":
        image = part.to_image_url()
        if image.detail not in (None, "auto"):
            context.ignored.append("messages[].content[].image_url.detail")
        return to_image(image, path, context)
    if part.type == "file":
        return to_file(part.file, path, context)
    return to_native_block(part, path, context)


def only_text(content: str | Sequence[BlockParam]) -> str | None:
    """The text, if the content is one plain text block. A string is the shorter form of that."""
    if len(content) == 1:
        block = content[0]
        if type(block) is TextBlockParam and block.cache_control is None:  # not one with citations
            return block.text
    return None


def set_content(result: ToolResultBlockParam, blocks: list[ContentBlockParam]) -> None:
    """Set the content of a result, if there is any."""
    if blocks:
        result.content = only_text(blocks) or blocks


def fill_result(
    result: ToolResultBlockParam, source: ToolMessage | ToolResultPart, path: str, context: RequestContext
) -> None:
    """Fill the result of a call from a tool message or a native result; `path` is the path of its content."""
    blocks, marks = to_unmarked_blocks(source.content, path, context)
    set_content(result, blocks)
    if source.is_error:
        # Native: "all content must be type `text` if `is_error` is true".
        result.is_error = all(isinstance(block, TextBlockParam) for block in blocks)
        if not result.is_error:
            within = "" if isinstance(source, ToolMessage) else "content[]."
            context.ignored.append(f"messages[].{within}is_error")
    context.add_breakpoint(result, join_marks(marks, context))
    context.add_breakpoint(result, source.cache_control)


def mark_last(blocks: Sequence[BlockParam], cache_control: CacheControl | None, context: RequestContext) -> None:
    """Move a message's breakpoint to its last block that can carry one, since native messages cannot.

    The breakpoint is reported as ignored if there is no such block.
    """
    if cache_control is None:
        return
    for block in reversed(blocks):
        if not isinstance(block, ThinkingBlockParam | RedactedThinkingBlockParam | Raw):
            context.add_breakpoint(block, cache_control)
            return
    context.ignored.append("messages[].cache_control")
