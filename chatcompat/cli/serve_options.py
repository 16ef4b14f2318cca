"""Checks of the options of `chatcompat serve`, before any process starts. A bad value exits with status 2."""

import os
import re
import ssl
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chatcompat.cli.serve_app import Settings, load
from chatcompat.cli.settings import exit_with
from chatcompat.upstream import Upstream

# A scheme and a host, of a web page or of a desktop app: `https://a.example:8443`, `app://obsidian.md`.
ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}+://[^/?#@\s]{1,255}+")
_ENDPOINTS: Final = ("/messages", "/chat/completions")


def to_upstream(url: str | None) -> str | None:
    """The URL of the upstream without `/v1`, since that is part of the paths. Says so if it leaves anything out."""
    if url is None:
        return None
    base = url.rstrip("/")
    for endpoint in _ENDPOINTS:
        base = base.removesuffix(f"/v1{endpoint}") if base.endswith(f"/v1{endpoint}") else base
    base = base.removesuffix("/v1")
    try:
        Upstream(base)
    except ValueError as error:  # it does not quote the URL, which may have credentials
        exit_with(f"--upstream: {error}")
    if base != url.rstrip("/"):
        left_out = url.rstrip("/").removeprefix(base)
        print(f"chatcompat: --upstream: {left_out} is left out, since /v1/messages is added", file=sys.stderr)
    return base


def to_aliases(pairs: Iterable[str]) -> dict[str, str]:
    """Native model ids by the names that clients use."""
    aliases = {}
    for pair in pairs:
        chat, equals, native = pair.partition("=")
        if not (chat and equals and native):
            exit_with(f"--model-alias must be CHAT=NATIVE, for instance gpt-4o=caicaini/auto, not {pair[:100]!r}")
        aliases[chat] = native
    return aliases


def check_settings(settings: Settings, *, host: str, root_path: str, workers: int) -> None:
    """Check what the command line does not: some values, and that the modules and folders they need exist."""
    for origin in settings.cors:
        if origin != "*" and ORIGIN.fullmatch(origin) is None:
            exit_with(f"--cors must be * or an origin without a path, such as https://app.example, not {origin[:99]!r}")
    if root_path and (not root_path.startswith("/") or root_path.endswith("/") or not root_path.isascii()):
        exit_with(f"--root-path must begin with a slash and not end with one, not {root_path[:100]!r}")
    if not host:
        exit_with("--host must not be empty. To listen on all addresses, use 0.0.0.0 or ::")
    if any(not model for model in settings.models):
        exit_with("--models must not have an empty name")
    if settings.store is not None:
        try:
            load("chatcompat.redis").RedisStore(settings.store)
        except ValueError:  # its text would quote the URL and any password in it
            exit_with("--store must be the URL of a Redis server: redis://, rediss:// or unix://")
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if settings.metrics and folder is not None and not (Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        exit_with(f"PROMETHEUS_MULTIPROC_DIR must be a directory that can be written, not {folder!r}")
    for enabled, module in ((settings.metrics, "chatcompat.prometheus"), (settings.otel, "chatcompat.otel")):
        if enabled:
            load(module)
    check_workers(settings, workers)
    check_inspector(settings, host)


def check_workers(settings: Settings, workers: int) -> None:
    """Check the options that do not work with several workers, or need more with them."""
    if settings.metrics and workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        exit_with("--metrics with --workers: set PROMETHEUS_MULTIPROC_DIR to an empty directory")
    if settings.inspect and workers > 1:
        exit_with("--inspect with --workers: the inspector shows the exchanges of one process. Leave out --workers")


def check_inspector(settings: Settings, host: str) -> None:
    """Refuse to serve the inspector to other machines unless that is asked for: it has no access control."""
    if settings.inspect_anywhere and not settings.inspect:
        exit_with("--inspect-anywhere needs --inspect")
    if not settings.inspect or settings.inspect_anywhere:
        return
    if not load("chatcompat.inspector.guard").is_loopback(host):
        exit_with(
            f"--inspect with --host {host[:100]}: the inspector would be open to other machines. "
            "Listen on 127.0.0.1, or allow that with --inspect-anywhere"
        )


def check_tls(certificate: Path | None, key: Path | None, password: str | None) -> None:
    """Load the certificate and its key as the server will."""
    if certificate is None:
        if key is not None or password is not None:
            exit_with("--ssl-keyfile needs --ssl-certfile")
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, lambda: password or "")
    except (OSError, ValueError) as error:  # an `ssl.SSLError` is an `OSError`
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        exit_with(f"--ssl-certfile {certificate} and --ssl-keyfile {key or certificate} cannot be loaded: {reason}")
