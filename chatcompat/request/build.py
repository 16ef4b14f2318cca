"""Chat request -> messages request."""

import msgspec
from msgspec import UNSET

from chatcompat.dialect import Dialect
from chatcompat.request.bounds import RequestBounds, check_count
from chatcompat.request.context import RequestContext, joined
from chatcompat.request.conversation import Conversation, leading_system
from chatcompat.request.decode import Decoded, to_invalid_request
from chatcompat.request.fields import check_unsent, set_values
from chatcompat.request.reasoning_effort import set_reasoning
from chatcompat.request.structured_output import Output, to_output
from chatcompat.request.text_only import to_plain_request
from chatcompat.request.tool_choice import ToolDecision, decide_tools
from chatcompat.request.tool_names import ToolNames
from chatcompat.request.tools import declare_called, to_tools
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.messages import MessagesRequest, TextBlockParam

_encode = msgspec.json.Encoder().encode


class TranslatedRequest(msgspec.Struct):
    """A messages request, and the state that translates its reply."""

    request: MessagesRequest
    ignored: list[str]
    media: list[memoryview] = []  # large data that `joined` puts into the encoded request
    names: ToolNames | None = None  # None for a plain text request
    output: Output | None = None
    prefill: str = ""  # prefill text that the reply repeats

    def encode(self) -> bytes:
        """Encode the request."""
        encoded = _encode(self.request)
        return joined(encoded, self.media) if self.media else encoded


def to_messages_request(
    decoded: Decoded, *, dialect: Dialect, version: str, bounds: RequestBounds
) -> TranslatedRequest:
    """Translate a decoded request.

    Args:
        decoded: The request, as `decode_chat_request` returns it.
        dialect: The features of the inner app.
        version: The `anthropic-version` header of the messages request.
        bounds: The limits on the request.

    Raises:
        InvalidRequest: If the request cannot be translated. `param` names the field.
    """
    chat, ignored = decoded.chat, [*decoded.unknown]
    check_count("messages", len(chat.messages), bounds.messages, "messages")
    plain = to_plain_request(chat, dialect)
    if plain is None:
        try:
            return _to_messages_request(decoded, dialect, version, RequestContext(ignored, bounds))
        except UnicodeDecodeError as error:  # in a raw value
            raise to_invalid_request(error) from None
    set_values(chat, plain, dialect, version, ignored)
    return TranslatedRequest(plain, ignored)


def _to_messages_request(
    decoded: Decoded, dialect: Dialect, version: str, context: RequestContext
) -> TranslatedRequest:
    chat, names, bounds = decoded.chat, ToolNames(), context.bounds
    check_count("tools", len(chat.tools or ()), bounds.tools, "tools")
    check_count("functions", len(chat.functions or ()), bounds.tools, "functions")
    check_unsent(chat, dialect, context.ignored)
    tools = to_tools(chat, decoded.native_tools, names, context, dialect)
    output = to_output(chat.response_format, names, dialect, bounds)
    decision = decide_tools(chat, tools, names, output, dialect)
    context.ignored += decision.ignored
    conversation = Conversation(dialect, names, context, len(chat.messages) - 1)
    request = _to_request(chat, conversation, context, dialect)
    _set_tools(request, decision)
    if output.config is not None:
        request.output_config = output.config
    if output.instruction is not None:
        if decision.offers_json:
            request.system = [*(request.system or []), output.instruction]
        context.ignored.append("response_format")
    set_values(chat, request, dialect, version, context.ignored)
    set_reasoning(chat.reasoning_effort, request, dialect, context.ignored, forces_call=decision.forces_call)
    context.keep_last_breakpoints()
    return TranslatedRequest(request, context.ignored, context.media, names, output, conversation.repeated)


def _to_request(
    chat: ChatCompletionRequest, conversation: Conversation, context: RequestContext, dialect: Dialect
) -> MessagesRequest:
    leading = leading_system(chat.messages, context)
    if len(leading) == len(chat.messages) and leading[-1]:
        conversation.say(leading.pop())
        context.ignored.append("messages[].role")
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
