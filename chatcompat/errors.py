"""Exceptions, the error shape on the wire, and the tables from native errors to it.

Three layers, kept apart: who is at fault is the exception's type; what a client reads is `ErrorBody`; which
native error becomes which is a table.
"""

import re
from typing import Any, Final

import msgspec

from chatcompat.completion import ErrorBody, ErrorObject
from chatcompat.messages import NativeError

# What a decoder raises for bytes that it refuses. Only the first is a `msgspec.MsgspecError`.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ChatCompatError(Exception):
    """Base of what this package raises."""


class InvalidRequest(ChatCompatError):
    """The client is at fault: the chat-completions request cannot be translated.

    `param` names the place as a path (`messages[3].content[1]`), `code` is a stable word for programs, `status`
    the HTTP status to answer with. `body` is the whole error reply as JSON.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status

    def __str__(self) -> str:
        return f"{self.message} (at {self.param})" if self.param else self.message

    @property
    def body(self) -> bytes:
        """The error body to answer with."""
        return to_error_body(self.message, "invalid_request_error", param=self.param, code=self.code)


class InvalidReply(ChatCompatError):
    """The inner messages app is at fault: what it sent is no messages reply, or not a whole one.

    The message says what was wrong with the form; it never quotes the reply.
    """

    def __init__(self, message: str, *, code: str = "invalid_reply", status: int = 502) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status

    @property
    def body(self) -> bytes:
        """The error body to answer with."""
        return to_error_body(self.message, "server_error", code=self.code)


# ---------------------------------------------------------------- wire

_encode = msgspec.json.Encoder().encode


def to_error_body(message: str, error_type: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """The bytes of `{"error": {...}}`."""
    return _encode(ErrorBody(ErrorObject(message=message, type=error_type, param=param, code=code)))


# ---------------------------------------------------------------- tables

# Native error type -> (HTTP status where only the type is known, error type, error code).
# https://platform.claude.com/docs/en/api/errors and https://platform.openai.com/docs/guides/error-codes
ERROR_TYPES: Final[dict[str, tuple[int, str, str | None]]] = {
    "invalid_request_error": (400, "invalid_request_error", None),
    "authentication_error": (401, "authentication_error", "invalid_api_key"),
    "billing_error": (402, "insufficient_quota", "insufficient_quota"),
    "permission_error": (403, "permission_error", None),
    "not_found_error": (404, "invalid_request_error", None),
    "conflict_error": (409, "conflict_error", None),
    "request_too_large": (413, "invalid_request_error", None),
    "rate_limit_error": (429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": (500, "server_error", None),
    "timeout_error": (504, "server_error", "timeout"),
    "overloaded_error": (529, "server_error", "overloaded"),
}
UNKNOWN_ERROR_STATUS: Final = 500

# Error type and code where only the status is known, as in a proxy's own reply.
_TYPES_OF_STATUSES: Final = {status: (error_type, code) for status, error_type, code in ERROR_TYPES.values()}

_TOO_LONG: Final = "prompt is too long"
_TOO_LONG_TYPE: Final = "exceed_context_size_error"  # of llama.cpp's server
_ABOUT_MODEL: Final = re.compile(r"\bmodel\b")


def status_of(error: NativeError) -> int:
    """The HTTP status that belongs to a native error type."""
    return ERROR_TYPES.get(error.type, (UNKNOWN_ERROR_STATUS,))[0]


def to_chat_error(error: NativeError, status: int) -> bytes:
    """A native error as the body of an HTTP error reply; the message is kept word for word."""
    if error.type in ERROR_TYPES:
        error_type, code = ERROR_TYPES[error.type][1:]
    else:
        fallback = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004
        error_type, code = _TYPES_OF_STATUSES.get(status, (fallback, None))
        code = error.type or code
    if _TOO_LONG in error.message.lower() or error.type == _TOO_LONG_TYPE:
        code = "context_length_exceeded"
    elif error.type == "not_found_error" and _ABOUT_MODEL.search(error.message):
        code = "model_not_found"
    return to_error_body(error.message or _no_message(status), error_type, code=code)


def to_stream_error(error: NativeError) -> bytes:
    """A native `error` event as the body of the stream's last frame; its own type stays in `code`."""
    status = status_of(error)
    error_type = ERROR_TYPES[error.type][1] if error.type in ERROR_TYPES else "server_error"
    return to_error_body(error.message or _no_message(status), error_type, code=error.type or None)


def _no_message(status: int) -> str:
    return f"The messages service answered with status {status} and no message."


class _LooseError(msgspec.Struct):
    type: Any = None
    message: Any = None


class _LooseErrorBody(msgspec.Struct):
    """The native form, and what web frameworks and gateways write instead: a text under one of these names."""

    error: _LooseError | str | None = None
    message: Any = None
    detail: Any = None


_error_body: Final = msgspec.json.Decoder(_LooseErrorBody)


def decode_native_error(body: bytes) -> NativeError:
    """The error in a JSON body; what is not text in it is left out. Raises `DECODE_ERRORS`."""
    loose = _error_body.decode(body)
    if isinstance(loose.error, _LooseError):
        return NativeError(_text(loose.error.type), _text(loose.error.message))
    return NativeError("", _text(loose.error) or _text(loose.message) or _text(loose.detail))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def to_native_error(body: bytes) -> NativeError:
    """Read the body of a native error reply; a body of another form (a proxy's HTML) gives an empty error."""
    try:
        return decode_native_error(body)
    except DECODE_ERRORS:
        return NativeError()


# ---------------------------------------------------------------- decode errors of a client's request

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

_PLAIN_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}+(?:\[\d*+\])?+")
_MAX_STEPS: Final = 8


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


def to_param(path: str) -> str:
    """A path for `param`: what a client made up is `*` unless it looks like the name of a field."""
    steps = path.split(".", _MAX_STEPS)
    for index, step in enumerate(steps):
        if index == _MAX_STEPS or _PLAIN_STEP.fullmatch(step) is None:
            return ".".join([*steps[:index], "*"])
    return path
