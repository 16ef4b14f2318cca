"""Native errors: types, statuses and body."""

from typing import Final

from msgspec import Struct

# https://platform.claude.com/docs/en/api/errors: type -> (status, message of an error by `x-simulate`)
ERRORS: Final = {
    "invalid_request_error": (400, "The request is invalid."),
    "authentication_error": (401, "invalid x-api-key"),
    "billing_error": (402, "Your credit balance is too low."),
    "permission_error": (403, "Your API key does not have permission to use this resource."),
    "not_found_error": (404, "The requested resource was not found."),
    "conflict_error": (409, "The request conflicts with the current state of the resource."),
    "request_too_large": (413, "Request exceeds the maximum size"),
    "rate_limit_error": (429, "Number of requests has exceeded your rate limit."),
    "api_error": (500, "Internal server error"),
    "timeout_error": (504, "The request timed out."),
    "overloaded_error": (529, "Overloaded"),
}
RETRY_AFTER: Final = {"rate_limit_error": "1", "overloaded_error": "1"}  # seconds


class Failure(Exception):
    """Ends a request with a native error.

    `kind` is a key of `ERRORS`, which also sets the default for `status`. `message` may contain field names and ids,
    never text from the request.
    """

    def __init__(self, kind: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status: int = ERRORS[kind][0] if status is None else status


def invalid(message: str) -> Failure:
    """Create the error for an invalid request, status 400."""
    return Failure("invalid_request_error", message)


class ErrorDetail(Struct):
    """The type and message of an error."""

    type: str
    message: str


class ErrorBody(Struct, tag_field="type", tag="error"):
    """The body of an error reply, and the data of an `error` event."""

    error: ErrorDetail
    request_id: str
