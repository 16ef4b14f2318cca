"""The reason of an upstream's failure in the log: what the system says, and nothing that the upstream sent."""

import errno
import os
import socket
import ssl
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from chatcompat.errors import InvalidReply
from chatcompat.upstream.failures import log_failure, reason_of

KEY = ConnectionKey("h", 443, True, True, None, None, None)


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] SECRET")
    error.verify_message = "certificate has expired"
    return error


def ssl_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "SECRET")
    cast("Any", error).reason = reason
    return error


def proxy_error() -> aiohttp.ClientHttpProxyError:
    info = aiohttp.RequestInfo(URL("http://user:SECRET@h"), "GET", cast("Any", {}), URL("http://h"))
    return aiohttp.ClientHttpProxyError(info, (), status=407, message="SECRET")


REASONS: list[tuple[Exception, str]] = [
    (
        aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed ('SECRET', 9)")),
        f"ClientConnectorError: {os.strerror(errno.ECONNREFUSED)}",
    ),
    (
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
        "ClientConnectorDNSError: Name or service not known",
    ),
    (
        aiohttp.ClientConnectorCertificateError(KEY, certificate_error()),
        "ClientConnectorCertificateError: certificate has expired",
    ),
    (
        aiohttp.ClientConnectorSSLError(KEY, ssl_error("WRONG_VERSION_NUMBER")),
        "ClientConnectorSSLError: WRONG_VERSION_NUMBER",
    ),
    (aiohttp.ClientConnectorSSLError(KEY, ssl_error(None)), "ClientConnectorSSLError"),
    (proxy_error(), "ClientHttpProxyError: the proxy answered with status 407"),
    (aiohttp.ServerDisconnectedError("SECRET"), "ServerDisconnectedError"),
    (aiohttp.ClientPayloadError("SECRET"), "ClientPayloadError"),
    (TimeoutError(), "TimeoutError"),
    (OSError("SECRET"), "OSError"),
    (InvalidReply("The upstream sent a bad status."), "InvalidReply: The upstream sent a bad status."),
]


@pytest.mark.parametrize(("error", "reason"), REASONS, ids=lambda value: type(value).__name__)
def test_a_reason_has_the_type_and_what_the_system_says(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("url", "where"),
    [("https://h/SECRET", "h:443"), ("http://h", "h:80"), ("http://h:81", "h:81"), ("http://[::1]:82", "::1:82")],
)
def test_the_log_names_host_and_port_and_no_path(url: str, where: str, caplog: pytest.LogCaptureFixture) -> None:
    log_failure(urlsplit(url), TimeoutError())
    assert caplog.messages == [f"The upstream {where} failed: TimeoutError"]
