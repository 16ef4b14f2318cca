"""The outcome of an exchange: the error and the names in its `ExchangeRecord`, and a warning for the log."""

import logging
from collections.abc import Sequence
from typing import Final

from chatcompat.asgi.client import Client
from chatcompat.asgi.http import SERVER_SHUTDOWN
from chatcompat.errors import ErrorReply
from chatcompat.reply.summary import ReplySummary

_logger: Final = logging.getLogger("chatcompat.replies")

MAX_NAME: Final = 200
"""Characters kept of a name that a client chose."""
MAX_IGNORED: Final = 64
"""Names kept in `ignored`. One more entry counts the rest."""


def bounded(ignored: Sequence[str]) -> tuple[str, ...]:
    """The ignored names for a record, limited in number and length."""
    names = [name[:MAX_NAME] for name in ignored[:MAX_IGNORED]]
    if len(ignored) > MAX_IGNORED:
        names.append(f"... {len(ignored) - MAX_IGNORED} more")
    return tuple(names)


def to_error_fields(summary: ReplySummary, client: Client, *, is_whole: bool, stopped: bool) -> dict[str, str | None]:
    """The error fields of a record. `stopped` says whether the server cancelled the exchange."""
    error = summary.error if is_whole else None
    error_type = None if error is None else error.type
    if client.shutdown and (error is not None or not is_whole):
        error_type = SERVER_SHUTDOWN
    elif not is_whole:
        error_type = "cancelled" if stopped and not client.left else "client_disconnected"
    return {
        "error_type": error_type,
        "error_param": None if error is None else error.param,
        "error_code": None if error is None or error.code is None else error.code[:MAX_NAME],
    }


def warn_of_invalid_reply(error: ErrorReply, model: str) -> None:
    """Log what was wrong with the inner app's reply, and where. The log quotes nothing of the reply."""
    if error.cause and error.code != SERVER_SHUTDOWN:
        _logger.warning("Invalid reply for the model %r: %s", model[:MAX_NAME], error.cause)
