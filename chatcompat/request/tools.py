"""Tools of all kinds -> native tools."""

from collections.abc import Mapping
from operator import methodcaller
from typing import Any, Final, assert_never

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import astuple

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest
from chatcompat.request.context import RequestContext
from chatcompat.request.decoded import Decoded
from chatcompat.request.known_tools import KnownTools, UsualTools, remember
from chatcompat.request.native_tools import read_native_tool
from chatcompat.request.strict_schema import CLOSED_SCHEMA, StrictSchema
from chatcompat.request.tool_choice import Tools, allowed_names
from chatcompat.request.tool_names import ToolNames, is_native
from chatcompat.request.tool_schema import EMPTY_SCHEMA, to_input_schema, to_plain_schema
from chatcompat.request.tool_shapes import name_of, set_native_fields, to_custom, to_function, to_grammar
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.chat_tools import (
    CustomDefinition,
    CustomTool,
    FunctionDefinition,
    FunctionTool,
    GrammarFormat,
    WebSearchOptions,
)
from chatcompat.wire.messages import MessageParam, ToolParam, ToolUseBlockParam

# A custom tool takes free text. Natively it becomes a tool with a single string.
_FREE_TEXT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}

WEB_SEARCH: Final = "web_search"

_copy: Final = methodcaller("__copy__")  # a fourth of the time of `copy.copy`
_encode = msgspec.json.Encoder().encode


def to_tools(decoded: Decoded, names: ToolNames, context: RequestContext, dialect: Dialect) -> Tools:
    """Convert the tools in order. Raises `InvalidRequest`.

    A tool is converted in the same way whichever other tools `tool_choice` allows, since prompt caches and thinking
    depend on its bytes. So a tool that is not allowed counts towards the limits on strict tools.
    """
    chat, native, depth = decoded.whole(), decoded.native_tools, context.bounds.depth
    known = None if decoded.known_tools is None else _to_usual_tools(decoded.known_tools, depth)
    if known is not None and known.by_name and (usual_tools := _to_known(chat, known.by_name, names)):
        return usual_tools
    if chat.functions and chat.tools:
        raise InvalidRequest(
            "The request has tools too. Send tools or functions, not both.", param="functions", code="invalid_value"
        )
    named = _named_tools(chat, native, depth)
    if chat.web_search_options is not None:
        if WEB_SEARCH in named:
            raise InvalidRequest(
                "Another tool is already named web_search. Rename it, or leave this field out.",
                param="web_search_options",
                code="duplicate_tool",
            )
        named[WEB_SEARCH] = _to_web_search(chat.web_search_options, dialect, context), "web_search_options", None
    names.offered = named.keys()
    allowed = allowed_names(chat, names)
    unsent = RequestContext([], context.bounds, context.strict)
    tools: Tools = []
    for name, (tool, field, index) in named.items():
        is_sent = allowed is None or name in allowed
        within = context if is_sent else unsent
        if isinstance(tool, dict):
            converted: ToolParam | dict[str, Any] = _to_native(tool, index, within)
        else:
            if known is not None and field == "tools" and index is not None:
                found = known.tools[index]
                usual = None if found is None else _copy(found)
            else:
                usual = None if isinstance(tool, CustomTool) else _to_usual(tool, depth)
            if usual is not None:
                usual.name = names.to_native(name)
            converted = usual or _to_tool(tool, field if index is None else f"{field}[{index}]", names, within, dialect)
        if is_sent:
            tools.append(converted)
    if unsent.breakpoints:
        context.ignored.append("cache_control")
    return tools


def _to_web_search(options: WebSearchOptions, dialect: Dialect, context: RequestContext) -> dict[str, Any]:
    """The service's own web search, which has no equivalent of `search_context_size`."""
    if dialect.web_search is None:
        raise InvalidRequest(
            "Not supported: this service offers no web search. Leave it out.",
            param="web_search_options",
            code="unsupported_parameter",
        )
    if options.search_context_size not in (None, "medium"):
        context.ignored.append("web_search_options.search_context_size")
    tool: dict[str, Any] = {"type": dialect.web_search, "name": WEB_SEARCH}
    if options.user_location is not None:
        location = msgspec.to_builtins(options.user_location.approximate)
        tool["user_location"] = {"type": "approximate", **location}
    return tool


