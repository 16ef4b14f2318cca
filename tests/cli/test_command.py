"""The `chatcompat` command."""

import socket
import subprocess
import sys

import pytest

import chatcompat
from chatcompat import __main__
from chatcompat.cli.serve import url_of


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chatcompat", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_it_tells_its_version_and_its_commands() -> None:
    assert run("--version").stdout.strip() == chatcompat.__version__
    assert "serve" in run("--help").stdout


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run("serve", "--port", str(taken.getsockname()[1])).returncode != 0


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "Address already in use"), ("a\0b", "this is not a host")])
def test_an_address_that_cannot_be_had_is_named(
    host: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["chatcompat", "serve", "--host", host, "--port", port])
        with pytest.raises(SystemExit) as stopped:
            __main__.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"chatcompat: cannot listen on --host {host} --port {port}: {reason}\n"


def test_without_its_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chatcompat.cli", None)
    with pytest.raises(SystemExit, match=r"pip install 'chatcompat\[serve\]'"):
        __main__.main()


def test_an_ipv6_address_stands_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("needs IPv6")
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
