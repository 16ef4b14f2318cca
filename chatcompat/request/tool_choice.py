"""`tool_choice`, `function_call` and `parallel_tool_calls` -> the tools to send and their `tool_choice`."""

from typing import Any, Final, Literal

from msgspec import Struct

from chatcompat.dialect import Dialect
from chatcompat.errors import InvalidRequest, missing_field
from chatcompat.request.structured_output import Output
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_native import NativeAny, NativeAuto, NativeNone, NativeTool
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.chat_tools import (
    AllowedTool,
    AllowedTools,
    AllowedToolsChoice,
    Named,
    NamedCustomChoice,
    NamedFunctionChoice,
)
from chatcompat.wire.messages import ToolChoiceParam, ToolParam

# The chat choice -> the native type. The choice of a named tool has the type `tool`.
TOOL_CHOICES: Final[dict[str, Literal["auto", "any", "none"]]] = {"auto": "auto", "none": "none", "required": "any"}

Tools = list[ToolParam | dict[str, Any]]


class ToolDecision(Struct):
    """The tools to send, the choice among them, and the fields that could not be honoured."""

    tools: Tools
    choice: ToolChoiceParam | None
    ignored: list[str]
    declares_called: bool = False  # whether tools that only occur in earlier calls are declared too

    @property
    def forces_call(self) -> bool:
        """Whether the model must call a tool."""
        return bool(self.tools) and _is_forced(self.choice)


def decide_tools(
    chat: ChatCompletionRequest, tools: Tools, names: ToolNames, output: Output, dialect: Dialect
) -> ToolDecision:
    """Decide which tools to send, and with which choice. `tools` are the client's allowed tools.

    If the client forces a call, it must be a call of one of its own tools, so the tool for structured output is left
    out. Raises `InvalidRequest`.
    """
    field = _choice_field(chat)
    wanted = _to_tool_choice(chat, names, field)
    decision = ToolDecision(tools, wanted, _surplus(chat), declares_called=not names.offered)
    if chat.tool_choice is not None is not chat.function_call and _chosen(chat.tool_choice) != _chosen(
        chat.function_call
    ):
        decision.ignored.append("tool_choice" if field == "function_call" else "function_call")
    if wanted is not None and _is_forced(wanted):
        if output.tool is not None and (wanted.type == "tool" or not dialect.forced_tools):
            # `tools` must be the same as in requests that force nothing: stored thinking and caches depend on that.
            decision.tools = [*tools, output.tool]
        if not dialect.forced_tools:
            decision.choice = ToolChoiceParam("auto", disable_parallel_tool_use=wanted.disable_parallel_tool_use)
            decision.ignored.append(field)
    elif output.tool is not None:
        decision.tools = [*tools, output.tool]
        decision.choice = _choose_json(wanted, tools, output, output.tool.name)
        if not output.forced and tools and wanted is not None and wanted.type == "none":
            decision.ignored.append(field)  # nothing keeps the model from calling the client's tools
    elif not names.offered:
        decision.choice = ToolChoiceParam("none")
    if not dialect.exact_tool_choice:
        _emulate(decision, chat)
    return decision


def _is_forced(choice: ToolChoiceParam | None) -> bool:
    return choice is not None and choice.type in ("any", "tool")


def _choose_json(wanted: ToolChoiceParam | None, tools: Tools, output: Output, name: str) -> ToolChoiceParam:
    """The choice that makes the reply either JSON or a call of the client's tools."""
    alone = not tools or (wanted is not None and wanted.type == "none")
    one_call = alone or (wanted is not None and wanted.disable_parallel_tool_use)
    if not output.forced:
        return ToolChoiceParam("auto", disable_parallel_tool_use=one_call)
    if alone:
        return ToolChoiceParam("tool", name=name, disable_parallel_tool_use=True)
    return ToolChoiceParam("any", disable_parallel_tool_use=one_call)


def _emulate(decision: ToolDecision, chat: ChatCompletionRequest) -> None:
    """Emulate `tool_choice` for a service that does not enforce it: send only the tools that may be called."""
    choice = decision.choice
    if choice is None or not (decision.tools or decision.declares_called):
        return
    if choice.type == "none":
        decision.tools, decision.declares_called = [], False
        return
    if choice.type == "tool":
        decision.tools = [tool for tool in decision.tools if _native_name(tool) == choice.name]
        decision.declares_called = False
    decision.choice = ToolChoiceParam("auto" if choice.type == "auto" else "any")
    if chat.parallel_tool_calls is False:
        decision.ignored.append("parallel_tool_calls")
    if _disables_parallel(chat):
        decision.ignored.append("tool_choice.disable_parallel_tool_use")


def _native_name(tool: ToolParam | dict[str, Any]) -> str | None:
    return tool.get("name") if isinstance(tool, dict) else tool.name


def _choice_field(chat: ChatCompletionRequest) -> str:
    """The field that is read. Of two, it is the one in the form of the tools."""
    if chat.tool_choice is None:
        return "function_call" if chat.functions or chat.function_call is not None else "tool_choice"
    return "function_call" if chat.functions and chat.function_call is not None else "tool_choice"


