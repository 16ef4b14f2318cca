"""The body of a chat request -> its structs, or an `InvalidRequest` that says what is wrong and where."""

import re
from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS, InvalidRequest
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds
from chatcompat.request.native_tools import take_native_tools
from chatcompat.request.unknown_fields import without_unknown
from chatcompat.wire.chat_request import ChatCompletionRequest
from chatcompat.wire.utf8 import require_utf8

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode

_UNKNOWN_FIELD: Final = "unknown field"  # in the decoder's error

# msgspec's messages for JSON, as "SENTENCE - at `$.PATH`". In a path are the names of our own fields and indices, and
# `[...]` for a key that the client made. The path is the end: a sentence may quote the client, and look like one.
_AT: Final = " - at `"
_PATH: Final = re.compile(r"(?:key in )?\$\.?((?:\.?\w++|\[(?:\d++|\.\.\.)\])*+)`", re.ASCII)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`", re.ASCII)
_QUOTING: Final = ("Invalid value", "Invalid enum value")
_TYPE: Final = "(?:object|array|str|int|float|bool|null)"
_EXPECTING: Final = re.compile(
    rf"Expected `{_TYPE}(?: \| {_TYPE})*+`(?:, got `{_TYPE}`| (?:of length )?+[<>]=? -?[\d.]++)?+"
)
_OUT_OF_RANGE: Final = re.compile(r"(?:Integer value|Number) out of range")

# What an error may repeat of a `role` or `type`: words of the two APIs, each of which is refused somewhere.
_KNOWN_WORDS: Final = frozenset(
    {
        *("system", "developer", "user", "assistant", "tool", "function", "model"),
        *("text", "refusal", "image_url", "file", "input_audio", "audio", "video", "video_url", "input_video"),
        *("input_text", "output_text", "input_image", "input_file", "image", "document", "search_result"),
        *("thinking", "redacted_thinking", "reasoning", "tool_use", "tool_result", "server_tool_use"),
        *("function_call", "function_call_output", "custom", "allowed_tools", "mcp", "web_search", "file_search"),
        *("code_interpreter", "computer_use_preview", "image_generation", "json_object", "json_schema", "any"),
    }
)


class Decoded(msgspec.Struct):
    """A request, and what stood in it beside the fields of its type."""

    chat: ChatCompletionRequest
    unknown: list[str] = []  # places of unknown fields
    native_tools: dict[int, Raw] = {}  # tools in the native shape, by their index


def decode_chat_request(body: bytes, bounds: RequestBounds = DEFAULT_BOUNDS) -> Decoded:
    """Decode the body of a request; raises `InvalidRequest`."""
    try:
        try:
            return Decoded(_decode(body))
        except msgspec.ValidationError as error:
            if _UNKNOWN_FIELD not in str(error) and "$.tools[" not in str(error):
                raise
        require_utf8(body)
        ours, native_tools = take_native_tools(body)
        known, unknown = without_unknown(ours, bounds)
        try:
            return Decoded(_decode(known), unknown, native_tools)
        except msgspec.ValidationError as error:
            raise _without_name(error) from None
    except DECODE_ERRORS as error:
        raise _why(error, body) from None


def _without_name(error: msgspec.ValidationError) -> msgspec.ValidationError:
    """The error for an object whose tag is none of ours: its unknown fields stay in it, and say nothing."""
    sentence, at, path = str(error).rpartition(_AT)
    return msgspec.ValidationError(f"Invalid value{at}{path}") if _UNKNOWN_FIELD in sentence else error


def _why(error: Exception, body: bytes) -> InvalidRequest:
    """Why a body cannot be decoded: what is no text is no JSON either, and says more."""
    try:
        require_utf8(body)
    except UnicodeDecodeError as no_text:
        error = no_text
    return to_invalid_request(error)


def to_invalid_request(error: Exception) -> InvalidRequest:
    """A decoder's error as a sentence for the client: what was expected, where, and nothing that it sent."""
    if isinstance(error, RecursionError):
        return InvalidRequest("The request is nested too deeply.", code="nested_too_deeply")
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest("The request is not valid UTF-8.", code="invalid_utf8")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRequest("The request is not valid JSON.", code="invalid_json")
    sentence, param = str(error), ""
    before, _, path = sentence.rpartition(_AT)
    if found := _PATH.fullmatch(path):
        sentence, param = before, found[1]
    if missing := _MISSING.fullmatch(sentence):
        param = f"{param}.{missing[1]}" if param else missing[1]
        return InvalidRequest("A required field is missing.", param=param, code="missing_required_parameter")
    if sentence.startswith(_QUOTING):
        word = sentence.partition("value ")[2][1:-1]  # without its quotation marks
        named = f" {word!r}" if word in _KNOWN_WORDS else ""
        return InvalidRequest(
            f"The value{named} is not supported here.",
            param=param.removesuffix(".type") or None,
            code="unsupported_value",
        )
    if not (_EXPECTING.fullmatch(sentence) or _OUT_OF_RANGE.fullmatch(sentence)):
        sentence = "This is not valid here"  # a message of another release; it may quote the client
    code = "invalid_type" if ", got " in sentence else "invalid_value"  # a range says what it wants alone
    return InvalidRequest(f"{sentence.replace('`', '')}.", param=param or None, code=code)
