"""The body of a chat request -> structs, or an `InvalidRequest` that says what is wrong and where."""

import re
from typing import Final

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS, InvalidRequest, missing_field
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds
from chatcompat.request.free_json import check_free_json
from chatcompat.request.lenient import lone_surrogate, with_strict_forms
from chatcompat.request.native_tools import take_native_tools
from chatcompat.request.unknown_fields import without_unknown
from chatcompat.wire.chat_request import AssistantMessage, ChatCompletionRequest
from chatcompat.wire.utf8 import require_utf8

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode

_UNKNOWN_FIELD: Final = "unknown field"  # in the decoder's error

# msgspec's messages have the form "SENTENCE - at `$.PATH`". A path holds names of struct fields, indexes, and `[...]`
# for a key of the client's. Only the end is read as the path, because a sentence may quote text that looks like one.
_AT: Final = " - at `"
_PATH: Final = re.compile(r"(?:key in )?\$\.?((?:\.?\w++|\[(?:\d++|\.\.\.)\])*+)`", re.ASCII)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`", re.ASCII)
_QUOTING: Final = ("Invalid value", "Invalid enum value")
_TYPE: Final = "(?:object|array|str|int|float|bool|null)"
_EXPECTING: Final = re.compile(
    rf"Expected `{_TYPE}(?: \| {_TYPE})*+`(?:, got `{_TYPE}`| (?:of length )?+[<>]=? -?[\d.]++)?+"
)
_OUT_OF_RANGE: Final = re.compile(r"(?:Integer value|Number) out of range")

# The values of `role` and `type` that an error may repeat: words of the two APIs that are refused somewhere.
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
    """A request, its unknown fields and its native tools, and the kept thinking that was restored in it."""

    chat: ChatCompletionRequest
    unknown: list[str] = []  # paths of unknown fields
    native_tools: dict[int, Raw] = {}  # tools in the native shape, by index
    restored: dict[int, bytes] = {}  # the digest of the prefix of each restored thinking, by index of its message
    native_ids: dict[int, list[str]] = {}  # the ids of the calls of restored turns, which clients may have changed
    thinking_lost: bool = False  # whether thinking that the client does not have is left out

    def forget_restored(self) -> None:
        """Leave out all restored thinking."""
        for index in self.restored:
            turn = self.chat.messages[index]
            assert isinstance(turn, AssistantMessage)  # noqa: S101 - nothing else has thinking
            turn.reasoning_details = None
        self.restored, self.native_ids, self.thinking_lost = {}, {}, True


def decode_chat_request(body: bytes, bounds: RequestBounds = DEFAULT_BOUNDS) -> Decoded:
    """Decode the body of a request.

    Args:
        body: The JSON body.
        bounds: The limits on the request.

    Raises:
        InvalidRequest: If the body is not a valid request. `param` names the field.
    """
    try:
        decoded = Decoded(_decode(body))
    except msgspec.ValidationError:  # an unknown field, a native tool, or a value in another form
        decoded = _decode_leniently(body, bounds)
    except DECODE_ERRORS as error:
        raise _why(error, body) from None
    if len(body) > min(bounds.json_bytes, 2 * bounds.objects):  # a smaller one cannot have so much
        check_free_json(decoded.chat, decoded.native_tools, bounds)
    return decoded


def _decode_leniently(body: bytes, bounds: RequestBounds) -> Decoded:
    try:
        require_utf8(body)
        remaining, native_tools = take_native_tools(body)
        known, unknown = without_unknown(remaining, bounds)
        try:
            return Decoded(_decode(known), unknown, native_tools)
        except msgspec.ValidationError as error:
            rewritten = with_strict_forms(known)
            if rewritten == known:  # nothing was in another form
                raise _without_name(error) from None
        try:
            return Decoded(_decode(rewritten), unknown, native_tools)
        except msgspec.ValidationError as error:
            raise _without_name(error) from None
    except DECODE_ERRORS as error:
        raise _why(error, body) from None


def _without_name(error: msgspec.ValidationError) -> msgspec.ValidationError:
    """Replace an error about an unknown field that is left in an object with an unknown tag: the tag is the fault."""
    sentence, at, path = str(error).rpartition(_AT)
    return msgspec.ValidationError(f"Invalid value{at}{path}") if _UNKNOWN_FIELD in sentence else error


def _why(error: Exception, body: bytes) -> InvalidRequest:
    """The reason why a body cannot be decoded: invalid UTF-8 first, since it may be the cause of the JSON error."""
    try:
        require_utf8(body)
    except UnicodeDecodeError as invalid_utf8:
        error = invalid_utf8
    if (b"\\ud" in body or b"\\uD" in body) and (path := lone_surrogate(body)) is not None:
        return InvalidRequest(
            "This text has a lone surrogate, which is half of a character. Remove it.",
            param=path or None,
            code="invalid_json",
        )
    return to_invalid_request(error)


def to_invalid_request(error: Exception) -> InvalidRequest:
    """Convert a decoder's error: say what was expected and where, and repeat nothing that the client sent."""
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
        return missing_field(param)
    if sentence.startswith(_QUOTING):
        word = sentence.partition("value ")[2][1:-1]  # without its quotation marks
        named = f" {word!r}" if word in _KNOWN_WORDS else ""
        return InvalidRequest(
            f"The value{named} is not supported here.",
            param=param.removesuffix(".type") or None,
            code="unsupported_value",
        )
    if not (_EXPECTING.fullmatch(sentence) or _OUT_OF_RANGE.fullmatch(sentence)):
        sentence = "This is not valid here"  # an unknown message, perhaps of another release, may quote the client
    code = "invalid_type" if ", got " in sentence else "invalid_value"  # a range error has no ", got"
    return InvalidRequest(f"{sentence.replace('`', '')}.", param=param or None, code=code)
