"""Lines of the log: what they have, and that no client can break them."""

import json
import logging
import logging.config
from asyncio import CancelledError
from typing import Any

import pytest

from chatcompat.cli.log import ConsoleFormatter, JsonFormatter, QuietFilter, logging_config, request_id
from chatcompat.upstream import UpstreamBroken


def record(
    message: str = "words", name: str = "chatcompat.access", error: BaseException | None = None, **more: Any
) -> Any:
    made = logging.makeLogRecord({"name": name, "levelname": "INFO", "levelno": logging.INFO, "msg": message, **more})
    made.exc_info = None if error is None else (type(error), error, None)
    return made


@pytest.mark.parametrize(
    ("name", "error", "kept"),
    [
        ("uvicorn.error", CancelledError(), False),
        ("uvicorn.error", UpstreamBroken("words"), False),
        ("uvicorn.error", ValueError(), True),
        ("uvicorn.error", None, True),
        ("chatcompat.serve", CancelledError(), True),
    ],
)
def test_the_servers_traceback_of_a_closed_connection_is_dropped(
    name: str, error: BaseException | None, kept: bool
) -> None:
    assert QuietFilter().filter(record(name=name, error=error)) == kept


def test_a_line_of_json_has_the_id_and_the_fields() -> None:
    token = request_id.set("req_1")
    try:
        line = json.loads(JsonFormatter().format(record(" words\n", status=200, path="/\x1b", error=ValueError("odd"))))
    finally:
        request_id.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert line.pop("exception").endswith("ValueError: odd")
    assert line == {
        "level": "info",
        "logger": "chatcompat.access",
        "message": "words",
        "request_id": "req_1",
        "status": 200,
        "path": "/\x1b",
    }
    other = json.loads(JsonFormatter().format(record(name="other", status=200)))
    assert other.keys() == {"time", "level", "logger", "message"}


def test_a_line_for_people_has_what_has_a_value() -> None:
    fields: dict[str, Any] = {
        "status": 200,
        "model": None,
        "path": "/a b",
        "odd": "a\x1b[2J\nb",
        "usage": {"n": 1},
        "streaming": False,
    }
    line = ConsoleFormatter().format(record("GET\n/", **fields))
    assert line[8:] == r' INFO    GET\n/ status=200 path="/a b" odd=a\x1b[2J\nb usage="{\"n\": 1}"'
    assert ConsoleFormatter().format(record(error=ValueError("\x1b"))).endswith(r"ValueError: \x1b")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_configuration_is_one_that_logging_takes(log_format: Any) -> None:
    config = logging_config(log_format, "debug")
    assert config["loggers"]["chatcompat"] == {"level": "DEBUG"}
    assert logging.config.DictConfigurator(config).config["version"] == 1
