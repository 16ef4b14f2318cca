"""Tools that a client sends in the native shape, including the service's own tools. They are passed on unchanged."""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.json_objects import NULL, decode_raw_list, read_object

# The type of the service's own tools ends in a version date, for example web_search_20260318.
_SERVER_TOOL: Final = re.compile(rb'"[a-z][a-z0-9_]*_[0-9]{8}"')
# The native types without a version date.
_UNDATED: Final = frozenset({b'"mcp_toolset"', b'"tool_search_tool_bm25"', b'"tool_search_tool_regex"'})

_encode = msgspec.json.Encoder().encode


class _Shape(Struct, gc=False):
    """What tells a native tool from one of chat completions."""

    type: Raw = NULL
    function: Raw = NULL
    input_schema: Raw = NULL


_decode_shapes = msgspec.json.Decoder(list[_Shape | None]).decode
_decode_shape = msgspec.json.Decoder(_Shape).decode


def take_native_tools(body: dict[str, Raw]) -> dict[int, Raw]:
    """Replace each tool in the native shape with null, and return these tools by index.

    If `tools` is not a list, nothing changes, and the request's decoder reports it.
    """
    listed = body.get("tools", NULL)
    try:
        tools = decode_raw_list(listed)
    except DECODE_ERRORS:
        return {}
    try:
        shapes: list[_Shape | None] = _decode_shapes(listed)
    except DECODE_ERRORS:  # one of them is no object, which the decoder of the request reports
        shapes = [*map(_shape_of, tools)]
    native = {index: tools[index] for index, shape in enumerate(shapes) if shape is not None and _is_native(shape)}
    if native:
        body["tools"] = Raw(_encode([NULL if index in native else tool for index, tool in enumerate(tools)]))
    return native


def _shape_of(tool: Raw) -> _Shape | None:
    try:
        return _decode_shape(tool)
    except DECODE_ERRORS:
        return None


def _is_native(shape: _Shape) -> bool:
    if shape.function is not NULL:
        return False
    if shape.input_schema is not NULL:
        return True
    kind = bytes(shape.type)
    return kind in _UNDATED or _SERVER_TOOL.fullmatch(kind) is not None


def read_native_tool(tool: Raw, path: str, max_depth: int) -> dict[str, Any]:
    """Decode a native tool. Raises `InvalidRequest` if its name is not a string."""
    decoded = read_object(tool, path, max_depth)
    if not isinstance(decoded.get("name", ""), str):
        raise InvalidRequest("Send a string.", param=f"{path}.name", code="invalid_type")
    if decoded.get("type") == "function" and "input_schema" in decoded:  # natively the type is "custom"
        decoded["type"] = "custom"
    return decoded
