"""`chatcompat serve`."""

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter, validators

import chatcompat
from chatcompat.asgi.middleware import MIB
from chatcompat.cli.log import LogFormat, LogLevel, logging_config
from chatcompat.cli.serve_app import Settings, load
from chatcompat.cli.serve_options import check_settings, check_tls, to_aliases, to_upstream
from chatcompat.cli.server import ServeConfig, StoppableServer, Supervisor, say_why
from chatcompat.cli.settings import config_file, exit_with

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

DialectName = Literal["native", "native-2026-10-21", "llama-cpp", "discover"]

_SECONDS: Final = validators.Number(gt=0)
_COUNT: Final = validators.Number(gte=1)


def serve(
    *,
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, Parameter(help="The port to listen on. 0 picks a free one.", validator=validators.Number(gte=0, lt=2**16))
    ] = 8000,
    root_path: Annotated[str, Parameter(help="The prefix that a proxy strips from all paths, such as /llm.")] = "",
    ssl_certfile: Annotated[Path | None, Parameter(help="The TLS certificate, as a PEM file.")] = None,
    ssl_keyfile: Annotated[Path | None, Parameter(help="The key of the certificate, if it is in another file.")] = None,
    ssl_keyfile_password: Annotated[str | None, Parameter(help="The password of the key.", show=False)] = None,
    upstream: Annotated[
        str | None, Parameter(help="The URL of the messages API, without /v1. Defaults to a built-in simulator.")
    ] = None,
    connect_timeout: Annotated[
        float, Parameter(help="Seconds that opening a connection to the upstream may take.", validator=_SECONDS)
    ] = 10.0,
    first_byte_timeout: Annotated[
        float, Parameter(help="Seconds that the upstream may take to begin its message.", validator=_SECONDS)
    ] = 600.0,
    idle_timeout: Annotated[
        float, Parameter(help="Seconds that the upstream may be silent after that.", validator=_SECONDS)
    ] = 300.0,
    dialect: Annotated[
        DialectName, Parameter(help="The dialect of the messages API, or discover to ask it about each model.")
    ] = "native",
    api_key_header: Annotated[
        bool, Parameter(help="Also send the bearer token as x-api-key, as the vendor's API requires.", negative="")
    ] = False,
    models: Annotated[
        list[str] | None,
        Parameter(help="List these models, instead of the upstream's own. May be repeated.", negative=""),
    ] = None,
    model_alias: Annotated[
        list[str] | None,
        Parameter(help="CHAT=NATIVE: a native model and the name that clients use. May be repeated.", negative=""),
    ] = None,
    store: Annotated[
        str | None, Parameter(help="Keep thinking in Redis, at redis:// or rediss://, for all processes.")
    ] = None,
    choices: Annotated[int, Parameter(help="The highest number of choices (n) in a request.", validator=_COUNT)] = 1,
    strict: Annotated[bool, Parameter(help="Refuse requests with fields that would be ignored.")] = False,
    cors: Annotated[
        list[str] | None,
        Parameter(help="An origin whose web pages may call this server, or *. May be repeated.", negative=""),
    ] = None,
    count_tokens: Annotated[
        bool, Parameter(help="Serve /v1/chat/completions/count_tokens, which counts tokens.", negative="")
    ] = False,
    path_hints: Annotated[bool, Parameter(help="Explain a 404 that a wrong base URL leads to.")] = True,
    max_body_bytes: Annotated[int, Parameter(help="The largest request.", validator=_COUNT)] = 32 * MIB,
    max_reply_bytes: Annotated[int, Parameter(help="The largest reply that is not streamed.", validator=_COUNT)] = 32
    * MIB,
    workers: Annotated[int, Parameter(help="The number of server processes.", validator=_COUNT)] = 1,
    request_timeout: Annotated[
        int,
        Parameter(help="Seconds to wait for a request's headers, and for each piece of its body.", validator=_COUNT),
    ] = 60,
    shutdown_timeout: Annotated[
        int,
        Parameter(help="Seconds to wait for open streams on shutdown.", validator=validators.Number(gte=0)),
    ] = 30,
    access_log: Annotated[bool, Parameter(help="Log each request as one line.")] = True,
    log_format: Annotated[LogFormat, Parameter(help="Log lines as JSON, or for people.")] = "json",
    log_level: Annotated[LogLevel, Parameter(help="Leave out lines below this level.")] = "info",
    log_client: Annotated[bool, Parameter(help="Log the address of each client.", negative="")] = False,
    metrics: Annotated[
        bool, Parameter(name=["--prometheus", "--metrics"], help="Serve Prometheus metrics at /metrics.", negative="")
    ] = False,
    otel: Annotated[
        bool,
        Parameter(name=["--otel", "--traces"], help="Create an OpenTelemetry span for each exchange.", negative=""),
    ] = False,
    inspect: Annotated[
        bool, Parameter(help="Serve the inspector at /inspect: a page for developers.", negative="")
    ] = False,
    inspect_anywhere: Annotated[
        bool, Parameter(help="Serve the inspector to other machines too, without any access control.", negative="")
    ] = False,
) -> None:
    """Serve chat completions alongside the native messages endpoint.

    Each option can also be set by an environment variable, such as `CHATCOMPAT_UPSTREAM`, or in the table `[serve]` of
    `chatcompat.toml`. `CHATCOMPAT_CONFIG` names a different file. Unknown names are errors.
    """
    settings = Settings(
        upstream=to_upstream(upstream),
        dialect=dialect,
        api_key_header=api_key_header,
        store=store,
        choices=choices,
        strict=strict,
        access_log=access_log,
        log_client=log_client,
        metrics=metrics,
        otel=otel,
        count_tokens=count_tokens,
        path_hints=path_hints,
        request_timeout=request_timeout,
        connect_timeout=connect_timeout,
        first_byte_timeout=first_byte_timeout,
        idle_timeout=idle_timeout,
        max_body_bytes=max_body_bytes,
        max_reply_bytes=max_reply_bytes,
        models=tuple(models or ()),
        model_aliases=to_aliases(model_alias or ()),
        cors=tuple(cors or ()),
        inspect=inspect,
        inspect_anywhere=inspect_anywhere,
    )
    check_settings(settings, host=host, root_path=root_path, workers=workers)
    check_tls(ssl_certfile, ssl_keyfile, ssl_keyfile_password)
    config = ServeConfig(
        settings,
        shutdown_timeout=shutdown_timeout,
        host=host,
        port=port,
        root_path=root_path,
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
        ssl_keyfile_password=ssl_keyfile_password,
        workers=workers,
        log_config=logging_config(log_format, log_level),
    )
    _run(config, "its simulator, a deterministic messages service" if upstream is None else urlsplit(upstream).netloc)


