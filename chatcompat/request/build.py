"""Chat request -> messages request."""

from msgspec import UNSET

from chatcompat.dialect import Dialect
from chatcompat.request.asked_reasoning import hides_reasoning
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.cache_marks import OWN_MARKS, set_marks
from chatcompat.request.context import RequestContext
from chatcompat.request.conversation import Conversation, leading_system
from chatcompat.request.decode_error import to_invalid_request
from chatcompat.request.decoded import Decoded
from chatcompat.request.fields import check_unsent, set_values
from chatcompat.request.native_keys import set_native_keys, to_betas
from chatcompat.request.reasoning_effort import set_block_binding, set_reasoning
from chatcompat.request.strict_schema import StrictSchemas
from chatcompat.request.structured_output import to_output
from chatcompat.request.text_only import to_plain_request
from chatcompat.request.tool_choice import ToolDecision, decide_tools
from chatcompat.request.tool_names import ToolNames
from chatcompat.request.tools import declare_called, to_tools
from chatcompat.request.translated import TranslatedRequest
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest
from chatcompat.wire.messages import MessagesRequest, TextBlockParam


def to_messages_request(
    decoded: Decoded, *, dialect: Dialect, version: str, bounds: RequestBounds, betas: tuple[str, ...] = ()
) -> TranslatedRequest:
    """Translate a decoded request.

    Args:
        decoded: The request, as `decode_chat_request` returns it.
        dialect: The features of the inner app.
        version: The `anthropic-version` header of the messages request.
        bounds: The limits on the request.
        betas: The names in the client's `anthropic-beta` header.

    Raises:
        InvalidRequest: If the request cannot be translated. `param` names the field.
    """
    ignored = [*decoded.unknown]
    plain = to_plain_request(decoded.chat, dialect)
    if plain is None:
        try:
            chat = decoded.whole()
            context = RequestContext(ignored, bounds, StrictSchemas(dialect, bounds), decoded.native_ids)
            translated = _to_messages_request(decoded, chat, dialect, version, context)
            translated.betas = to_betas(chat, translated.request, dialect, betas, translated.ignored)
        except UnicodeDecodeError as error:  # in a raw value
            raise to_invalid_request(error) from None
        return translated
    set_values(decoded.chat, plain, dialect, version, ignored)
    if betas or dialect.betas:
        betas = tuple(dict.fromkeys((*betas, *dialect.betas)))
    return TranslatedRequest(plain, ignored, betas=betas, own_marks=OWN_MARKS[dialect.caching])


def _to_messages_request(
    decoded: Decoded, chat: ChatCompletionRequest, dialect: Dialect, version: str, context: RequestContext
) -> TranslatedRequest:
    names = ToolNames()
    check_unsent(chat, dialect, context.ignored, context.bounds.choices)
    tools = to_tools(decoded, names, context, dialect)
    conversation = Conversation(dialect, names, context, len(chat.messages) - 1)
    request = _to_request(chat, conversation, context, dialect)
    has_prefill = request.messages[-1].role == "assistant"
    output = to_output(chat.response_format, names, context, dialect, has_prefill=has_prefill)
    decision = decide_tools(chat, tools, names, output, dialect)
    context.ignored += decision.ignored
    _set_tools(request, decision)
    if output.config is not None:
        request.output_config = output.config
    if output.instruction is not None:
        request.system = [*(request.system or []), output.instruction]
        context.ignored.append("response_format")
    set_values(chat, request, dialect, version, context.ignored)
    hidden = hides_reasoning(chat, context.ignored)
    set_reasoning(chat, request, dialect, context, forces_call=decision.forces_call, hidden=hidden)
    set_block_binding(request, dialect, context.ignored, has_thinking=bool(conversation.places))
    set_native_keys(chat, request, dialect, version, context)
    own_marks = set_marks(chat, request, dialect, context)
    return TranslatedRequest(
        request,
        context.ignored,
        context.media,
        names,
        output,
        conversation.repeated,
        conversation.places,
        hides_reasoning=hidden,
        own_marks=own_marks,
        choices=chat.n or 1,
        may_pause=bool(request.mcp_servers) or (request.tools is not UNSET and dict in map(type, request.tools)),
    )


def _to_request(
    chat: ChatCompletionRequest, conversation: Conversation, context: RequestContext, dialect: Dialect
) -> MessagesRequest:
    leading = leading_system(chat.messages, context)
    following = chat.messages[len(leading) :]
    if not following or isinstance(following[0], AssistantMessage):
        # The native API needs a user turn. It stays the same when the reply follows in the next request.
        leading = [blocks for blocks in leading if blocks]
        if leading:
            conversation.say(leading.pop())
            context.ignored.append("messages[].role")
    conversation.add_all(following, len(chat.messages) - len(following))
    request = MessagesRequest(
        model=chat.model,
        max_tokens=chat.max_completion_tokens or chat.max_tokens or dialect.max_tokens,
        messages=conversation.close(),
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
