"""The log of `chatcompat serve`: each record is one line on stderr, as JSON or for people."""

import json
import logging
from asyncio import CancelledError
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal

from chatcompat.upstream import UpstreamBroken

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

request_id: Final[ContextVar[str | None]] = ContextVar("chatcompat_request_id", default=None)
"""The id of the request that is being served. It is in each line of the log."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def logging_config(log_format: LogFormat, level: LogLevel) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`, in each process of the server."""
    formatter = {"json": "chatcompat.cli.log.JsonFormatter", "console": "chatcompat.cli.log.ConsoleFormatter"}
    handler = {
        "class": "logging.StreamHandler",
        "stream": "ext://sys.stderr",
        "formatter": "line",
        "filters": ["quiet"],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter[log_format]}},
        "filters": {"quiet": {"()": "chatcompat.cli.log.QuietFilter"}},
        "handlers": {"stderr": handler},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"chatcompat": {"level": level.upper()}, "uvicorn": {"level": "WARNING"}},
    }


class QuietFilter(logging.Filter):
    """Drops the server's traceback for an exception that only closes a connection. Another line has the reason."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep the record."""
        error = record.exc_info[1] if record.exc_info else None
        return not (record.name == "uvicorn.error" and isinstance(error, (CancelledError, UpstreamBroken)))


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that this package adds to a record."""
    if not record.name.startswith("chatcompat"):
        return {}
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One line of JSON, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        instant = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": instant.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        line |= _fields_of(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


class ConsoleFormatter(logging.Formatter):
    """One line for people: time, level, message, and the fields that have a value."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        instant = datetime.fromtimestamp(record.created).astimezone()
        fields = {"request_id": request_id.get()} | _fields_of(record)
        shown = [f"{name}={_word(value)}" for name, value in fields.items() if value not in (None, "", False)]
        message = _one_line(record.getMessage().strip())
        line = " ".join([f"{instant:%H:%M:%S}", f"{record.levelname:<7}", message, *shown])
        return f"{line}\n{_printable(self.formatException(record.exc_info))}" if record.exc_info else line


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return json.dumps(text) if " " in text else _one_line(text)


def _one_line(text: str) -> str:
    return _printable(text).replace("\n", "\\n")


def _printable(text: str) -> str:
    """Escape control characters, since clients choose paths and names."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
