"""Options of `chatcompat serve` from the environment and from a file, and errors for unknown ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_serve import served


def run(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    """The exit status, and what was said on the way, without a traceback."""
    command = [sys.executable, "-m", "chatcompat", "serve", "--port", "0", *options]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr
    assert "http://" not in done.stdout
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("CHATCOMPAT_UPSTRAEM", "; did you mean CHATCOMPAT_UPSTREAM?"),
        ("CHATCOMPAT_API_KEY", "; did you mean CHATCOMPAT_API_KEY_HEADER?"),
        ("CHATCOMPAT_PORT_", "; did you mean CHATCOMPAT_PORT?"),
        ("CHATCOMPAT_XYZZY", ""),
    ],
)
def test_a_variable_that_is_no_option_is_an_error(tmp_path: Path, variable: str, hint: str) -> None:
    status, stderr = run(tmp_path, **{variable: "sk-hidden"})
    assert (status, stderr) == (2, f"chatcompat: the environment variable {variable} is not an option of serve{hint}\n")


FILES = {
    '[serv]\nupstream = "http://a"': "chatcompat.toml has 'serv' outside the table [serve], where it has no effect"
    "; did you mean serve?",
    'upstream = "http://a"': "chatcompat.toml has 'upstream' outside the table [serve], where it has no effect",
    "[serve": "chatcompat.toml is not TOML: Expected ']' at the end of a table declaration",
}


@pytest.mark.parametrize("text", FILES)
def test_a_file_that_nobody_reads_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "chatcompat.toml").write_text(text)
    status, stderr = run(tmp_path)
    assert status == 2
    assert stderr.startswith(f"chatcompat: {FILES[text]}")


def test_an_option_that_is_misspelt_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "chatcompat.toml").write_text('[serve]\nupstraem = "http://a"')
    status, stderr = run(tmp_path)
    assert status != 0
    assert "upstraem" in stderr


def test_the_file_that_is_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[serve]\naccess-log = false\n")
    with served(tmp_path, CHATCOMPAT_CONFIG="other.toml", CHATCOMPAT_REQUEST_TIMEOUT="5") as found:
        assert "configuration     other.toml" in found.banner
    (tmp_path / "other.toml").rename(tmp_path / "chatcompat.toml")
    with served(tmp_path) as found:
        assert "configuration     chatcompat.toml" in found.banner
    (tmp_path / "chatcompat.toml").unlink()
    with served(tmp_path, CHATCOMPAT_ACCESS_LOG="false") as found:
        assert "configuration" not in found.banner
