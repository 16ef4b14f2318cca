"""The two shapes of a function or custom tool, and the native fields of a function.

The chat API nests a definition (`{"type": "function", "function": {"name": ...}}`). Clients of the vendor's newer API
put its fields directly on the tool (`{"type": "function", "name": ...}`). If a client sends both, the nested one wins.
"""

from typing import Any, Final

from msgspec import UNSET, Raw, UnsetType

from chatcompat.dialect import Dialect
from chatcompat.errors import missing_field
from chatcompat.request.context import RequestContext
from chatcompat.request.json_objects import NULL, require_objects
from chatcompat.wire.chat_native import NativeToolFields
from chatcompat.wire.chat_tools import (
    CustomDefinition,
    CustomTool,
    FunctionDefinition,
    FunctionTool,
    Grammar,
    GrammarFormat,
)
from chatcompat.wire.messages import ToolParam
from chatcompat.wire.utf8 import require_utf8

_FLAT_FUNCTION: Final = ("name", "description", "parameters", "strict")
_FLAT_CUSTOM: Final = ("name", "description", "format")
_NATIVE_FIELDS: Final = NativeToolFields.__struct_fields__


def name_of(tool: FunctionTool | CustomTool, path: str) -> str:
    """Return the name of a tool. Raises `InvalidRequest` if the tool has no definition."""
    nested, field = (tool.function, "function") if isinstance(tool, FunctionTool) else (tool.custom, "custom")
    if nested is not None:
        return nested.name
    if tool.name is None:
        raise missing_field(f"{path}.{field}")
    return tool.name


def to_function(tool: FunctionTool, path: str, context: RequestContext) -> tuple[FunctionDefinition, str]:
    """Return the definition of a function tool, and its path."""
    if tool.function is None:
        return FunctionDefinition(tool.name or "", tool.description, tool.parameters, tool.strict), path
    _report_flat(tool, tool.function, _FLAT_FUNCTION, context)
    return tool.function, f"{path}.function"


def to_custom(tool: CustomTool, path: str, context: RequestContext) -> tuple[CustomDefinition, str]:
    """Return the definition of a custom tool, and its path."""
    if tool.custom is None:
        return CustomDefinition(tool.name or "", tool.description, tool.format), path
    _report_flat(tool, tool.custom, _FLAT_CUSTOM, context)
    return tool.custom, f"{path}.custom"


def to_grammar(form: GrammarFormat, path: str) -> Grammar:
    """Return the grammar of a custom tool's format. Raises `InvalidRequest` if it has none."""
    if form.grammar is not None:
        return form.grammar
    if form.definition is None or form.syntax is None:
        raise missing_field(f"{path}.grammar")
    return Grammar(form.definition, form.syntax)


def _report_flat(
    tool: FunctionTool | CustomTool,
    nested: FunctionDefinition | CustomDefinition,
    names: tuple[str, ...],
    context: RequestContext,
) -> None:
    """Report the fields directly on a tool that differ from its nested definition."""
    for name in names:
        value = getattr(tool, name)
        if isinstance(value, Raw):
            require_utf8(value)
        if value not in (None, UNSET, NULL) and _plain(value) != _plain(getattr(nested, name)):
            context.ignored.append(f"tools[].{name}")


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, Raw) else value


# ---------------------------------------------------------------- native fields


def set_native_fields(
    tool: ToolParam,
    sources: tuple[tuple[NativeToolFields, str], ...],
    dialect: Dialect,
    context: RequestContext,
) -> None:
    """Copy the native fields that the dialect lists. `sources` are structs with their paths. The first wins."""
    for name in _NATIVE_FIELDS:
        found: UnsetType | list[dict[str, Any]] | list[str] | bool = UNSET
        for source, path in sources:
            value = getattr(source, name)
            if value is None:
                continue
            reported = f"{path.partition('[')[0]}[]{path.partition(']')[2]}.{name}"
            if name not in dialect.native_tool_fields:
                context.ignored.append(reported)
                continue
            if name == "input_examples":
                value = require_objects(value, "examples", f"{path}.{name}", context.bounds)
            if found is UNSET:
                found = value
            elif found != value:
                context.ignored.append(reported)
        if found is not UNSET:
            setattr(tool, name, found)
