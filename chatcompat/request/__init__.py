"""Chat request -> messages request."""

from typing import Final

import msgspec
from msgspec import UNSET, Raw

from chatcompat.dialect import Dialect
from chatcompat.errors import DECODE_ERRORS, InvalidRequest, to_invalid_request
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds, check_count
from chatcompat.request.context import Notes, joined
from chatcompat.request.conversation import Conversation, leading_system
from chatcompat.request.fields import check_unsent, set_values
from chatcompat.request.native_tools import take_native_tools
from chatcompat.request.reasoning_effort import set_reasoning
from chatcompat.request.structured_output import Output, to_output
from chatcompat.request.text_only import to_plain_request
from chatcompat.request.tool_choice import ToolDecision, decide_tools
from chatcompat.request.tool_names import ToolNames
from chatcompat.request.tools import declare_called, to_tools
from chatcompat.request.unknown_fields import without_unknown
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.messages import MessagesRequest, TextBlockParam

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode
_encode = msgspec.json.Encoder().encode


_UNKNOWN_FIELD: Final = "unknown field"  # in the decoder's error


class Decoded(msgspec.Struct):
    """A request, and what stood in it beside the fields of its type."""

    chat: ChatCompletionRequest
    unknown: list[str] = []  # places of unknown fields
    native_tools: dict[int, Raw] = {}  # tools in the native shape, by their index


def decode_chat_request(body: bytes, bounds: RequestBounds = DEFAULT_BOUNDS) -> Decoded:
    """Decode the body of a request; raises `InvalidRequest`."""
    try:
        try:
            return Decoded(_decode(body))
        except msgspec.ValidationError as error:
            if _UNKNOWN_FIELD not in str(error) and "$.tools[" not in str(error):
                raise
        _prove_text(body)
        ours, native_tools = take_native_tools(body)
        known, unknown = without_unknown(ours, bounds)
        try:
            return Decoded(_decode(known), unknown, native_tools)
        except msgspec.ValidationError as error:
            raise _without_name(error) from None
    except DECODE_ERRORS as error:
        raise _why(error, body) from None


def _without_name(error: msgspec.ValidationError) -> msgspec.ValidationError:
    """The error for an object whose tag is none of ours: its unknown fields stay in it, and say nothing."""
    sentence, at, place = str(error).rpartition(" - at `")
    return msgspec.ValidationError(f"Invalid value{at}{place}") if _UNKNOWN_FIELD in sentence else error


def _why(error: Exception, body: bytes) -> InvalidRequest:
    """Why a body cannot be decoded: what is no text is no JSON either, and says more."""
    try:
        _prove_text(body)
    except UnicodeDecodeError as no_text:
        error = no_text
    return to_invalid_request(error)


def _prove_text(body: bytes) -> None:
    """Raw values and unknown fields are scanned as JSON, but not as UTF-8."""
    if not body.isascii():
        body.decode()


class Outcome(msgspec.Struct):
    """A messages request, and what the reply must know of its making."""

    request: MessagesRequest
    ignored: list[str]
    media: list[memoryview] = []  # what stands outside of the request until it is encoded: see `joined`
    names: ToolNames | None = None  # None: there are no tools, and no other form of output than text
    output: Output | None = None
    prefill: str = ""  # that the reply repeats

    def encode(self) -> bytes:
        """The request's bytes; raises `InvalidRequest` where an image or a file in it is not UTF-8."""
        encoded = _encode(self.request)
        if not self.media:
            return encoded
        try:
            return joined(encoded, self.media)
        except UnicodeDecodeError as error:
            raise to_invalid_request(error) from None


def to_messages_request(decoded: Decoded, *, dialect: Dialect, version: str, bounds: RequestBounds) -> Outcome:
    """Translate a decoded request; raises `InvalidRequest` with the place of what cannot be translated.

    `version` is the `anthropic-version` that goes along.
    """
    chat, ignored = decoded.chat, [*decoded.unknown]
    check_count("messages", len(chat.messages), bounds.messages, "messages")
    plain = to_plain_request(chat, dialect)
    if plain is None:
        try:
            return _to_messages_request(decoded, dialect, version, Notes(ignored, bounds))
        except UnicodeDecodeError as error:  # in a raw value that was looked into
            raise to_invalid_request(error) from None
    set_values(chat, plain, dialect, version, ignored)
    return Outcome(plain, ignored)


def _to_messages_request(decoded: Decoded, dialect: Dialect, version: str, notes: Notes) -> Outcome:
    chat, names, bounds = decoded.chat, ToolNames(), notes.bounds
    check_count("tools", len(chat.tools or ()), bounds.tools, "tools")
    check_count("functions", len(chat.functions or ()), bounds.tools, "functions")
    check_unsent(chat, notes.ignored)
    tools = to_tools(chat, decoded.native_tools, names, notes, dialect)
    output = to_output(chat.response_format, names, dialect, bounds)
    decision = decide_tools(chat, tools, names, output, dialect)
    notes.ignored += decision.ignored
    conversation = Conversation(dialect, names, notes)
    request = _to_request(chat, conversation, notes, dialect)
    _set_tools(request, decision)
    if output.config is not None:
        request.output_config = output.config
    if output.instruction is not None:
        if decision.offers_json:
            request.system = [*(request.system or []), output.instruction]
        notes.ignored.append("response_format")
    set_values(chat, request, dialect, version, notes.ignored)
    set_reasoning(chat.reasoning_effort, request, dialect, notes.ignored, forces_call=decision.forces_call)
    notes.keep_last_breakpoints()
    return Outcome(request, notes.ignored, notes.media, names, output, conversation.repeated)


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


def _set_tools(request: MessagesRequest, decision: ToolDecision) -> None:
    called = declare_called(request.messages, decision.tools) if decision.declares_called else []
    if tools := [*called, *decision.tools]:
        request.tools = tools
        request.tool_choice = decision.choice or UNSET
