"""Failures of the upstream: the error for the client, and the reason for the log."""

import logging
import os
import ssl
from typing import Final
from urllib.parse import SplitResult

import aiohttp

from chatcompat.errors import InvalidReply

TOO_LARGE: Final = "The upstream messages service sent headers that are too large."
_CANNOT_BE_REACHED: Final = "The upstream messages service cannot be reached, or sent no reply."

_logger: Final = logging.getLogger("chatcompat.upstream")


def bad_gateway_message(error: Exception) -> str:
    """The message of a 502."""
    if isinstance(error, InvalidReply):
        return error.message
    # aiohttp raises the same exception for everything that it cannot parse.
    too_large = ("Got more than", "Too many headers")
    if isinstance(error, aiohttp.ClientResponseError) and error.message.startswith(too_large):
        return TOO_LARGE
    return _CANNOT_BE_REACHED


def log_failure(url: SplitResult, error: Exception) -> None:
    """Log a failure of the upstream at `url` as a warning, with its host, its port and the reason."""
    port = url.port or (443 if url.scheme == "https" else 80)
    fields = {"host": url.hostname, "port": port, "reason": reason_of(error)}
    _logger.warning("The upstream %(host)s:%(port)s failed: %(reason)s", fields, extra=fields)


def reason_of(error: Exception) -> str:
    """The reason of a failure: the type of the error, and the system's message. It quotes nothing of the upstream."""
    kind = type(error).__name__
    cause: Exception = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    detail = _detail_of(cause)
    return f"{kind}: {detail}" if detail else kind


def _detail_of(error: Exception) -> str:
    if isinstance(error, InvalidReply):
        return error.message
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered with status {error.status}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or ""
    if isinstance(error, OSError) and error.errno:
        # Only name lookups have negative numbers, with a text of the system. asyncio adds addresses to other texts.
        return os.strerror(error.errno) if error.errno > 0 else error.strerror or ""
    return ""
