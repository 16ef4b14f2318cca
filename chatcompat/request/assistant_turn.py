"""Assistant messages -> the blocks of an assistant turn: text, calls and thinking, each in its position."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from chatcompat.dialect import Dialect
from chatcompat.errors import missing_field
from chatcompat.request.content import is_blank, to_text_blocks
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL
from chatcompat.request.native_blocks import CALL_TAGS, THINKING_TAGS, has_native_parts, read_input
from chatcompat.request.native_turns import to_native_turn
from chatcompat.request.pending_calls import PendingCalls, Where
from chatcompat.request.thinking_blocks import from_thinking_blocks, place_blocks, to_kept, without_citations
from chatcompat.request.tool_arguments import to_input, to_short_input
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_native import ToolUsePart
from chatcompat.wire.chat_request import AssistantMessage, AssistantPart, FunctionCall, RefusalPart, ToolCall
from chatcompat.wire.ids import UniqueIds, to_native_id
from chatcompat.wire.messages import BlockParam, TextBlockParam, ToolUseBlockParam
from chatcompat.wire.utf8 import require_utf8


def has_calls(message: AssistantMessage) -> bool:
    """Whether a message calls tools, in any form."""
    return bool(message.tool_calls or message.function_call) or has_native_parts(message.content, CALL_TAGS)


class AssistantTurns:
    """Converts the assistant messages of one chat. Their calls wait for results in `calls`."""

    def __init__(self, dialect: Dialect, names: ToolNames, context: RequestContext, calls: PendingCalls) -> None:
        self.called: dict[str, str] = {}  # the name of each call, by its native id
        self._dialect = dialect
        self._names = names
        self._context = context
        self._depth = context.bounds.depth
        self._ignored = context.ignored
        self._calls = calls
        self.ids: UniqueIds = UniqueIds()

    def to_usual_blocks(self, text: str | None, calls: Sequence[ToolCall], index: int) -> list[BlockParam]:
        """Return the same blocks as `to_blocks`, but faster, for a message that `is_usual`. `index` is its index."""
        blocks: list[BlockParam] = []
        if text and not text.isspace():
            blocks.append(TextBlockParam(text))
        for number, call in enumerate(calls):
            blocks.append(self._to_tool_use(call, call.id, index, number))
        return blocks

    def to_blocks(self, message: AssistantMessage, index: int) -> list[BlockParam]:
        """Return the blocks of a message; `index` is its index in the request. An empty message has none."""
        if not (message.annotations is message.audio is message.citations is UNSET):
            self._check_sent_back(message)
        content = message.content
        if isinstance(content, str) and content and not content.isspace():  # most messages
            text = [TextBlockParam(content)]
        elif content is None:
            refusal = message.refusal
            text = [TextBlockParam(refusal)] if refusal and not refusal.isspace() else []
        elif has_native_parts(content):
            return self._from_native(message, index)
        else:
            text = _assistant_text(message, self._context)
        calls = self._to_tool_uses(message.tool_calls, index) if message.tool_calls else []
        if message.function_call is not None:
            calls.append(self._to_function_use(message.function_call, index))
        if message.reasoning_details or message.thinking_blocks:
            return self._with_thinking(message, index, text, calls)
        self._report_plain_thinking(message)
        return [*text, *calls]

    def _check_sent_back(self, message: AssistantMessage) -> None:
        """Check what replies have and requests have not. Audio is lost."""
        for sent_back in (message.annotations, message.audio, message.citations):
            if sent_back is not UNSET:
                require_utf8(sent_back)
        if message.audio is not UNSET and message.audio != NULL:
            self._ignored.append("messages[].audio")

    def _from_native(self, message: AssistantMessage, index: int) -> list[BlockParam]:
        """The blocks of a message with native ones. A call in `tool_calls` with the id of a native call is a copy."""
        path, parts = f"messages[{index}].content", _parts(message)
        blocks = to_native_turn(parts, path, self._dialect, self._context, self._to_native_use)
        if message.tool_calls:
            native_ids = {part.id for part in parts if isinstance(part, ToolUsePart)}
            for number, call in enumerate(message.tool_calls):
                if call.id not in native_ids:
                    blocks.append(self._to_tool_use(call, call.id, index, number))
        if message.function_call is not None:
            blocks.append(self._to_function_use(message.function_call, index))
        if has_native_parts(parts, THINKING_TAGS):  # in its place
            return blocks
        if not (message.reasoning_details or message.thinking_blocks):
            self._report_plain_thinking(message)
            return blocks
        text = [block for block in blocks if isinstance(block, TextBlockParam)]
        calls = [block for block in blocks if isinstance(block, ToolUseBlockParam)]
        return self._with_thinking(message, index, text, calls)

    # ------------------------------------------------------------ calls

    def _to_native_use(self, part: ToolUsePart, path: str) -> ToolUseBlockParam:
        raw, whole = read_input(part.input, f"{path}.input", self._context)
        if not whole:
            self._ignored.append("messages[].content[].input")
        block = self._call(part.id, part.id, part.name, raw, path)
        block.caller = UNSET if part.caller is None else part.caller
        block.toolset_name = UNSET if part.toolset_name is None else part.toolset_name
        self._context.add_breakpoint(block, part.cache_control)
        return block

    def _to_tool_uses(self, tool_calls: list[ToolCall], index: int) -> list[ToolUseBlockParam]:
        """Convert the calls of a message. A restored turn has the ids that the service gave them."""
        ids = self._context.native_ids.get(index) or []
        if len(ids) != len(tool_calls):
            ids = [call.id for call in tool_calls]
        return [
            self._to_tool_use(call, native_id, index, number)
            for number, (call, native_id) in enumerate(zip(tool_calls, ids, strict=True))
        ]

    def _to_tool_use(self, call: ToolCall, native_id: str, index: int, number: int) -> ToolUseBlockParam:
        """Convert a call; `number` is its index in `tool_calls` of the message with this index."""
        if call.type == "custom":
            if call.custom is None:
                raise missing_field(f"messages[{index}].tool_calls[{number}].custom")
            return self._call(call.id, native_id, call.custom.name, {"input": call.custom.input}, (index, number))
        function = call.function
        if function is None:
            raise missing_field(f"messages[{index}].tool_calls[{number}].function")
        raw = to_short_input(function.arguments, self._depth)
        if raw is None:
            raw = self._to_input(function, f"messages[{index}].tool_calls[{number}].function.arguments")
        return self._call(call.id, native_id, function.name, raw, (index, number))

    def _to_function_use(self, call: FunctionCall, index: int) -> ToolUseBlockParam:
        """Convert a legacy call, which gets a generated id."""
        path = f"messages[{index}].function_call"
        raw = to_short_input(call.arguments, self._depth)
        if raw is None:
            raw = self._to_input(call, f"{path}.arguments")
        return self._call(None, f"call_{index}", call.name, raw, path)

    def _to_input(self, call: FunctionCall, path: str) -> dict[str, Any]:
        raw, whole = to_input(call.arguments, path, self._context.bounds.depth)
        if not whole:
            self._ignored.append("messages[].tool_calls[].function.arguments")
        return raw

    def _call(
        self, chat_id: str | None, native_id: str, name: str, raw: dict[str, Any], where: Where
    ) -> ToolUseBlockParam:
        block = ToolUseBlockParam(self.ids.unique(to_native_id(native_id)), self._names.to_native(name), raw)
        self._calls.add(chat_id, name, block, where)
        self.called[block.id] = name
        return block

    # ------------------------------------------------------------ thinking

    def _with_thinking(
        self, message: AssistantMessage, index: int, text: list[TextBlockParam], calls: list[ToolUseBlockParam]
    ) -> list[BlockParam]:
        """The blocks of the turn. Thinking without a signature, or of another vendor, cannot be sent back."""
        kept, whole = to_kept(message.reasoning_details or (), index, self._context)
        if message.thinking_blocks and not any(entry.is_thinking for entry in kept):
            blocks, all_blocks = from_thinking_blocks(message.thinking_blocks)
            kept = [*blocks, *kept]
            if not all_blocks or (blocks and self._dialect.reasoning == "none"):
                self._ignored.append("messages[].thinking_blocks")
        if self._dialect.reasoning == "none":
            whole = whole and not (message.reasoning_details and any(entry.is_thinking for entry in kept))
            kept = [entry for entry in kept if not entry.is_thinking]
        length = len(message.content) if isinstance(message.content, str) else sum(len(block.text) for block in text)
        kept, all_kept = without_citations(kept, length), kept
        if not whole or len(kept) < len(all_kept):
            self._ignored.append("messages[].reasoning_details")
        if (message.reasoning_content or message.reasoning) and not any(entry.is_thinking for entry in kept):
            self._report_plain_thinking(message)
        return place_blocks(text, calls, kept)

    def _report_plain_thinking(self, message: AssistantMessage) -> None:
        """Report thinking without a signature. Beside signed thinking, it is a copy."""
        if message.reasoning_content:
            self._ignored.append("messages[].reasoning_content")
        if message.reasoning:
            self._ignored.append("messages[].reasoning")


def _parts(message: AssistantMessage) -> list[AssistantPart]:
    return message.content if isinstance(message.content, list) else []


def _assistant_text(message: AssistantMessage, context: RequestContext) -> list[TextBlockParam]:
    """The text of a message or, if it has none, its refusal, which is a field or parts of the content."""
    if blocks := to_text_blocks(message.content, context):
        return blocks
    refusals = [message.refusal or ""]
    if isinstance(message.content, list):
        refusals += [part.refusal for part in message.content if isinstance(part, RefusalPart)]
    return [TextBlockParam(text) for text in refusals if not is_blank(text)]
