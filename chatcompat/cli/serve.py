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

{read}  chat completions  {url}/v1/chat/completions
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
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, Parameter(help="Port to listen on; 0 takes a free one.", validator=validators.Number(gte=0, lt=2**16))
    ] = 8000,
    upstream: Annotated[str | None, Parameter(help="URL of the messages API; without one, a simulator.")] = None,
    dialect: Annotated[DialectName, Parameter(help="What that API accepts.")] = "native",
    api_key_header: Annotated[
        bool, Parameter(help="Send the bearer credential as x-api-key too, for the vendor's own API.", negative="")
    ] = False,
    strict: Annotated[bool, Parameter(help="Refuse what would otherwise be ignored.")] = False,
    workers: Annotated[int, Parameter(help="Server processes.", validator=validators.Number(gte=1))] = 1,
    request_timeout: Annotated[
        int,
        Parameter(
            help="Seconds that a client has for a request's headers, and may be silent in its body.",
            validator=validators.Number(gte=1),
        ),
    ] = 60,
    shutdown_timeout: Annotated[
        int,
        Parameter(help="Seconds that streams have to finish when it is stopped.", validator=validators.Number(gte=0)),
    ] = 30,
    access_log: Annotated[bool, Parameter(help="Write one line of JSON to stderr for each exchange.")] = True,
    metrics: Annotated[bool, Parameter(help="Serve Prometheus metrics at /metrics.", negative="")] = False,
    traces: Annotated[bool, Parameter(help="Make an OpenTelemetry span of each exchange.", negative="")] = False,
) -> None:
    """Serve chat completions, and the native endpoint beside it.

    Each option can also be set in the environment (`CHATCOMPAT_UPSTREAM`), or in the table `[serve]` of the file
    `chatcompat.toml`, or of the one that `CHATCOMPAT_CONFIG` names. What is misspelt there is an error.
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
    """Exit with what to do where something is missing or wrong, before any process is started."""
    if settings.upstream is not None:
        try:
            Upstream(settings.upstream)
        except ValueError as error:  # a validator of the option would quote the URL, and with it a credential
            sys.exit(f"chatcompat: --upstream: {error}")
    if settings.metrics and workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        sys.exit("chatcompat: --metrics with --workers needs PROMETHEUS_MULTIPROC_DIR, an empty directory")
    for wanted, module in ((settings.metrics, "chatcompat.prometheus"), (settings.traces, "chatcompat.otel")):
        if wanted:
            load(module)


def _run(config: uvicorn.Config, inner: str) -> None:
    """Listen, say where, and serve until stopped."""
    with config.bind_socket() as listener, suppress(KeyboardInterrupt):
        listener.listen(config.backlog)  # from here on a connection waits for the server instead of failing
        path = config_file()
        read = "" if path is None else f"  configuration     {path}\n"
        print(_WELCOME.format(version=chatcompat.__version__, inner=inner, read=read, url=url_of(listener)), flush=True)
        if config.workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket, its address in brackets if it is IPv6 (RFC 3986, section 3.2.2)."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
