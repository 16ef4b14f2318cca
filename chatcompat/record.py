"""What a service is told of each exchange: numbers and names, and nothing of the conversation."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS, InvalidReply
from chatcompat.stream import ChunkStream

__all__ = ["ExchangeRecord", "OnExchange", "to_all"]

MAX_NAME: Final = 200
"""Characters of what a client named."""
MAX_IGNORED: Final = 64
"""Names in `ignored`; where there are more, one further entry says how many."""
_MAX_NUMBER: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """One exchange, as it ended. It holds nothing of the conversation.

    Attributes:
        model: The model that the client named, at most 200 characters. None if the request could not be read.
        streaming: Whether the client asked for a stream.
        status: The HTTP status that the client got. None if it left before that.
        finish_reason: The finish reason of the reply. None if the reply was not complete.
        usage: Token counts under their chat names, and native usage fields that have no chat name. Fields with an
            integer beyond 64 bits are left out.
        ignored: Paths of the request fields that were not sent on: at most 64 paths of at most 200 characters each,
            and `... 7 more` for the rest.
        time_to_first_byte: Seconds from the start of the request to the start of the reply. None without a reply.
        duration: Seconds from the start of the request until the inner app was done.
        error_type: The `type` of the error that the client got; `client_disconnected` if it left before the reply was
            complete, `cancelled` if the server stopped the exchange. None if nothing failed.
        response_id: The id of the completion. None if it had not begun.
        response_model: The model that the inner app named. None if it named none.
        time_to_first_token: Seconds from the start of the request to the first piece of a streamed reply: text,
            thinking or a tool call. None without one.
    """

    model: str | None
    streaming: bool
    status: int | None
    finish_reason: str | None
    usage: dict[str, Any] | None
    ignored: tuple[str, ...]
    time_to_first_byte: float | None
    duration: float
    error_type: str | None
    response_id: str | None = None
    response_model: str | None = None
    time_to_first_token: float | None = None


OnExchange = Callable[[ExchangeRecord], object]


def to_all(*observers: OnExchange) -> OnExchange:
    """One `on_exchange` that calls each of `observers`, in order, also when one before it raises.

    What they raise is raised behind the last one, in an `ExceptionGroup`.
    """

    def tell(record: ExchangeRecord) -> None:
        failures: list[Exception] = []
        for observer in observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
        if failures:
            raise ExceptionGroup("observers of an exchange failed", failures)

    return tell


class _Chosen(Struct):
    """How a choice ended."""

    finish_reason: str


class _Error(Struct):
    type: str


class Told(Struct):
    """What a reply's own bytes tell."""

    id: str | None = None
    model: str | None = None
    choices: list[_Chosen] = []
    usage: Raw = Raw(b"null")
    error: _Error | None = None

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of a completion."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def error_type(self) -> str | None:
        """The type of an error."""
        return self.error.type if self.error is not None else None


_read_reply = msgspec.json.Decoder(Told).decode  # a completion or an error body that this package wrote
_read_usage = msgspec.json.Decoder(dict[str, Any] | None).decode
_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def told_by(body: bytes | None, stream: ChunkStream | None) -> Told:
    """What a body in one piece told, or else a stream; of one that failed, its error."""
    if body is not None:
        return _read(body)
    if stream is None:
        return Told()
    told = Told() if stream.error is None else _read(stream.error.body)
    told.id, told.model = stream.completion_id, stream.model
    if stream.error is None:
        told.choices = [_Chosen(stream.finish_reason)] if stream.finish_reason is not None else []
        # Where nobody asked for the usage of this stream, that it could not be read was not told.
        with suppress(InvalidReply):
            told.usage = Raw(msgspec.json.encode(stream.usage))
    return told


def _read(body: bytes) -> Told:
    """What can be read of our own bytes: a reply's extra fields are in them as the inner app sent them."""
    try:
        return _read_reply(body)
    except DECODE_ERRORS:
        return Told()


def to_usage(raw: Raw) -> dict[str, Any] | None:
    """The fields that can be read; `1e999`, or a number of thousands of digits, would stop who adds it up."""
    try:
        usage: dict[str, Any] | None = _read_usage(raw)
        if _is_moderate(usage):
            return usage
    except DECODE_ERRORS:
        pass  # one of its fields cannot be read
    fields: dict[str, Any] = {}
    with suppress(*DECODE_ERRORS):
        for name, field in _read_fields(raw).items():
            with suppress(*DECODE_ERRORS):
                if _is_moderate(value := msgspec.json.decode(field)):
                    fields[name] = value
    return fields


def _is_moderate(value: Any) -> bool:
    """Whether each integer in a decoded value is one of 64 bits."""
    if isinstance(value, dict):
        return all(map(_is_moderate, value.values()))
    if isinstance(value, list):
        return all(map(_is_moderate, value))
    return not isinstance(value, int) or -_MAX_NUMBER <= value < _MAX_NUMBER


def bounded(ignored: Sequence[str]) -> tuple[str, ...]:
    """The names as a record has them."""
    names = [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]
    if len(ignored) > MAX_IGNORED:
        names.append(f"... {len(ignored) - MAX_IGNORED} more")
    return tuple(names)
