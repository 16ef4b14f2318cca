"""A decoder's error -> an `InvalidRequest` that names the field and says what to send, without the client's text."""

import re
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Raw

from chatcompat.errors import DECODE_ERRORS, InvalidRequest, missing_field
from chatcompat.request.json_objects import decode_raw_list, decode_raw_object
from chatcompat.request.lenient import leaves, struct_of, structs_of
from chatcompat.wire.chat_request import ChatCompletionRequest

# msgspec's messages have the form "SENTENCE - at `$.PATH`". A path has names of struct fields, indexes, and `[...]` for
# a key that the client chose. Only the end is read as the path, because a sentence may quote text that looks like one.
AT: Final = " - at `"
_PATH: Final = re.compile(r"(?:key in )?\$\.?((?:\.?\w++|\[(?:\d++|\.\.\.)\])*+)`", re.ASCII)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`", re.ASCII)
UNKNOWN_FIELD: Final = "Object contains unknown field"
_REFUSED_WORD: Final = ("Invalid value", "Invalid enum value")  # how a sentence begins that quotes it
# How a sentence ends where `lenient` may help.
_OTHER_FORM: Final = "got `float`"
_TOOLS: Final = "$.tool"  # a tool may be a native one, or lack its type
_LONGEST_TYPE: Final = 1_000  # characters of a sentence about a tool whose type may be a native one
_LONGEST_SENTENCE: Final = 100  # with a word of ours in it
_TYPE: Final = "(?:object|array|str|int|float|bool|null)"
_EXPECTING: Final = re.compile(
    rf"Expected `({_TYPE}(?: \| {_TYPE})*+)`(?:, got `({_TYPE})`|( of length)?+ ([<>]=) (-?[\d.]++))?+"
)
_WHOLE: Final = " that's a multiple of 1.0"
_OUT_OF_RANGE: Final = re.compile(r"(?:Integer value|Number) out of range")

_TYPES: Final = {
    "object": "an object",
    "array": "an array",
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "null": "null",
}
_LIMITS: Final = {">=": "at least", "<=": "at most"}

# The values of `role` and `type` that an error may repeat: words of the two APIs that some fields do not accept.
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


def is_final(error: msgspec.ValidationError) -> bool:
    """Whether a request is invalid in any form: the first thing that is wrong cannot be read otherwise."""
    sentence = str(error)
    if sentence.startswith(UNKNOWN_FIELD):
        return False
    if len(sentence) > _LONGEST_TYPE:  # a long word is refused
        return True
    sentence, at, path = sentence.rpartition(AT)
    if not at or path.startswith(_TOOLS):
        return not at
    return not sentence.endswith(_OTHER_FORM)


def to_invalid_request(error: Exception, body: bytes = b"") -> InvalidRequest:
    """Convert a decoder's error about `body`: say what is wrong and where, and repeat nothing that the client sent."""
    if isinstance(error, RecursionError):
        return InvalidRequest("The request is nested too deeply. Send a flatter one.", code="nested_too_deeply")
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest("The request is not valid UTF-8. Send it in UTF-8.", code="invalid_utf8")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRequest("The request is not valid JSON. Send a JSON object.", code="invalid_json")
    sentence, param = str(error), ""
    end = sentence.rfind(AT)
    if end >= 0 and (found := _PATH.fullmatch(sentence, end + len(AT))):
        sentence, param = sentence[:end], found[1]
    if missing := _MISSING.fullmatch(sentence):
        return missing_field(f"{param}.{missing[1]}" if param else missing[1])
    if sentence.startswith(_REFUSED_WORD):
        word = sentence.partition("value ")[2][1:-1] if len(sentence) < _LONGEST_SENTENCE else ""  # without its quotes
        named = f" {word!r}" if word in _KNOWN_WORDS else ""
        words = _words_at(body, param)
        message = f"Send one of: {', '.join(words)}." if words else "Change it."
        return InvalidRequest(
            f"The value{named} is not supported here. {message}",
            param=param.removesuffix(".type") or None,
            code="unsupported_value",
        )
    # A range error has no ", got".
    code = "invalid_type" if ", got " in sentence else "invalid_value"
    message = _to_advice(sentence)
    return InvalidRequest(f"{message}", param=param or None, code=code)


def _to_advice(sentence: str) -> str:
    """What to send, according to msgspec's `sentence`. An unknown sentence is not repeated: it may quote the client."""
    if _OUT_OF_RANGE.fullmatch(sentence):
        return "This number is out of range. Send one of fewer digits."
    if sentence.endswith(_WHOLE):
        return "Send a whole number."
    found = _EXPECTING.fullmatch(sentence)
    if found is None:
        return "This is not valid here. Change or remove it."
    kinds, got, of_length, limit, bound = found.groups()
    *first, last = [_TYPES[kind] for kind in kinds.split(" | ")]
    expected = f"{', '.join(first)} or {last}" if first else last
    if got:
        return f"Send {expected}, not {_TYPES[got]}."
    if limit:
        return (
            f"Send {expected} {'with a length of' if of_length else 'of'} {_LIMITS[limit]} {bound.removesuffix('.0')}."
        )
    return f"Send {expected}."


def _words_at(body: bytes, path: str) -> list[str]:
    """The words that the field at `path` may have. The body decides which struct of a union an object is."""
    raw, types = Raw(body), (ChatCompletionRequest,)
    if "..." in path:  # below a key that the client chose
        return []
    *steps, name = path.replace("[", ".[").split(".")
    try:
        for step in steps:
            if step.startswith("["):
                raw = decode_raw_list(raw)[int(step[1:-1])]
            else:
                raw, types = _field_of(raw, types, step)
        if name.startswith("["):
            return []
        return [*_tags(types, name)] or [*_literals(_field_of(raw, types, name)[1])]
    except (*DECODE_ERRORS, LookupError):  # the path belongs to a rewritten form
        return []


def _field_of(raw: Raw, types: tuple[Any, ...], name: str) -> tuple[Raw, tuple[Any, ...]]:
    """The value of a field, and the types that it may have. Raises `LookupError`."""
    found = decode_raw_object(raw)
    struct = struct_of(found, structs_of(types))
    if struct is None:
        raise LookupError(name)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    return found[name], tuple(leaves(fields[name]))


def _tags(types: tuple[Any, ...], name: str) -> list[str]:
    configs = [kind.__struct_config__ for kind in structs_of(types)]
    return [str(config.tag) for config in configs if config.tag_field == name]


def _literals(types: tuple[Any, ...]) -> list[str]:
    return [word for kind in types if get_origin(kind) is Literal for word in get_args(kind)]
