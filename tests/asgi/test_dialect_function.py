"""A dialect function that fails is logged, and its client gets an error in the chat shape."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from chatcompat import ChatCompatMiddleware, Dialect, InvalidRequest
from tests.asgi.driver import Inner, call, chat

pytestmark = pytest.mark.anyio
MODEL = "SECRET-model"


def raising(model: str) -> Any:
    raise KeyError(model)


def none(model: str) -> Any:
    return None


def word(model: str) -> Any:
    return model


def default(model: str) -> Any:
    return Dialect


@pytest.mark.parametrize(
    ("dialect", "logged"),
    [(raising, "KeyError"), (none, "TypeError"), (word, "TypeError"), (default, "TypeError")],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failing_function_is_logged_and_answered(
    dialect: Callable[[str], Any], logged: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Inner()
    reply = await call(ChatCompatMiddleware(inner, dialect=dialect), chat(model=MODEL, stream=stream))
    assert (reply.status, reply.error["type"], reply.error["code"]) == (500, "server_error", "dialect_failed")
    assert not inner.scopes
    [line] = caplog.records
    assert (line.levelno, line.name) == (logging.ERROR, "chatcompat.asgi.options")
    assert line.getMessage().startswith(f"The dialect function failed: {logged} in ")
    assert "SECRET" not in caplog.text + reply.body.decode()
    if dialect is raising:
        assert line.getMessage().endswith(f" in {__file__}, line {raising.__code__.co_firstlineno + 1}")


@pytest.mark.parametrize("path", ["/v1/models", f"/v1/models/{MODEL}"])
async def test_so_it_is_for_the_list_of_models(path: str, caplog: pytest.LogCaptureFixture) -> None:
    reply = await call(ChatCompatMiddleware(Inner(), dialect=none), path=path, method="GET")
    assert (reply.status, reply.error["code"]) == (500, "dialect_failed")
    assert len(caplog.records) == 1


async def test_a_function_may_refuse_a_model() -> None:
    def dialect(model: str) -> Dialect:
        raise InvalidRequest("This model is retired.", param="model", status=404)

    reply = await call(ChatCompatMiddleware(Inner(), dialect=dialect), chat())
    assert (reply.status, reply.error["message"]) == (404, "model: This model is retired.")
