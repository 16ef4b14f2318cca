"""What a service is told of each exchange: numbers and names, and nothing of the conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_NAME: Final = 200
"""Characters of what a client named."""
MAX_IGNORED: Final = 64
"""Names in `ignored`; where there are more, one further entry says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """One exchange, as it ended."""

    model: str | None
    """As the client named it, at most 200 characters; None where the request could not be read."""
    streaming: bool
    """Whether the client asked for a stream."""
    status: int | None
    """The HTTP status that the client got; None if it left before."""
    finish_reason: str | None
    """None if the reply was not whole."""
    usage: dict[str, Any] | None
    """Tokens under chat names, and the native fields that have none, but for those with a number beyond 64 bits."""
    ignored: tuple[str, ...]
    """Places of what was not sent on: at most 64 of at most 200 characters, and `... 7 more`."""
    time_to_first_byte: float | None
    """Seconds from the start of the request to the start of the reply."""
    duration: float
    """Seconds until the inner app was done."""
    error_type: str | None
    """`type` of the error that the client got; `client_disconnected` where it left before its reply was whole, and
    `cancelled` where the server stopped the exchange."""
    response_id: str | None = None
    """The completion's id; None if it had not begun."""
    response_model: str | None = None
    """The model that the inner app named."""
    time_to_first_token: float | None = None
    """Seconds from the start of the request to the first piece of a streamed reply: text, thinking or a call."""


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


def bounded(ignored: Sequence[str]) -> tuple[str, ...]:
    """The names as a record has them."""
    names = [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]
    if len(ignored) > MAX_IGNORED:
        names.append(f"... {len(ignored) - MAX_IGNORED} more")
    return tuple(names)
