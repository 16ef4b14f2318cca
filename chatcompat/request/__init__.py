"""Chat request -> messages request."""

import msgspec
from msgspec import UNSET

from chatcompat.chat import ChatCompletionRequest
from chatcompat.dialect import Dialect
from chatcompat.errors import DECODE_ERRORS, to_invalid_request
from chatcompat.messages import MessagesRequest, ToolChoiceParam, ToolParam
from chatcompat.request.conversation import Conversation, leading_system
from chatcompat.request.fields import check_unsent, set_values
from chatcompat.request.tools import (
    ToolNames,
    declare_called,
    force_json,
    to_json_tool,
    to_tool_choice,
    to_tools,
)
from chatcompat.request.unknown import without_unknown

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode


def decode_chat_request(body: bytes) -> tuple[ChatCompletionRequest, list[str]]:
    """The request, and the places of its unknown fields; raises `InvalidRequest`.

    Unknown fields and raw values are scanned as JSON but not as UTF-8, hence the proof of the whole body first.
    """
    try:
        if not body.isascii():
            body.decode()
        try:
            return _decode(body), []
        except msgspec.ValidationError as error:
            if not str(error).startswith("Object contains unknown field"):
                raise
        known, unknown = without_unknown(body)
        return _decode(known), unknown
    except DECODE_ERRORS as error:
        raise to_invalid_request(error) from None


class Outcome(msgspec.Struct):
    """A messages request, and what the reply must know of its making."""

    request: MessagesRequest
    ignored: list[str]
    tool_names: dict[str, str]  # native name -> the client's
    json_tool: str | None  # name of the tool whose input is the client's JSON


def to_messages_request(chat: ChatCompletionRequest, unknown: list[str], *, dialect: Dialect, version: str) -> Outcome:
    """Translate a decoded request; raises `InvalidRequest` with the place of what cannot be translated.

    `unknown` are the places that `decode_chat_request` found, `version` is the `anthropic-version` that goes along.
    """
    ignored = [*unknown]
    check_unsent(chat, ignored)
    names = ToolNames(chat.tools or ())
    tools, choice, json_tool = _to_tools(chat, names)
    conversation = Conversation(dialect, names, ignored)
    leading = leading_system(chat.messages, ignored)
    if len(leading) == len(chat.messages) and leading[-1]:
        conversation.say(leading.pop())
        ignored.append("messages[].role")
    else:
        for index in range(len(leading), len(chat.messages)):
            conversation.add(index, chat.messages[index])
    turns = conversation.close(len(chat.messages) - 1)
    request = MessagesRequest(
        model=chat.model,
        max_tokens=chat.max_completion_tokens or chat.max_tokens or dialect.max_tokens,
        messages=turns,
    )
    if system := [block for blocks in leading for block in blocks]:
        request.system = system
    if not chat.tools and (called := declare_called(turns)):
        tools = called + tools
        choice = choice or ToolChoiceParam("none")
    if tools:
        request.tools = tools
        request.tool_choice = choice or UNSET
    set_values(chat, request, dialect, version, ignored)
    return Outcome(request, ignored, names.restored, json_tool)


def _to_tools(
    chat: ChatCompletionRequest, names: ToolNames
) -> tuple[list[ToolParam], ToolChoiceParam | None, str | None]:
    tools = to_tools(chat.tools, names) if chat.tools else []
    choice = to_tool_choice(chat, names)
    if chat.response_format is None or chat.response_format.type == "text":
        return tools, choice, None
    json_tool = to_json_tool(chat.response_format, tools)
    return tools, force_json(choice, tools, json_tool), json_tool.name
