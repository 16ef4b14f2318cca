"""Translate native errors into chat errors, by a table."""

import re
from typing import Final

from chatcompat.errors import ErrorReply, to_error_reply
from chatcompat.wire.message_reply import NativeError

# Native error type -> (HTTP status if only the type is known, error type, error code).
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

# Error type and code if only the status is known, as in the reply of a proxy.
_TYPES_OF_STATUSES: Final = {status: (error_type, code) for status, error_type, code in ERROR_TYPES.values()}

# How services and gateways say that a prompt is too long. Some messages do not mention the context.
_TOO_LONG: Final = (
    *("prompt is too long", "prompt too long", "input is too long", "conversation is too long"),
    *("reduce the length of the messages", "reduce the length of the prompt", "reduce your prompt"),
    *("maximum prompt length", "maximum input length", "exceeded model token limit", "too large for model with"),
    *("exceeds the maximum number of tokens allowed", "exceeds the maximum number of input tokens"),
)
_CONTEXT: Final = ("context limit", "context length", "context window", "context size", "context_length_exceeded")
_EXCEEDS: Final = ("exceed", "too long", "too large", "larger than", "longer than", "greater than", "maximum", "beyond")
_TOO_LONG_TYPES: Final = ("exceed_context_size_error", "context_length_exceeded")  # the first is llama.cpp's server's
_ABOUT_PROMPT: Final = ("", "invalid_request_error", "request_too_large", "api_error")
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ABOUT_MODEL: Final = re.compile(r"\bmodel\b")


def status_of(error: NativeError) -> int:
    """Return the HTTP status of a native error type."""
    return ERROR_TYPES.get(error.type, (UNKNOWN_ERROR_STATUS,))[0]


def to_chat_error(error: NativeError, status: int) -> ErrorReply:
    """Translate a native error into an HTTP error reply. The message is kept unchanged."""
    if error.type in ERROR_TYPES:
        error_type, code = ERROR_TYPES[error.type][1:]
    else:
        fallback = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004
        error_type, code = _TYPES_OF_STATUSES.get(status, (fallback, None))
        code = error.type if error.type and not _own_code(error) else code
    code = _known_code(error) or code or _own_code(error)
    return to_error_reply(status, error.message or _no_message(status), error_type, code)


def to_stream_error(error: NativeError) -> ErrorReply:
    """Translate a native `error` event into the last frame of a stream. `code` is its native type or own code."""
    status = status_of(error)
    _, error_type, named = ERROR_TYPES.get(error.type, (status, "server_error", None))
    code = _known_code(error) or (None if named else _own_code(error)) or error.type or None
    return to_error_reply(status, error.message or _no_message(status), error_type, code)


def _known_code(error: NativeError) -> str | None:
    """The code that chat clients act on, if the native error has another name for it."""
    if _is_too_long(error):
        return "context_length_exceeded"
    if error.type == "not_found_error" and _ABOUT_MODEL.search(error.message):
        return "model_not_found"
    return None


def _is_too_long(error: NativeError) -> bool:
    if error.type in _TOO_LONG_TYPES or error.code in _TOO_LONG_TYPES:
        return True
    if error.type in ERROR_TYPES and error.type not in _ABOUT_PROMPT:
        return False  # a rate limit, for instance, mentions tokens too
    message = error.message.lower()
    return any(words in message for words in _TOO_LONG) or (
        any(words in message for words in _CONTEXT) and any(words in message for words in _EXCEEDS)
    )


def _own_code(error: NativeError) -> str | None:
    """The service's own code, if it looks like one."""
    return error.code if _ERROR_CODE.fullmatch(error.code) else None


def _no_message(status: int) -> str:
    return f"The messages service answered with status {status} and no message."
