"""The record of an exchange: numbers and names, but no text of the conversation."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Literal

from chatcompat._options import wrong_type

__all__ = ["ExchangeRecord", "OnExchange", "combine_observers"]

Operation = Literal["chat", "count_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """One finished exchange. It holds no text of the conversation.

    Attributes:
        model: The model that the client named, at most 200 characters. None if the request could not be read.
        streaming: Whether the client asked for a stream.
        status: The HTTP status that the client got. None if the client disconnected first.
        finish_reason: The finish reason of the reply. None if the reply was not complete.
        usage: Token counts under their chat names, and native usage fields that have no chat name. Fields with an
            integer of more than 64 bits are left out.
        ignored: Paths of the request fields that were dropped or changed: at most 64 paths of at most 200 characters,
            then `... 7 more` for the rest.
        time_to_first_byte: Seconds from the start of the request to the start of the reply. None if there was no reply.
        duration: Seconds from the start of the request until the inner app was done.
        error_type: The `type` of the error that the client got, `client_disconnected` if it disconnected before the
            reply was complete, `server_shutdown` if `chatcompat serve` stopped before that, or `cancelled` if another
            server cancelled the exchange. None if nothing failed.
        response_id: The id of the completion. None if the reply never began.
        response_model: The model that the inner app named. None if it named none.
        time_to_first_token: Seconds from the start of the request to the first piece of a streamed reply: text,
            thinking or a tool call. None if there was none.
        error_param: `param` of the error that the client got: the path of the request field that is wrong.
        error_code: `code` of the error that the client got, at most 200 characters.
        operation: `chat`, or `count_tokens` for a request that only counts tokens. Its usage is None, since counting
            uses no tokens.
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
    error_param: str | None = None
    error_code: str | None = None
    operation: Operation = "chat"


OnExchange = Callable[[ExchangeRecord], object]


def check_observer(name: str, observer: object) -> None:
    """Raise `TypeError` unless `observer` can be called with a record."""
    if not callable(observer) or isinstance(observer, type):
        raise wrong_type(name, "a function of an ExchangeRecord", observer)
    if iscoroutinefunction(observer):
        raise TypeError(f"{name} must not be an async function")


def combine_observers(*observers: OnExchange) -> OnExchange:
    """Combine several `on_exchange` callbacks into one that calls each in order.

    An exception of one callback does not stop the next.

    Args:
        *observers: The callbacks to call.

    Raises:
        TypeError: An observer is not a function.
        ExceptionGroup: The combined callback raises it after the last call, with every exception that was raised.
    """
    for observer in observers:
        check_observer("each observer", observer)

    def call_all(record: ExchangeRecord) -> None:
        failures: list[Exception] = []
        for observer in observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
        if failures:
            raise ExceptionGroup("observers of an exchange failed", failures)

    return call_all
