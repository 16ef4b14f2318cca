"""Function tools and their choice -> tools; and JSON output by a tool that must be called."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from msgspec import UNSET, Raw

from chatcompat.chat import ChatCompletionRequest, NamedToolChoice, ResponseFormat, Tool
from chatcompat.errors import InvalidRequest
from chatcompat.messages import MessageParam, ToolChoiceParam, ToolParam, ToolUseBlockParam
from chatcompat.request.schema import EMPTY_SCHEMA, to_input_schema

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_OUTSIDE: Final = re.compile(r"[^a-zA-Z0-9_-]")

JSON_TOOL: Final = "respond_with_json"
_JSON_DESCRIPTION: Final = "Give your whole answer to the user as the input of this tool."
_FORMAT_SCHEMA: Final = "response_format.json_schema.schema"
_ANY_OBJECT: Final = Raw(b'{"type":"object"}')

# tool_choice as a word -> the native type; a named function is `tool`.
TOOL_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}


class ToolNames:
    """Maps names that the native side does not take; the same name always becomes the same one.

    `restored` has, for each mapped name, the client's own: replies are mapped back with it.
    """

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.restored: dict[str, str] = {}
        self._tools = tools
        self._mapped: dict[str, str] = {}

    def to_native(self, name: str) -> str:
        """`name`, or the name that stands for it natively."""
        if _NAME.fullmatch(name):
            return name
        if name not in self._mapped:
            taken = {tool.function.name for tool in self._tools} | self.restored.keys()
            native, salt = name, 0
            while not _NAME.fullmatch(native) or native in taken:
                digest = blake2b(name.encode(), digest_size=6, salt=salt.to_bytes(4)).hexdigest()
                native = f"{_OUTSIDE.sub('_', name)[:100]}_{digest}"
                salt += 1
            self._mapped[name] = native
            self.restored[native] = name
        return self._mapped[name]


def to_tools(tools: list[Tool], names: ToolNames) -> list[ToolParam]:
    """Each function as a native tool, in order; refuses two of one name."""
    seen: set[str] = set()
    native: list[ToolParam] = []
    for index, tool in enumerate(tools):
        function, place = tool.function, f"tools[{index}].function"
        if not function.name:
            raise InvalidRequest("A function needs a name.", param=f"{place}.name", code="invalid_value")
        if function.name in seen:
            raise InvalidRequest("There is another tool of this name.", param=f"{place}.name", code="duplicate_tool")
        seen.add(function.name)
        native.append(
            ToolParam(
                name=names.to_native(function.name),
                description=function.description or UNSET,
                input_schema=to_input_schema(function.parameters, f"{place}.parameters"),
                strict=bool(function.strict),
                cache_control=tool.cache_control,
            )
        )
    return native


def to_tool_choice(chat: ChatCompletionRequest, names: ToolNames) -> ToolChoiceParam | None:
    """The native choice, or nothing where there is nothing to say."""
    offered, choice = chat.tools, chat.tool_choice
    if isinstance(choice, NamedToolChoice):
        if all(tool.function.name != choice.function.name for tool in offered or ()):
            raise InvalidRequest(
                "The chosen function is not among the tools.", param="tool_choice", code="unknown_tool"
            )
        native = ToolChoiceParam("tool", name=names.to_native(choice.function.name))
    elif choice == "required" and not offered:
        raise InvalidRequest("A call is required, but no tools are given.", param="tool_choice", code="unknown_tool")
    elif not offered or (choice is None and chat.parallel_tool_calls is not False):
        return None
    else:
        native = ToolChoiceParam(TOOL_CHOICES[choice or "auto"])  # type: ignore[arg-type]  # the table's own words
    native.disable_parallel_tool_use = chat.parallel_tool_calls is False and native.type != "none"
    return native


def to_json_tool(response_format: ResponseFormat, taken: list[ToolParam]) -> ToolParam:
    """The tool whose input is the client's JSON; its name is none of the client's."""
    schema, description, strict = _ANY_OBJECT, _JSON_DESCRIPTION, False
    if given := response_format.json_schema:
        description = f"{description} {given.description}" if given.description else description
        strict = bool(given.strict)
        if given.schema is not UNSET:
            schema = to_input_schema(given.schema, _FORMAT_SCHEMA)
            if schema != given.schema:  # merged branches would let through what the client's schema does not
                raise InvalidRequest(
                    'The schema must have "type": "object" and no anyOf, oneOf or allOf at its top.',
                    param=_FORMAT_SCHEMA,
                    code="unsupported_value",
                )
    name, names = JSON_TOOL, {tool.name for tool in taken}
    while name in names:
        name += "_"
    return ToolParam(name=name, description=description, input_schema=schema, strict=strict)


def force_json(choice: ToolChoiceParam | None, tools: list[ToolParam], json_tool: ToolParam) -> ToolChoiceParam | None:
    """Add the JSON tool, and choose so that the reply is JSON or a call that the client asked for.

    Where the client forces a call, its reply is that call and the tool is left out.
    """
    if choice is not None and choice.type in ("any", "tool"):
        return choice
    alone = not tools or (choice is not None and choice.type == "none")
    tools.append(json_tool)
    if alone:
        return ToolChoiceParam("tool", name=json_tool.name, disable_parallel_tool_use=True)
    return ToolChoiceParam("any", disable_parallel_tool_use=choice is not None and choice.disable_parallel_tool_use)


def declare_called(turns: list[MessageParam]) -> list[ToolParam]:
    """Tools for the calls of a history that comes without any: the native side refuses calls of no tool."""
    called = {
        block.name: None
        for turn in turns
        if turn.role == "assistant" and not isinstance(turn.content, str)
        for block in turn.content
        if isinstance(block, ToolUseBlockParam)
    }
    return [ToolParam(name=name, input_schema=EMPTY_SCHEMA) for name in called]
