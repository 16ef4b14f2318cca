"""How the processes of `chatcompat serve` start, stop and fail, seen from within."""

import json
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from chatcompat.cli.serve_app import Settings
from chatcompat.cli.server import ServeConfig, StoppableServer, Supervisor, Worker, say_why
from tests.cli.in_process import SERVE
from tests.cli.test_serve import CHAT

BROKEN = Settings(dialect="none")  # the app of this cannot be made


def config_of(settings: Settings = Settings(), *, shutdown_timeout: int = 30, **options: Any) -> ServeConfig:  # noqa: B008
    options = {"host": "127.0.0.1", "port": 0, "log_config": None} | options
    return ServeConfig(settings, shutdown_timeout=shutdown_timeout, **options)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers of the process that runs the tests stay."""
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(multiprocess.Process, "always_pong", lambda self: None)


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def stream_from(listener: socket.socket, delay: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=60)
    headers = {"authorization": "Bearer k", "content-type": "application/json", "x-simulate": f"delay={delay}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT | {"stream": True}), headers)
    with closing(connection), connection.getresponse() as response:
        yield response


WAITING = "waiting for 1 stream, up to 60 s; again to stop at once"
STOPS: list[tuple[int, list[int], list[str]]] = [
    (60, [signal.SIGINT, signal.SIGINT], [WAITING, "stopping 1 stream"]),
    (0, [signal.SIGTERM], ["stopping 1 stream"]),
]


@pytest.mark.parametrize(("timeout", "signals", "logged"), STOPS)
def test_a_stream_is_waited_for_then_stopped(
    timeout: int, signals: list[int], logged: list[str], listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    server = StoppableServer(config_of(shutdown_timeout=timeout), "Welcome.")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    with caplog.at_level(logging.WARNING, "chatcompat.serve"):
        thread.start()
        wait_until(lambda: server.started)
        with stream_from(listener, "2") as stream:
            assert stream.readline()
            for number in signals:
                server.handle_exit(number, None)
                wait_until(lambda: caplog.messages)
            rest = stream.read()
        thread.join(30)
    assert not thread.is_alive()
    assert b'"code":"server_shutdown"' in rest
    assert [line.getMessage() for line in caplog.records if line.name == "chatcompat.serve"] == logged


@pytest.mark.parametrize(("welcome", "printed"), [("Welcome.", "Welcome.\n"), ("", "")])
def test_a_server_prints_its_welcome_and_a_worker_has_none(
    welcome: str, printed: str, listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    server = StoppableServer(config_of(shutdown_timeout=0), welcome, is_worker=not welcome)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: server.started)
    server.handle_exit(signal.SIGTERM, None)
    thread.join(30)
    assert not thread.is_alive()
    assert capsys.readouterr().out == printed


def test_a_worker_leaves_the_terminals_signal_to_its_parent() -> None:
    server = StoppableServer(config_of(), is_worker=True)
    server.handle_exit(signal.SIGINT, None)
    assert not server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit


# ---------------------------------------------------------------- failures at the start


@pytest.mark.usefixtures("no_signals")
def test_a_worker_that_cannot_start_says_why(listener: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        Worker(config_of(BROKEN), [listener]).target([listener])
    assert stopped.value.code == STARTUP_FAILURE
    assert capsys.readouterr().err == "chatcompat: cannot start: KeyError: 'none'\n"


@pytest.mark.usefixtures("no_signals")
def test_a_worker_that_fails_later_is_another_matter(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(worker: Worker, sockets: list[socket.socket]) -> None:
        worker.server.started = True
        raise LookupError

    monkeypatch.setattr(multiprocess.Process, "target", fail)
    with pytest.raises(LookupError):
        Worker(config_of(), [listener]).target([listener])


@pytest.mark.parametrize(("code", "printed"), [("chatcompat: words", "chatcompat: words\n"), (3, ""), (None, "")])
def test_a_reason_is_printed_once(code: Any, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    say_why(SystemExit(code))
    assert capsys.readouterr().err == printed


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_at_the_start_ends_the_command(
    workers: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if workers > 1:
        monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as stopped:
        SERVE._run(config_of(BROKEN, workers=workers), "an inner app")
    assert stopped.value.code == 1
    out, err = capfd.readouterr()
    assert "chatcompat: cannot start: KeyError: 'none'" in err
    assert "Try it" not in out


def test_a_failure_of_a_server_that_runs_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(server: StoppableServer, sockets: list[socket.socket]) -> None:
        server.started = True
        raise LookupError

    monkeypatch.setattr(StoppableServer, "run", fail)
    with pytest.raises(LookupError):
        SERVE._run(config_of(), "an inner app")


# ---------------------------------------------------------------- the supervisor


class Child:
    """A worker process that lives for some questions."""

    exitcode: int | None = None

    def __init__(self, lives: int, *, ready: bool = True) -> None:
        self.process = SimpleNamespace(is_alive=self.is_alive, terminate=self.terminate)
        self.ready, self.lives, self.told = ready, lives, 0

    def is_alive(self) -> bool:
        self.lives -= 1
        return self.lives >= 0

    def is_ready(self, timeout: float) -> bool:
        return self.ready

    def terminate(self) -> None:
        self.told += 1

    def join(self) -> None:
        """A child that is gone already."""


def supervisor(monkeypatch: pytest.MonkeyPatch, *children: Child) -> Supervisor:
    monkeypatch.setattr(multiprocess, "Process", multiprocess.Process)  # undone afterwards
    made = Supervisor(config_of(workers=len(children)), [], "Welcome.")
    monkeypatch.setattr(Multiprocess, "init_processes", lambda self: self.processes.extend(children))
    return made


@pytest.mark.usefixtures("no_signals")
@pytest.mark.parametrize(
    ("children", "printed"),
    [((Child(9), Child(9)), "Welcome.\n"), ((Child(0), Child(9)), "")],
)
def test_the_welcome_is_printed_once_all_serve(
    children: tuple[Child, Child], printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = supervisor(monkeypatch, *children)
    made.init_processes()
    assert capsys.readouterr().out == printed
    assert not made.failed
    children[0].exitcode = STARTUP_FAILURE
    assert made.failed


@pytest.mark.usefixtures("no_signals")
def test_a_signal_while_workers_start_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = supervisor(monkeypatch, Child(9, ready=False))
    made.signal_queue.append(signal.SIGTERM)
    made.init_processes()
    assert made.should_exit.is_set()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("no_signals")
def test_a_second_signal_stops_the_streams_of_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    children = Child(4), Child(4)
    made = supervisor(monkeypatch, *children)
    made.init_processes()
    for child in children:
        child.lives = 3
    made.signal_queue.append(signal.SIGINT)
    made.join_all()
    assert [child.told for child in children] == [1, 1]
    assert made.signal_queue == []


assert sys.modules["chatcompat.cli.serve"] is SERVE
