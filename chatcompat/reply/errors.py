"""Translate native errors into chat errors, by a table."""

import re
from typing import Final

from chatcompat.errors import ErrorReply, to_error_reply
from chatcompat.wire.messages import NativeError

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

# Error type and code if only the status is known, as in a reply of a proxy.
_TYPES_OF_STATUSES: Final = {status: (error_type, code) for status, error_type, code in ERROR_TYPES.values()}

_TOO_LONG: Final = "prompt is too long"
_TOO_LONG_TYPE: Final = "exceed_context_size_error"  # of llama.cpp's server
_ABOUT_MODEL: Final = re.compile(r"\bmodel\b")


def status_of(error: NativeError) -> int:
    """Return the HTTP status of a native error type."""
    return ERROR_TYPES.get(error.type, (UNKNOWN_ERROR_STATUS,))[0]


def to_chat_error(error: NativeError, status: int) -> ErrorReply:
    """Translate a native error into an HTTP error reply. Its message is kept word for word."""
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
    return to_error_reply(status, error.message or _no_message(status), error_type, code)


def to_stream_error(error: NativeError) -> ErrorReply:
    """Translate a native `error` event into the last frame of a stream. `code` keeps its native type."""
    status = status_of(error)
    error_type = ERROR_TYPES[error.type][1] if error.type in ERROR_TYPES else "server_error"
    return to_error_reply(status, error.message or _no_message(status), error_type, error.type or None)


def _no_message(status: int) -> str:
    return f"The messages service answered with status {status} and no message."
