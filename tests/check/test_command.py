"""`chatcompat check`, as it is typed into a shell and as CI runs it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chatcompat.check import RULES
from chatcompat.cli import app

KEY = "cai_api_secret_of_ours"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> int:
    status = app(["check", *arguments], result_action="return_value")
    assert isinstance(status, int)
    return status


def test_ours_holds_in_a_shell(server: str) -> None:
    command = [sys.executable, "-m", "chatcompat", "check", server]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=os.environ.copy())
    assert done.returncode == 0
    assert done.stderr.splitlines() == [f"{at}/{len(RULES)} {rule.id} holds" for at, rule in enumerate(RULES, 1)]
    assert f"{len(RULES)} of {len(RULES)} rules hold at {server}/v1 for caicaini/auto" in done.stdout
    assert "fails" not in done.stdout
    assert KEY not in done.stdout


def test_what_fails_is_told_with_its_reason(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{server}/stream-done/v1/chat/completions", "--only", "stream-done", "--only", "stream-text") == 1
    told = capsys.readouterr()
    assert "wanted [DONE] as the last event; seen:" in told.out
    assert "1 of 2 rules hold" in told.out
    assert told.err.splitlines() == ["1/2 stream-done fails", "2/2 stream-text holds"]


def test_the_outcome_as_json(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--json", "--model", "sim-1", "--only", "stream-done", "reply-text"]
    assert run(f"{server}/stream-done/v1/?x#y", *arguments) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["holding"], told["failing"]) == ("sim-1", 1, 1)
    assert [(rule["id"], rule["holds"], rule["why"] is None) for rule in told["rules"]] == [
        ("reply-text", True, True),
        ("stream-done", False, False),
    ]


def test_the_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    assert all(rule.id in line for rule, line in zip(RULES, capsys.readouterr().out.splitlines()[1:], strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["http://127.0.0.1:1/v1", "--model", "m"],
        ["http://127.0.0.1:1/v1"],
        ["ftp://x/v1"],
        ["http://user:secret@127.0.0.1/v1"],
        ["http://127.0.0.1/v1", "--only", "none"],
        ["http://127.0.0.1/v1", "--timeout", "0"],
    ],
)
def test_what_cannot_run_is_a_status_of_its_own(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("chatcompat check: ")
    assert "secret" not in told.err


def test_a_refused_credential_is_told(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, "--api-key", "invalid") == 2
    assert "refuses the credential, with status 401" in capsys.readouterr().err


@pytest.fixture
def other() -> Iterator[Callable[[bytes], str]]:
    """A server that answers each GET with this, and nothing else."""
    running: list[ThreadingHTTPServer] = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("body", [b"<html>", b'{"object": "list", "data": []}'])
def test_without_a_list_of_models_one_must_be_named(
    other: Callable[[bytes], str], body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(other(body)) == 2
    assert "name one with --model" in capsys.readouterr().err
