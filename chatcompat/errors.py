"""The exceptions of this package, and the error body that a client reads.

Who is at fault is the exception's type; its `body` is the reply. Which native error becomes which body is a table in
`chatcompat.reply.errors`.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["ChatCompatError", "InvalidReply", "InvalidRequest"]

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
        return self.reply.body

    @property
    def reply(self) -> "ErrorReply":
        """The error reply to answer with."""
        return to_error_reply(self.status, self.message, "server_error", self.code)


_encode = msgspec.json.Encoder().encode


class ErrorObject(Struct):
    """The error itself; all four are always written."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct):
    """The error shape: `{"error": {"message", "type", "param", "code"}}`, all four always written."""

    error: ErrorObject


def to_error_body(message: str, error_type: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """The bytes of `{"error": {...}}`."""
    return _encode(ErrorBody(ErrorObject(message=message, type=error_type, param=param, code=code)))


class ErrorReply(msgspec.Struct, frozen=True):
    """An error as an HTTP reply, or as the last frame of a stream."""

    status: int
    """The HTTP status; in a stream, the one that it would have had."""
    body: bytes
    type: str
    """`type` of the error in the body."""


def to_error_reply(status: int, message: str, error_type: str, code: str | None = None) -> ErrorReply:
    """An error reply without a `param`."""
    return ErrorReply(status, to_error_body(message, error_type, code=code), error_type)


_PLAIN_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}+(?:\[\d*+\])?+")
_MAX_STEPS: Final = 8


def to_param(path: str) -> str:
    """A path for `param`: what a client made up is `*` unless it looks like the name of a field."""
    steps = path.split(".", _MAX_STEPS)
    for index, step in enumerate(steps):
        if index == _MAX_STEPS or _PLAIN_STEP.fullmatch(step) is None:
            return ".".join([*steps[:index], "*"])
    return path