Definition = FunctionTool | CustomTool | FunctionDefinition | dict[str, Any]
Named = dict[str, tuple[Definition, str, int | None]]
"""By name: each tool with its field and its index. A native toolset has no name, so its path is used."""

# The fields beside `function`, for a function tool in the usual shape.
_NONE_BESIDE: Final = astuple(FunctionTool())[1:]
# The fields after `strict`, for a function without native fields.
_NO_NATIVE: Final = astuple(FunctionDefinition(""))[4:]


def _named_tools(chat: ChatCompletionRequest, native: Mapping[int, Raw], max_depth: int) -> Named:
    named: Named = {}
    for field, tools in (("tools", chat.tools), ("functions", chat.functions)):
        for index, listed in enumerate(tools or ()):
            tool: Definition | None = listed
            if native and field == "tools" and index in native:
                path = f"tools[{index}]"
                tool = read_native_tool(native[index], path, max_depth)
                name = str(tool.get("name", path))
            elif isinstance(tool, FunctionTool) and tool.function is not None:
                name = tool.function.name
            else:
                name = _name_of(tool, f"{field}[{index}]")
            if not name:
                raise InvalidRequest("A tool needs a name. Add one.", param=f"{field}[{index}]", code="invalid_value")
            if name in named:
                raise InvalidRequest(
                    "Another tool already has this name. Rename one of them.",
                    param=f"{field}[{index}]",
                    code="duplicate_tool",
                )
            assert tool is not None  # noqa: S101 - `_name_of` refuses None
            named[name] = tool, field, index
    return named


def _name_of(tool: Definition | None, path: str) -> str:
    match tool:
        case FunctionTool() | CustomTool():
            return name_of(tool, path)
        case FunctionDefinition():
            return tool.name
        case _:
            raise InvalidRequest("Send a tool as an object, not null.", param=path, code="invalid_type")


def _to_tool(
    tool: FunctionTool | CustomTool | FunctionDefinition,
    path: str,
    names: ToolNames,
    context: RequestContext,
    dialect: Dialect,
) -> ToolParam:
    match tool:
        case FunctionTool():
            function, within = to_function(tool, path, context)
            native = _to_function(function, within, "tools[].function", names, context)
            set_native_fields(native, ((tool, path), (function, within)), dialect, context)
            context.add_breakpoint(native, tool.cache_control or function.cache_control)
            if function.cache_control not in (None, tool.cache_control) and tool.cache_control is not None:
                context.ignored.append("tools[].function.cache_control")
        case CustomTool():
            native = _to_custom(*to_custom(tool, path, context), names, context)
            context.add_breakpoint(native, tool.cache_control)
        case FunctionDefinition():
            native = _to_function(tool, path, "functions[]", names, context)
            set_native_fields(native, ((tool, path),), dialect, context)
            context.add_breakpoint(native, tool.cache_control)
        case _:
            assert_never(tool)
    return native


def _to_native(tool: dict[str, Any], index: int | None, context: RequestContext) -> dict[str, Any]:
    """A tool in the native shape, which may be a web search of our own without an index."""
    if "cache_control" in tool:
        context.take_mark(tool, f"tools[{index}]")
    if tool.get("strict") is True:
        _compile_native(tool, context)
    return tool


def _to_known(chat: ChatCompletionRequest, usual: dict[str, ToolParam], names: ToolNames) -> Tools | None:
    """Usual tools as they are; None where the request says more about them."""
    if chat.functions or chat.web_search_options is not None:
        return None
    names.offered = usual.keys()
    if allowed_names(chat, names) is not None:
        return None
    return [*map(_copy, usual.values())]  # they may get marks


