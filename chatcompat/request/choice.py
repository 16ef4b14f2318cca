"""`tool_choice`, `function_call` and `parallel_tool_calls` -> `tool_choice`."""

from typing import Any, Final, Literal

from msgspec import UNSET

from chatcompat.chat import (
    AllowedTool,
    AllowedToolsChoice,
    ChatCompletionRequest,
    Named,
    NamedCustomChoice,
    NamedFunctionChoice,
)
from chatcompat.errors import InvalidRequest
from chatcompat.messages import MessagesRequest, ToolChoiceParam, ToolParam
from chatcompat.request.names import ToolNames

# A choice as a word -> the native type; a named tool is `tool`.
TOOL_CHOICES: Final[dict[str, Literal["auto", "any", "none"]]] = {"auto": "auto", "none": "none", "required": "any"}


def to_tool_choice(chat: ChatCompletionRequest, names: ToolNames) -> ToolChoiceParam | None:
    """The native choice, or nothing where there is nothing to say; `names.offered` has the client's tools."""
    if chat.functions is not None or chat.function_call is not None:
        return _from_function_call(chat.function_call, names)
    parallel = chat.parallel_tool_calls is not False
    match chat.tool_choice:
        case NamedFunctionChoice(Named(name)) | NamedCustomChoice(Named(name)):
            choice = _named(name, names, "tool_choice")
        case AllowedToolsChoice(allowed):
            choice = ToolChoiceParam(TOOL_CHOICES[allowed.mode])
        case "required" if not names.offered:
            raise InvalidRequest(
                "A call is required, but no tools are given.", param="tool_choice", code="unknown_tool"
            )
        case None if parallel:
            return None
        case word:
            choice = ToolChoiceParam(TOOL_CHOICES[word or "auto"])
    if not names.offered:
        return None
    choice.disable_parallel_tool_use = not parallel and choice.type != "none"
    return choice


def unforce(choice: ToolChoiceParam, chat: ChatCompletionRequest, ignored: list[str]) -> ToolChoiceParam:
    """A choice that leaves the call to the model, for a service that takes no forced one; reported."""
    ignored.append("tool_choice" if chat.function_call is None else "function_call")
    return ToolChoiceParam("auto", disable_parallel_tool_use=choice.disable_parallel_tool_use)


def loosen(request: MessagesRequest, chat: ChatCompletionRequest, ignored: list[str]) -> None:
    """Leave only those tools that may be called, for a service that does not keep to a choice among them."""
    choice, tools = request.tool_choice, request.tools
    if choice is UNSET or tools is UNSET:
        return
    if choice.type == "none":
        request.tools = request.tool_choice = UNSET
        return
    if choice.type == "tool":
        request.tools = [tool for tool in tools if _native_name(tool) == choice.name]
    request.tool_choice = ToolChoiceParam("auto" if choice.type == "auto" else "any")
    if chat.parallel_tool_calls is False:
        ignored.append("parallel_tool_calls")


def _native_name(tool: ToolParam | dict[str, Any]) -> str | None:
    return tool.get("name") if isinstance(tool, dict) else tool.name


def _from_function_call(call: Literal["none", "auto"] | Named | None, names: ToolNames) -> ToolChoiceParam | None:
    """A legacy choice; its replies have room for one call only."""
    if isinstance(call, Named):
        choice = _named(call.name, names, "function_call")
    elif not names.offered:
        return None
    else:
        choice = ToolChoiceParam(TOOL_CHOICES[call or "auto"])
    choice.disable_parallel_tool_use = choice.type != "none"
    return choice


def _named(name: str, names: ToolNames, place: str) -> ToolChoiceParam:
    if name not in names.offered:
        raise InvalidRequest("The chosen tool is not among the tools.", param=place, code="unknown_tool")
    return ToolChoiceParam("tool", name=names.to_native(name))


def allowed_names(chat: ChatCompletionRequest, names: ToolNames) -> frozenset[str] | None:
    """The tools that an `allowed_tools` choice leaves, or nothing where there is no such choice."""
    if not isinstance(chat.tool_choice, AllowedToolsChoice):
        return None
    listed = [_name_of(tool) for tool in chat.tool_choice.allowed_tools.tools]
    for index, name in enumerate(listed):
        if name not in names.offered:
            raise InvalidRequest(
                "The allowed tool is not among the tools.",
                param=f"tool_choice.allowed_tools.tools[{index}]",
                code="unknown_tool",
            )
    return frozenset(listed)


def _name_of(tool: AllowedTool) -> str:
    named = tool.function or tool.custom
    return named.name if named is not None else tool.name or ""
