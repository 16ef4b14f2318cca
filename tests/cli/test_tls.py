"""TLS files, as an operator passes them."""

import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from chatcompat.cli.serve_options import check_tls
from tests.cli.test_serve import served

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


def make(folder: Path, *, password: str = "") -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, "-days", "2"]
    protection = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*map(str, command), *protection, *subject], check=True, capture_output=True)
    return certificate, key


def test_a_certificate_is_served(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, password="hidden")
    options = ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
    with served(tmp_path, *options, CHATCOMPAT_SSL_KEYFILE_PASSWORD="hidden") as found:
        assert found.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(f"{found.url}/healthz", timeout=30, context=context) as reply:
            assert reply.read() == b'{"status":"ok"}'


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    certificate, key = make(tmp_path)
    certificate.write_text(certificate.read_text() + key.read_text())
    check_tls(certificate, None, None)


@pytest.mark.parametrize("fault", ["another key", "no key", "wrong password", "no certificate", "a folder"])
def test_files_that_cannot_be_served_are_named(tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = make(tmp_path, password="right" if fault == "wrong password" else "")
    if fault == "another key":
        (tmp_path / "other").mkdir()
        key = make(tmp_path / "other")[1]
    elif fault == "no certificate":
        certificate.write_text("words")
    elif fault == "a folder":
        certificate = tmp_path
    with pytest.raises(SystemExit) as stopped:
        check_tls(certificate, None if fault == "no key" else key, "wrong" if fault == "wrong password" else None)
    printed = capsys.readouterr().err
    assert stopped.value.code == 2
    assert f"--ssl-certfile {certificate} and --ssl-keyfile" in printed
    assert "wrong" not in printed