def _to_usual_tools(known: KnownTools, max_depth: int) -> UsualTools:
    """Convert functions that have no more than most, once for as long as they are known. Their names stay."""
    usual = known.usual
    if usual is not None and usual.max_depth == max_depth:
        return usual
    tools: list[ToolParam | None] = []
    by_name: dict[str, ToolParam] = {}
    for tool in known.listed or ():
        native = None
        if isinstance(tool, FunctionTool) and (native := _to_usual(tool, max_depth)) is not None:
            native.input_schema = Raw(_encode(native.input_schema))
            if is_native(native.name):
                by_name[native.name] = native
        tools.append(native)
    known.usual = usual = UsualTools(max_depth, tools, by_name if len(by_name) == len(tools) else None)
    if usual.by_name:
        remember(known)
    return usual


def _to_usual(tool: FunctionTool | FunctionDefinition, max_depth: int) -> ToolParam | None:
    """Convert a function with only a name, a description and a plain schema. None for any other. The name stays."""
    function: FunctionDefinition | None
    if isinstance(tool, FunctionDefinition):
        function = tool
    else:
        function = tool.function if astuple(tool)[1:] == _NONE_BESIDE else None
    if function is None or function.strict:
        return None
    if astuple(function)[4:] != _NO_NATIVE:
        return None
    schema = to_plain_schema(function.parameters, max_depth)
    if schema is None:
        return None
    return ToolParam(function.name, schema, function.description or UNSET)


def _to_function(
    function: FunctionDefinition, path: str, reported: str, names: ToolNames, context: RequestContext
) -> ToolParam:
    """Convert a function; `reported` is its path in the report, without an index."""
    schema = to_input_schema(function.parameters, f"{path}.parameters", context.bounds)
    tool = ToolParam(names.to_native(function.name), schema, function.description or UNSET)
    if function.strict:
        compiled = context.strict.for_tool(schema)
        if compiled is not None:
            tool.strict, tool.input_schema = True, compiled.schema
        _report_strict(compiled, reported, "parameters", context)
    return tool


def _compile_native(tool: dict[str, Any], context: RequestContext) -> None:
    """Compile the schema of a strict tool in the native shape. The service's own tools have no schema."""
    schema = tool.get("input_schema")
    compiled = context.strict.for_tool(schema if isinstance(schema, dict) else CLOSED_SCHEMA)
    if compiled is None:
        del tool["strict"]
    elif isinstance(schema, dict):
        tool["input_schema"] = compiled.schema
    _report_strict(compiled, "tools[]", "input_schema", context)


def _report_strict(compiled: StrictSchema | None, path: str, schema: str, context: RequestContext) -> None:
    if compiled is None:
        context.ignored.append(f"{path}.strict")
    elif compiled.described:
        context.ignored.append(f"{path}.{schema}")


def _to_custom(custom: CustomDefinition, path: str, names: ToolNames, context: RequestContext) -> ToolParam:
    """Convert to a tool with one string. A grammar moves to the description, and is reported: it is not enforced."""
    name, description = names.to_native(custom.name), custom.description or ""
    names.custom.add(name)
    if isinstance(custom.format, GrammarFormat):
        grammar = to_grammar(custom.format, f"{path}.format")
        context.ignored.append("tools[].custom.format")
        description = f"{description}\n\nThe input follows this {grammar.syntax} grammar:\n{grammar.definition}".strip()
    return ToolParam(name=name, description=description or UNSET, input_schema=_FREE_TEXT)


def declare_called(turns: list[MessageParam], declared: Tools) -> Tools:
    """Declare the tools of earlier calls, because the native API refuses a call of an undeclared tool."""
    known = {tool.name for tool in declared if isinstance(tool, ToolParam)}
    called = {
        block.name: None
        for turn in turns
        if turn.role == "assistant" and not isinstance(turn.content, str)
        for block in turn.content
        if isinstance(block, ToolUseBlockParam) and block.name not in known
    }
    return [ToolParam(name=name, input_schema=EMPTY_SCHEMA) for name in called]