def _run(config: ServeConfig, inner: str) -> None:
    """Listen, serve, print the URLs, and return when interrupted."""
    with _listen(config.host, config.port) as listener, suppress(KeyboardInterrupt):
        listener.listen(config.backlog)  # connections now queue until the server starts
        path = config_file()
        config_line = "" if path is None else f"  configuration     {path}\n"
        url = url_of(listener, "https" if config.is_ssl else "http")  # a proxy in front strips the root path
        if config.settings.inspect:
            config_line += f"  inspector         {url}{load('chatcompat.inspector').PATH}\n"
        welcome = _WELCOME.format(version=chatcompat.__version__, inner=inner, config=config_line, url=url)
        if config.workers > 1:
            supervisor = Supervisor(config, [listener], welcome)  # handles signals from here on
            supervisor.run()
            if supervisor.failed:
                sys.exit(1)
        else:
            server = StoppableServer(config, welcome)
            try:
                server.run(sockets=[listener])
            except Exception as error:
                if server.started:
                    raise
                say_why(error)
                sys.exit(1)


def _listen(host: str, port: int) -> socket.socket:
    """Open a socket at an address. The error for a bad address names host and port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "this is not a host"
        exit_with(f"cannot listen on --host {host} --port {port}: {reason}")
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The URL of a listening socket. An IPv6 address is in brackets (RFC 3986, section 3.2.2)."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{scheme}://{host}:{port}"
