"""Chat request -> messages request."""

import msgspec
from msgspec import UNSET, Raw

from chatcompat.bounds import RequestBounds
from chatcompat.chat import ChatCompletionRequest
from chatcompat.dialect import Dialect
from chatcompat.errors import DECODE_ERRORS, InvalidRequest, to_invalid_request
from chatcompat.messages import MessagesRequest, TextBlockParam, ToolChoiceParam
from chatcompat.request.choice import to_tool_choice, unforce
from chatcompat.request.conversation import Conversation, leading_system
from chatcompat.request.fields import check_unsent, set_values
from chatcompat.request.names import ToolNames
from chatcompat.request.native import take_native_tools
from chatcompat.request.notes import Notes
from chatcompat.request.output import Output, force_json, to_output
from chatcompat.request.reasoning import set_reasoning
from chatcompat.request.tools import Tools, declare_called, to_tools
from chatcompat.request.unknown import without_unknown

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode


class Decoded(msgspec.Struct):
    """A request, and what stood in it beside the fields of its type."""

    chat: ChatCompletionRequest
    unknown: list[str]  # places of unknown fields
    native_tools: dict[int, Raw]  # tools in the native shape, by their index


def decode_chat_request(body: bytes) -> Decoded:
    """Decode the body of a request; raises `InvalidRequest`.

    Unknown fields and raw values are scanned as JSON but not as UTF-8, hence the proof of the whole body first.
    """
    try:
        if not body.isascii():
            body.decode()
        try:
            return Decoded(_decode(body), [], {})
        except msgspec.ValidationError as error:
            if "unknown field" not in str(error) and "$.tools[" not in str(error):
                raise
        ours, native_tools = take_native_tools(body)
        known, unknown = without_unknown(ours)
        return Decoded(_decode(known), unknown, native_tools)
    except DECODE_ERRORS as error:
        raise to_invalid_request(error) from None


class Outcome(msgspec.Struct):
    """A messages request, and what the reply must know of its making."""

    request: MessagesRequest
    ignored: list[str]
    names: ToolNames
    output: Output


def to_messages_request(decoded: Decoded, *, dialect: Dialect, version: str, bounds: RequestBounds) -> Outcome:
    """Translate a decoded request; raises `InvalidRequest` with the place of what cannot be translated.

    `version` is the `anthropic-version` that goes along.
    """
    chat, notes, names = decoded.chat, Notes([*decoded.unknown], bounds), ToolNames()
    _check_counts(chat, bounds)
    check_unsent(chat, notes.ignored)
    tools = to_tools(chat, decoded.native_tools, names, notes, dialect)
    output = to_output(chat.response_format, names, dialect, bounds)
    wanted = to_tool_choice(chat, names)
    choice = force_json(wanted, tools, output)
    forced = wanted is not None and wanted.type in ("any", "tool")
    if wanted is not None and forced and not dialect.forced_tools:
        choice = unforce(wanted, chat, notes.ignored)
    request = _to_request(chat, Conversation(dialect, names, notes), notes, dialect)
    _set_tools(request, tools, choice, offered=bool(names.offered))
    if output.config is not None:
        request.output_config = output.config
    if output.instruction is not None:
        if not forced:  # else the JSON tool is not offered
            request.system = [*(request.system or []), output.instruction]
        notes.ignored.append("response_format")
    set_values(chat, request, dialect, version, notes.ignored)
    set_reasoning(chat.reasoning_effort, request, dialect, notes.ignored)
    notes.keep_last_breakpoints()
    return Outcome(request, notes.ignored, names, output)


def _check_counts(chat: ChatCompletionRequest, bounds: RequestBounds) -> None:
    counts = (
        ("messages", len(chat.messages), bounds.messages),
        ("tools", len(chat.tools or ()), bounds.tools),
        ("functions", len(chat.functions or ()), bounds.tools),
    )
    for param, count, bound in counts:
        if count > bound:
            raise InvalidRequest(
                f"There are {count} {param}; this service takes {bound}.", param=param, code="array_above_max_length"
            )


def _to_request(
    chat: ChatCompletionRequest, conversation: Conversation, notes: Notes, dialect: Dialect
) -> MessagesRequest:
    leading = leading_system(chat.messages, notes)
    if len(leading) == len(chat.messages) and leading[-1]:
        conversation.say(leading.pop())
        notes.ignored.append("messages[].role")
    else:
        for index in range(len(leading), len(chat.messages)):
            conversation.add(index, chat.messages[index])
    request = MessagesRequest(
        model=chat.model,
        max_tokens=chat.max_completion_tokens or chat.max_tokens or dialect.max_tokens,
        messages=conversation.close(len(chat.messages) - 1),
    )
    system: list[TextBlockParam] = [block for blocks in leading for block in blocks]
    if system:
        request.system = system
    return request


def _set_tools(request: MessagesRequest, tools: Tools, choice: ToolChoiceParam | None, *, offered: bool) -> None:
    if not offered and (called := declare_called(request.messages, tools)):
        tools = [*called, *tools]
        choice = choice or ToolChoiceParam("none")
    if tools:
        request.tools = tools
        request.tool_choice = choice or UNSET
