"""All free JSON of one request: schemas, arguments and native tools, which are decoded without a type."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Raw

from chatcompat.errors import InvalidRequest
from chatcompat.request.bounds import RequestBounds
from chatcompat.request.json_objects import count_brackets
from chatcompat.wire.chat_native import ToolUsePart
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest, ResponseFormat
from chatcompat.wire.chat_tools import FunctionTool

_LONG: Final = 512  # bytes of a message
_OTHERS: Final = bytes({*range(256)} - {*b"{[\\"})  # all bytes but brackets, and what an escape of one begins with


def has_little_json(body: bytes, messages: int, bounds: RequestBounds) -> bool:
    """Whether a body with so many messages is surely within the bounds of `check_free_json`, as nearly all are."""
    size = len(body)
    return size <= bounds.json_bytes and (
        size <= 2 * bounds.objects or _has_few_brackets(body, messages, bounds.objects)
    )


def check_free_json(chat: ChatCompletionRequest, native_tools: Mapping[int, Raw], bounds: RequestBounds) -> None:
    """Raise `InvalidRequest` if the free JSON of a request is too large, or has too many objects and lists.

    An object takes far more time and memory than its two brackets. Brackets in strings count too, since only decoding
    could tell them apart.
    """
    bytes_left, objects_left = max_bytes, max_objects = bounds.json_bytes, bounds.objects
    for path, source in _free_json(chat, native_tools):
        bytes_left -= len(source) if isinstance(source, str) else memoryview(source).nbytes
        if bytes_left < 0:
            raise InvalidRequest(
                f"Send at most {max_bytes} bytes in all schemas, arguments and native tools together.",
                param=path,
                code="json_too_large",
            )
        objects_left -= count_brackets(source, objects_left)
        if objects_left < 0:
            raise InvalidRequest(
                f"Send at most {max_objects} objects and lists in all schemas, arguments and native tools together.",
                param=path,
                code="too_many_objects",
            )


def _has_few_brackets(body: bytes, messages: int, most: int) -> bool:
    """Whether a body surely has at most so many objects and lists. If its messages are long, this takes too long."""
    return len(body) <= _LONG * messages and len(body.translate(None, _OTHERS)) <= most


def _free_json(chat: ChatCompletionRequest, native_tools: Mapping[int, Raw]) -> Iterator[tuple[str, Raw | str]]:
    """Each piece of free JSON, with its path."""
    for index, native in native_tools.items():
        yield f"tools[{index}]", native
    for index, tool in enumerate(chat.tools or ()):
        if isinstance(tool, FunctionTool):
            function, within = (tool, "parameters") if tool.function is None else (tool.function, "function.parameters")
            if isinstance(function.parameters, Raw):
                yield f"tools[{index}].{within}", function.parameters
    for index, legacy in enumerate(chat.functions or ()):
        if isinstance(legacy.parameters, Raw):
            yield f"functions[{index}].parameters", legacy.parameters
    if chat.response_format is not None:
        yield from _schemas(chat.response_format)
    for index, message in enumerate(chat.messages):
        if isinstance(message, AssistantMessage):
            yield from _calls(message, f"messages[{index}]")


def _schemas(response_format: ResponseFormat) -> Iterator[tuple[str, Raw]]:
    json_schema = response_format.json_schema
    if json_schema is not None and isinstance(json_schema.schema, Raw):
        yield "response_format.json_schema.schema", json_schema.schema
    for name, schema in (("schema", response_format.schema), ("value", response_format.value)):
        if isinstance(schema, Raw):
            yield f"response_format.{name}", schema


def _calls(message: AssistantMessage, path: str) -> Iterator[tuple[str, Raw | str]]:
    for position, call in enumerate(message.tool_calls or ()):
        if call.function is not None and call.function.arguments:
            yield f"{path}.tool_calls[{position}].function.arguments", call.function.arguments_text()
    if message.function_call is not None and message.function_call.arguments:
        yield f"{path}.function_call.arguments", message.function_call.arguments_text()
    content = message.content
    for position, part in enumerate(content if isinstance(content, list) else ()):
        if isinstance(part, ToolUsePart) and isinstance(part.input, Raw):
            yield f"{path}.content[{position}].input", part.input
