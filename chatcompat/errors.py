"""The exceptions of this package, and the error body that a client receives.

The type of an exception says who is at fault, and its `body` is the reply. `chatcompat.reply.errors` has the table of
native errors.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["ChatCompatError", "InvalidReply", "InvalidRequest"]

# What a decoder raises for invalid bytes. Only the first is a `msgspec.MsgspecError`.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ChatCompatError(Exception):
    """Base class of the exceptions of this package."""


class InvalidRequest(ChatCompatError):
    """The client is at fault: the chat-completions request cannot be translated.

    Args:
        message: What is wrong and what to do, for people. `param` is put in front of it, since some clients print
            nothing else.
        param: The path of the field that is wrong, for instance `messages[3].content[1]`.
        code: A stable name of the error, for programs.
        status: The HTTP status to answer with.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        self.message: str = f"{param}: {message}" if param else message
        super().__init__(self.message)
        self.param = param
        self.code = code
        self.status = status

    @property
    def body(self) -> bytes:
        """The error body to answer with, as JSON."""
        return to_error_body(self.message, "invalid_request_error", param=self.param, code=self.code)


def missing_field(path: str) -> InvalidRequest:
    """The error for a required field that is missing."""
    return InvalidRequest("This field is required. Add it.", param=path, code="missing_required_parameter")


class InvalidReply(ChatCompatError):
    """The inner messages app is at fault: its reply is not a message, or is incomplete.

    Args:
        message: What is wrong with the reply. It never quotes the reply.
        code: A stable name of the error, for programs.
        status: The HTTP status to answer with.
        place: Where the reply is wrong, for the log: `content_block_start: content_block.input`, or `byte 17`.
    """

    def __init__(
        self, message: str, *, code: str = "invalid_reply", status: int = 502, place: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.place = place

    def __str__(self) -> str:
        return f"{self.message} (at {self.place})" if self.place else self.message

    @property
    def body(self) -> bytes:
        """The error body to answer with, as JSON."""
        return self.reply.body

    @property
    def reply(self) -> "ErrorReply":
        """The error body to answer with, and its status and type."""
        return ErrorReply(
            self.status,
            to_error_body(self.message, "server_error", code=self.code),
            "server_error",
            code=self.code,
            cause=str(self),
        )


_encode = msgspec.json.Encoder().encode


class ErrorObject(Struct):
    """The error in an error body. All four fields are always written.

    Attributes:
        message: What is wrong, for people.
        type: The kind of error.
        param: The path of the request field that is wrong.
        code: A stable name of the error, for programs.
    """

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct):
    """The error body: `{"error": {"message", "type", "param", "code"}}`.

    Attributes:
        error: The error itself.
    """

    error: ErrorObject


def to_error_body(message: str, error_type: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """Return the bytes of `{"error": {...}}`."""
    return _encode(ErrorBody(ErrorObject(message=message, type=error_type, param=param, code=code)))


def to_native_error_body(error_type: str, message: str, **more: str | None) -> bytes:
    """Return the bytes of a native error, for apps that also serve native clients.

    With `param` and `code` in `more`, both chat and native clients can read the body.
    """
    return _encode({"type": "error", "error": {"type": error_type, "message": message, **more}})


class ErrorReply(msgspec.Struct, frozen=True):
    """An error as an HTTP reply, or as the last frame of a stream.

    Attributes:
        status: The HTTP status. In a stream that has started, the status that the error would have had.
        body: The error body, as JSON.
        type: `type` of the error in the body.
        param: `param` of the error in the body.
        code: `code` of the error in the body.
        cause: What was wrong with the inner app's reply, for the log. Empty if the inner app sent the error itself.
    """

    status: int
    body: bytes
    type: str
    param: str | None = None
    code: str | None = None
    cause: str = ""


def to_error_reply(status: int, message: str, error_type: str, code: str | None = None) -> ErrorReply:
    """Return an error reply without a `param`."""
    return ErrorReply(status, to_error_body(message, error_type, code=code), error_type, code=code)


_PLAIN_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}+(?:\[\d*+\])?+")
_MAX_STEPS: Final = 8
_MAX_PARAM: Final = 256  # an error body has the path twice, and should stay below 1 KiB


def to_param(path: str) -> str:
    """Return a path for `param`: a step that does not look like a field name becomes `*`, since a client chose it."""
    steps, size = path.split(".", _MAX_STEPS), 0
    for index, step in enumerate(steps):
        size += len(step) + 1
        if index == _MAX_STEPS or size > _MAX_PARAM or _PLAIN_STEP.fullmatch(step) is None:
            return ".".join([*steps[:index], "*"])
    return path