def _chosen(choice: object) -> object:
    """What a choice says, in a form that can be compared."""
    match choice:
        case NamedFunctionChoice(function=Named(name)) | NamedCustomChoice(custom=Named(name)) | NativeTool(name):
            return Named(name)
        case NamedFunctionChoice(name=str(name)) | NamedCustomChoice(name=str(name)):
            return Named(name)
        case NativeAuto() | NativeNone():
            return "auto" if isinstance(choice, NativeAuto) else "none"
    return choice


def _to_tool_choice(chat: ChatCompletionRequest, names: ToolNames, field: str) -> ToolChoiceParam | None:
    """The native choice, or None for the default. `names.offered` holds the client's tools."""
    if field == "function_call":
        return _from_function_call(chat.function_call, names)
    if chat.tool_choice is None and chat.parallel_tool_calls is not False:  # most requests
        return None
    parallel = chat.parallel_tool_calls is not False and not _disables_parallel(chat)
    match chat.tool_choice:
        case NamedFunctionChoice(function=Named(name)) | NamedCustomChoice(custom=Named(name)) | NativeTool(name):
            choice = _named(name, names, "tool_choice")
        case NamedFunctionChoice() | NamedCustomChoice() as flat:
            choice = _named(_flat_name(flat), names, "tool_choice")
        case "required" | NativeAny() if not names.offered:
            raise InvalidRequest(
                "A tool call is required, but the request has no tools. Send tools, or another tool_choice.",
                param="tool_choice",
                code="unknown_tool",
            )
        case NativeAuto():
            choice = ToolChoiceParam("auto")
        case NativeAny():
            choice = ToolChoiceParam("any")
        case NativeNone():
            choice = ToolChoiceParam("none")
        case AllowedToolsChoice() as listed:
            choice = ToolChoiceParam(TOOL_CHOICES[_allowed(listed)[0].mode])
        case word:
            choice = ToolChoiceParam(TOOL_CHOICES[word or "auto"])
    if not names.offered:
        return None
    choice.disable_parallel_tool_use = (not parallel or bool(chat.functions)) and choice.type != "none"
    return choice


def _disables_parallel(chat: ChatCompletionRequest) -> bool:
    """Return whether a native `tool_choice` allows only one call at a time."""
    native = chat.tool_choice
    return isinstance(native, NativeAuto | NativeAny | NativeTool) and bool(native.disable_parallel_tool_use)


def _flat_name(choice: NamedFunctionChoice | NamedCustomChoice) -> str:
    """The name directly in a choice, as in the vendor's newer API."""
    if choice.name is None:
        field = "function" if isinstance(choice, NamedFunctionChoice) else "custom"
        raise missing_field(f"tool_choice.{field}")
    return choice.name


def _from_function_call(call: Literal["none", "auto"] | Named | None, names: ToolNames) -> ToolChoiceParam | None:
    """Convert a legacy choice. Its reply has room for a single call."""
    if isinstance(call, Named):
        choice = _named(call.name, names, "function_call")
    elif not names.offered:
        return None
    else:
        choice = ToolChoiceParam(TOOL_CHOICES[call or "auto"])
    choice.disable_parallel_tool_use = choice.type != "none"
    return choice


def _named(name: str, names: ToolNames, path: str) -> ToolChoiceParam:
    if name not in names.offered:
        raise InvalidRequest(
            "The chosen tool is not one of the request's tools. Add it to them, or choose one of them.",
            param=path,
            code="unknown_tool",
        )
    return ToolChoiceParam("tool", name=names.to_native(name))


def allowed_names(chat: ChatCompletionRequest, names: ToolNames) -> frozenset[str] | None:
    """The names in an `allowed_tools` choice, or None for any other choice."""
    if not isinstance(chat.tool_choice, AllowedToolsChoice):
        return None
    allowed, path = _allowed(chat.tool_choice)
    listed = [_name_of(tool) for tool in allowed.tools]
    for index, name in enumerate(listed):
        if name not in names.offered:
            raise InvalidRequest(
                "The allowed tool is not one of the request's tools. Add it to them, or leave it out here.",
                param=f"{path}.tools[{index}]",
                code="unknown_tool",
            )
    return frozenset(listed)


def _allowed(choice: AllowedToolsChoice) -> tuple[AllowedTools, str]:
    """The mode and the tools of a choice, and their path. They may be nested, or directly in the choice."""
    if choice.allowed_tools is not None:
        return choice.allowed_tools, "tool_choice.allowed_tools"
    if choice.mode is None and choice.tools is None:
        raise missing_field("tool_choice.allowed_tools")
    if choice.mode is None or choice.tools is None:
        raise missing_field(f"tool_choice.{'mode' if choice.mode is None else 'tools'}")
    return AllowedTools(choice.mode, choice.tools), "tool_choice"


def _name_of(tool: AllowedTool) -> str:
    named = tool.function or tool.custom
    return named.name if named is not None else tool.name or ""


def _surplus(chat: ChatCompletionRequest) -> list[str]:
    """The paths of fields directly in a choice that differ from its nested object, which wins."""
    match chat.tool_choice:
        case NamedFunctionChoice(function=Named() as nested) | NamedCustomChoice(custom=Named() as nested) as choice:
            fields: tuple[str, ...] = ("name",)
        case AllowedToolsChoice(allowed_tools=AllowedTools() as nested) as choice:
            fields = ("mode", "tools")
        case _:
            return []
    return [f"tool_choice.{name}" for name in fields if getattr(choice, name) not in (None, getattr(nested, name))]
