"""The conversation as turns, and the rules for its order."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from itertools import groupby, pairwise, takewhile
from typing import Final, Literal

from msgspec import Struct

from chatcompat.simulator.blocks import (
    Base64Image,
    Base64Pdf,
    Block,
    Compaction,
    Document,
    Image,
    MCPToolResult,
    MCPToolUse,
    Message,
    RedactedThinking,
    SearchResult,
    ServerToolResult,
    ServerToolUse,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Url,
    Wire,
)
from chatcompat.simulator.errors import invalid
from chatcompat.simulator.signature import is_foreign, is_signed

MAX_MESSAGES: Final = 100_000
MAX_TITLE: Final = 500
TOOL_NAME: Final = "^[a-zA-Z0-9_-]{1,128}$"
TOOL_ID: Final = "^[a-zA-Z0-9_-]+$"
SERVER_TOOL_ID: Final = "^srvtoolu_[a-zA-Z0-9_]+$"
MCP_TOOL_ID: Final = "^mcptoolu_[a-zA-Z0-9_]+$"

# Blocks that only one role may use. Since version 2026-10-21, documents are for users only too.
FIRST_BYTES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"%PDF-": "application/pdf",
}
ROLES: Final[dict[type[Wire], str]] = {
    Image: "user",
    SearchResult: "user",
    ToolResult: "user",
    RedactedThinking: "assistant",
    Thinking: "assistant",
    ToolUse: "assistant",
    ServerToolUse: "assistant",
    ServerToolResult: "assistant",
    MCPToolUse: "assistant",
    MCPToolResult: "assistant",
    Compaction: "assistant",
}


class Placed(Struct, frozen=True):
    """A block and its dotted path."""

    path: str
    block: Block


class Turn(Struct, frozen=True):
    """Consecutive messages of one role, which the service reads as one. `at` is the path of the first."""

    at: str
    role: Literal["user", "assistant", "system"]
    blocks: list[Placed]


def to_turns(messages: list[Message]) -> list[Turn]:
    """Group messages into turns. String content becomes one text block."""
    turns: list[Turn] = []
    for role, group in groupby(enumerate(messages), lambda numbered: numbered[1].role):
        numbered = list(group)
        blocks = [placed for index, message in numbered for placed in _placed(f"messages.{index}", message)]
        turns.append(Turn(at=f"messages.{numbered[0][0]}", role=role, blocks=blocks))
    return turns


def _placed(at: str, message: Message) -> list[Placed]:
    if isinstance(message.content, str):
        return [Placed(f"{at}.content", Text(text=message.content))] if message.content else []
    return [Placed(f"{at}.content.{index}", block) for index, block in enumerate(message.content)]


# ---------------------------------------------------------------- rules


def check_conversation(messages: list[Message], *, latest: bool, system_role: bool) -> list[Turn]:
    """Check the messages and return them as turns.

    `latest` means version 2026-10-21. `system_role` means that the model accepts system messages.
    """
    _check_messages(messages)
    turns = to_turns(messages)
    for turn in turns:
        for placed in turn.blocks:
            _check_place(placed, turn.role, latest=latest)
            _check_block(placed)
    _check_system_turns(turns, system_role=system_role)
    _check_calls(turns)
    for turn in turns:
        _check_server_tools(turn)
    return turns


def check_text(text: str, at: str) -> None:
    """Refuse empty or blank text."""
    if not text:
        raise invalid(f"{at}: text content blocks must be non-empty")
    if not text.strip():
        raise invalid(f"{at}: text content blocks must contain non-whitespace text")


def _check_messages(messages: list[Message]) -> None:
    if not messages:
        raise invalid("messages: at least one message is required")
    if len(messages) > MAX_MESSAGES:
        raise invalid(f"messages: List should have at most {MAX_MESSAGES} items")
    for index, message in enumerate(messages):
        if not message.content and not (message.role == "assistant" and index == len(messages) - 1):
            raise invalid(
                f"messages.{index}: all messages must have non-empty content except for the optional "
                "final assistant message"
            )
    if messages[0].role != "user":
        raise invalid('messages: first message must use the "user" role')


def _check_place(placed: Placed, role: str, *, latest: bool) -> None:
    block = placed.block
    only = "user" if latest and isinstance(block, Document) else _only_role(block, role)
    if role == "system" and not isinstance(block, Text):
        raise invalid(f"{placed.path}: `system` messages can only have `text` blocks")
    if role != only:
        raise invalid(f"{placed.path}: `{block.__struct_config__.tag}` blocks can only be in `{only}` messages")
    if latest and role == "user" and isinstance(block, Text) and block.citations:
        raise invalid(f"{placed.path}.citations: Extra inputs are not permitted")


def _only_role(block: Block, role: str) -> str:
    """The role that may use this block, or `role` if each may."""
    return next((only for kind, only in ROLES.items() if isinstance(block, kind)), role)


def _check_block(placed: Placed) -> None:
    path = placed.path
    match placed.block:
        case Text(text=text):
            check_text(text, "messages")
        case Image() | Document() as file:
            _check_file(file, path)
        case ToolUse(id=call_id, name=name):
            check_pattern(call_id, TOOL_ID, f"{path}.id")
            check_pattern(name, TOOL_NAME, f"{path}.name")
        case ToolResult(content=list(content), is_error=is_error):
            for index, inner in enumerate(content):
                if is_error and not isinstance(inner, Text):
                    raise invalid(f"{path}: all content must be type `text` if `is_error` is true")
                if isinstance(inner, Image | Document):
                    _check_file(inner, f"{path}.content.{index}")
        case Thinking(thinking=thinking, signature=signature):
            if not is_signed(thinking, signature):
                raise invalid(f"{path}: Invalid `signature` in `thinking` block")
        case RedactedThinking(data=data):
            if is_foreign(data):
                raise invalid(f"{path}: Invalid `data` in `redacted_thinking` block")


def check_pattern(text: str, pattern: str, at: str) -> None:
    """Refuse a name or id that does not match `pattern`."""
    if not re.fullmatch(pattern.strip("^$"), text):
        raise invalid(f"{at}: String should match pattern '{pattern}'")


def _check_file(block: Image | Document, at: str) -> None:
    _check_source(block.source, at)
    if isinstance(block, Document) and block.title is not None and not 0 < len(block.title) <= MAX_TITLE:
        bound = f"at most {MAX_TITLE} characters" if block.title else "at least 1 character"
        raise invalid(f"{at}.document.title: String should have {bound}")


def _check_source(source: Struct, at: str) -> None:
    match source:
        case Base64Image(media_type=media_type, data=data) | Base64Pdf(media_type=media_type, data=data):
            try:
                decoded = b64decode(data, validate=True)
            except (Base64Error, ValueError):  # ValueError: the text is not ASCII
                decoded = b""
            if not decoded:
                raise invalid(f"{at}.source.data: invalid base64 data")
            for start, found in FIRST_BYTES.items():
                if decoded.startswith(start) and found != media_type:
                    raise invalid(
                        f"{at}.source.media_type: The file was specified using the {media_type} media type, but it "
                        f"appears to be {found}"
                    )
        case Url(url=url):
            if not url.startswith(("http://", "https://")):
                raise invalid(f"{at}.source.url: Only HTTP and HTTPS URLs are supported")


def _check_system_turns(turns: list[Turn], *, system_role: bool) -> None:
    for before, turn in pairwise(turns):
        if turn.role == "system":
            if not system_role:
                raise invalid(f"{turn.at}: role 'system' is not supported on this model")
            if before.role != "user":
                raise invalid(f"{turn.at}: a system message must follow a user message")
        elif before.role == "system" and turn.role != "assistant":
            raise invalid(f"{before.at}: a system message must be last or be followed by an assistant message")


def _check_calls(turns: list[Turn]) -> None:
    """Check that the start of the next turn answers each call once, and that every result has a call."""
    seen: set[str] = set()
    called: list[str] = []  # by the previous turn
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        _check_results(turn, called)
        called = []
        for placed in turn.blocks:
            if isinstance(placed.block, ToolUse):
                if placed.block.id in seen:
                    raise invalid(f"{placed.path}: `tool_use` ids must be unique")
                seen.add(placed.block.id)
                called.append(placed.block.id)
        answered = _leading_results(following) if following else set()
        if unanswered := [call_id for call_id in called if call_id not in answered]:
            raise invalid(
                f"{turn.at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(unanswered)}. Each `tool_use` block must have a corresponding `tool_result` block in "
                "the next message."
            )


def _check_server_tools(turn: Turn) -> None:
    """Check that each call of a server tool is followed by its result in the same turn, and each result has a call."""
    waiting: dict[tuple[str, str], Placed] = {}
    for placed in turn.blocks:
        block = placed.block
        if isinstance(block, ServerToolUse | MCPToolUse):
            pattern = SERVER_TOOL_ID if isinstance(block, ServerToolUse) else MCP_TOOL_ID
            check_pattern(block.id, pattern, f"{placed.path}.id")
            waiting[str(block.__struct_config__.tag), block.id] = placed
        elif isinstance(block, ServerToolResult | MCPToolResult):
            called = "server_tool_use" if isinstance(block, ServerToolResult) else "mcp_tool_use"
            if waiting.pop((called, block.tool_use_id), None) is None:
                raise invalid(
                    f"{placed.path}: unexpected `tool_use_id` found in `{block.__struct_config__.tag}` blocks: "
                    f"{block.tool_use_id}. Each block must have a corresponding `{called}` block before it."
                )
    for (called, call_id), placed in waiting.items():
        raise invalid(f"{placed.path}: `{called}` with id {call_id} was found without its result block.")


def _check_results(turn: Turn, called: list[str]) -> None:
    answered: set[str] = set()
    for placed in turn.blocks:
        if not isinstance(placed.block, ToolResult):
            continue
        call_id = placed.block.tool_use_id
        if call_id not in called:
            raise invalid(
                f"{placed.path}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if call_id in answered:
            raise invalid(
                f"{placed.path}: each tool_use must have a single result. Found multiple `tool_result` blocks with "
                f"id: {call_id}"
            )
        answered.add(call_id)


def _leading_results(turn: Turn) -> set[str]:
    """The ids of the calls answered at the start of the turn."""
    leading = takewhile(lambda placed: isinstance(placed.block, ToolResult), turn.blocks)
    return {placed.block.tool_use_id for placed in leading if isinstance(placed.block, ToolResult)}
