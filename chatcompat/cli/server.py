"""The server processes of `chatcompat serve`: how they start, and how they stop."""

import asyncio
import logging
import signal
import socket
import sys
import time
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from chatcompat.cli.open_requests import OpenRequests
from chatcompat.cli.patience import PatientConfig
from chatcompat.cli.serve_app import Settings, create_app
from chatcompat.cli.warm_up import warm_up

_FORCE_AFTER: Final = 3  # seconds after the end of the shutdown timeout

_logger: Final = logging.getLogger("chatcompat.serve")


class ServeConfig(PatientConfig):
    """uvicorn's configuration for one process. Each process makes its own app."""

    def __init__(self, settings: Settings, *, shutdown_timeout: int, **options: Any) -> None:
        super().__init__(
            "set in `load`",
            factory=True,
            access_log=False,  # `RequestLog` writes the log
            request_timeout=settings.request_timeout,
            timeout_graceful_shutdown=shutdown_timeout + _FORCE_AFTER,
            **options,
        )
        self.settings: Settings = settings
        self.shutdown_timeout: int = shutdown_timeout
        self.requests: OpenRequests = OpenRequests()

    def load(self) -> None:
        """Make the app."""
        self.requests = OpenRequests()
        self.app: Any = partial(create_app, self.settings, self.requests)
        super().load()


class StoppableServer(uvicorn.Server):
    """Waits for open streams when it is stopped. A second signal or the timeout ends them with an error."""

    config: ServeConfig

    def __init__(self, config: ServeConfig, welcome: str = "", *, is_worker: bool = False) -> None:
        super().__init__(config)
        self._welcome = welcome
        self._is_worker = is_worker
        self._in_a_hurry = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the welcome. From now on, signals stop the server, even those that its parent ignores."""
        await warm_up()
        await super().startup(sockets=sockets)
        if self.started and self._welcome:
            print(self._welcome, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop gracefully at the first signal, and at once at the second. A terminal's Ctrl-C is for the parent."""
        if self._is_worker and sig == signal.SIGINT:
            return
        self._in_a_hurry = self.should_exit
        self._captured_signals.append(sig)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for open requests, then end the remaining ones."""
        requests, timeout = str(self.config.requests), self.config.shutdown_timeout
        if requests and timeout:
            _logger.warning("waiting for %s, up to %d s; again to stop at once", requests, timeout)
        stopping = asyncio.create_task(self._stop_in_time(timeout))
        try:
            await super().shutdown(sockets=sockets)
        finally:
            stopping.cancel()

    async def _stop_in_time(self, seconds: int) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._in_a_hurry:  # noqa: ASYNC110 - a signal handler sets it
            await asyncio.sleep(0.05)
        if requests := str(self.config.requests):
            _logger.warning("stopping %s", requests)
        self.config.requests.stop()


class Worker(multiprocess.Process):
    """One of several server processes. If it cannot start, its exit status ends the command."""

    config: ServeConfig

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, in the process of the worker."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = self._server = StoppableServer(self.config, is_worker=True)
        try:
            super().target(sockets)
        except (Exception, SystemExit) as error:
            if server.started:
                raise
            say_why(error)
            sys.exit(STARTUP_FAILURE)  # any other status would start the worker again


class Supervisor(Multiprocess):
    """Keeps several workers running. Prints the welcome when all have started."""

    config: ServeConfig

    def __init__(self, config: ServeConfig, sockets: list[socket.socket], welcome: str) -> None:
        super().__init__(config, sockets)
        self._welcome = welcome
        multiprocess.Process = Worker  # type: ignore[misc]  # `Multiprocess` has no other hook

    @property
    def failed(self) -> bool:
        """Whether a worker could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def init_processes(self) -> None:
        """Start the workers, and wait until all of them serve."""
        super().init_processes()
        for process in self.processes:
            while process.process.is_alive() and not process.is_ready(timeout=0.2):
                self.handle_signals()
                if self.should_exit.is_set():
                    return
        if all(process.process.is_alive() for process in self.processes):
            print(self._welcome, flush=True)

    def join_all(self) -> None:
        """Wait for the workers. A second signal stops their streams at once."""
        while any(process.process.is_alive() for process in self.processes):
            if {signal.SIGINT, signal.SIGTERM} & set(self.signal_queue):
                self.signal_queue.clear()
                for process in self.processes:
                    process.process.terminate()
            time.sleep(0.05)
        super().join_all()


def say_why(error: Exception | SystemExit) -> None:
    """Print why the server could not start. A `SystemExit` has the message, or a number that uvicorn has logged."""
    if not isinstance(error, SystemExit):
        print(f"chatcompat: cannot start: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    elif isinstance(error.code, str):
        print(error.code, file=sys.stderr, flush=True)
