"""`chatcompat serve`."""

import os
import socket
import sys
from contextlib import suppress
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
import uvicorn
from cyclopts import Parameter, validators
from uvicorn.supervisors import Multiprocess

import chatcompat
from chatcompat.cli.patience import PatientConfig
from chatcompat.cli.serve_app import SETTINGS, Settings, load
from chatcompat.cli.settings import config_file
from chatcompat.upstream import Upstream

_WELCOME: Final = """\
chatcompat {version} in front of {inner}.

{config}  chat completions  {url}/v1/chat/completions
  native messages   {url}/v1/messages

Try it:

curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer cai_api_YOUR_KEY" -H "Content-Type: application/json" \\
  -d '{{"model": "caicaini/auto", "max_tokens": 256,
       "messages": [{{"role": "system", "content": "You are concise."}},
                    {{"role": "user", "content": "Two reasons to use TypeScript over JS in 2026?"}}]}}'
"""

DialectName = Literal["native", "native-2026-10-21", "llama-cpp"]


def serve(
    *,
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, Parameter(help="The port to listen on. 0 picks a free one.", validator=validators.Number(gte=0, lt=2**16))
    ] = 8000,
    upstream: Annotated[
        str | None, Parameter(help="The URL of the messages API. Defaults to a built-in simulator.")
    ] = None,
    dialect: Annotated[DialectName, Parameter(help="The dialect of the messages API.")] = "native",
    api_key_header: Annotated[
        bool, Parameter(help="Also send the bearer token as x-api-key, as the vendor's API requires.", negative="")
    ] = False,
    strict: Annotated[bool, Parameter(help="Refuse requests with fields that would be ignored.")] = False,
    workers: Annotated[int, Parameter(help="The number of server processes.", validator=validators.Number(gte=1))] = 1,
    request_timeout: Annotated[
        int,
        Parameter(
            help="Seconds to wait for a request's headers, and for each piece of its body.",
            validator=validators.Number(gte=1),
        ),
    ] = 60,
    shutdown_timeout: Annotated[
        int,
        Parameter(help="Seconds to wait for open streams on shutdown.", validator=validators.Number(gte=0)),
    ] = 30,
    access_log: Annotated[bool, Parameter(help="Log each exchange to stderr as one line of JSON.")] = True,
    metrics: Annotated[bool, Parameter(help="Serve Prometheus metrics at /metrics.", negative="")] = False,
    traces: Annotated[bool, Parameter(help="Create an OpenTelemetry span for each exchange.", negative="")] = False,
) -> None:
    """Serve chat completions alongside the native messages endpoint.

    Each option can also be set by an environment variable, such as `CHATCOMPAT_UPSTREAM`, or in the table `[serve]` of
    `chatcompat.toml`. `CHATCOMPAT_CONFIG` names a different file. Unknown names are errors.
    """
    settings = Settings(
        upstream=upstream,
        dialect=dialect,
        api_key_header=api_key_header,
        strict=strict,
        access_log=access_log,
        metrics=metrics,
        traces=traces,
        request_timeout=request_timeout,
    )
    _check(settings, workers)
    os.environ[SETTINGS] = msgspec.json.encode(settings).decode()
    config = PatientConfig(
        "chatcompat.cli.serve_app:create_app",
        request_timeout=request_timeout,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=shutdown_timeout,
    )
    _run(config, "its simulator, a deterministic messages service" if upstream is None else urlsplit(upstream).netloc)


def _check(settings: Settings, workers: int) -> None:
    """Exit with a hint if a setting is wrong or a dependency is missing, before any process starts."""
    if settings.upstream is not None:
        try:
            Upstream(settings.upstream)
        except ValueError as error:  # a cyclopts validator would quote the URL and any credentials in it
            sys.exit(f"chatcompat: --upstream: {error}")
    if settings.metrics and workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        sys.exit("chatcompat: --metrics with --workers: set PROMETHEUS_MULTIPROC_DIR to an empty directory")
    for enabled, module in ((settings.metrics, "chatcompat.prometheus"), (settings.traces, "chatcompat.otel")):
        if enabled:
            load(module)


def _run(config: uvicorn.Config, inner: str) -> None:
    """Listen, serve, print the URLs, and return when interrupted."""
    with config.bind_socket() as listener, suppress(KeyboardInterrupt):
        listener.listen(config.backlog)  # connections now queue until the server starts
        path = config_file()
        config_line = "" if path is None else f"  configuration     {path}\n"
        welcome = _WELCOME.format(version=chatcompat.__version__, inner=inner, config=config_line, url=url_of(listener))
        if config.workers > 1:
            supervisor = Multiprocess(config, sockets=[listener])  # handles signals from here on
            print(welcome, flush=True)
            supervisor.run()
        else:
            _Server(config, welcome).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Prints the welcome when it has started. From then on a signal stops it, even one that its parent ignores."""

    def __init__(self, config: uvicorn.Config, welcome: str) -> None:
        super().__init__(config)
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the welcome."""
        await super().startup(sockets=sockets)
        print(self._welcome, flush=True)


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket. An IPv6 address is in brackets (RFC 3986, section 3.2.2)."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
