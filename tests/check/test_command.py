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
from chatcompat.check.endpoint import MAX_BYTES
from chatcompat.cli import app
from tests.check.table import ORIGIN

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
    command = [sys.executable, "-m", "chatcompat", "check", f"{server}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=os.environ.copy())
    assert done.returncode == 0
    general = [rule.id for rule in RULES if not rule.needs_origin]
    assert done.stderr.splitlines() == [f"{at}/{len(general)} {rule} holds" for at, rule in enumerate(general, 1)]
    assert f"{len(general)} of {len(general)} rules hold at {server}/v1 for caicaini/auto" in done.stdout
    assert "fails" not in done.stdout
    assert KEY not in done.stdout


def test_what_fails_is_told_with_its_reason(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{server}/stream-done/v1/chat/completions", "--only", "stream-done", "--only", "stream-text") == 1
    output = capsys.readouterr()
    assert "wanted [DONE] and an empty line at the end; seen:" in output.out
    assert "1 of 2 rules hold" in output.out
    assert output.err.splitlines() == ["1/2 stream-done fails", "2/2 stream-text holds"]


def test_web_pages_are_checked_where_an_origin_is_given(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    only = ["--only", "cors-preflight", "cors-reply", "cors-error"]
    assert run(server, "--cors", ORIGIN, *only) == 0
    assert run(server, "--cors", "https://other.example", *only) == 1
    assert "0 of 3 rules hold" in capsys.readouterr().out
    assert run(server, *only) == 2
    assert "cors-preflight, cors-reply, cors-error needs an origin. Pass one with --cors" in capsys.readouterr().err


def test_a_terminal_shows_a_bar(
    server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(server, "--only", "reply-text") == 0
    output = capsys.readouterr().err
    assert "reply-text" in output
    assert "\x1b[" in output
    assert "holds" not in output


def test_the_outcome_as_json(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--json", "--model", "sim-1", "--only", "stream-done", "reply-text"]
    assert run(f"{server}/stream-done/v1/?x#y", *arguments) == 1
    output = json.loads(capsys.readouterr().out)
    assert (output["model"], output["holding"], output["failing"]) == ("sim-1", 1, 1)
    assert [(rule["id"], rule["holds"], rule["why"] is None) for rule in output["rules"]] == [
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
        ["http://127.0.0.1/v1", "--cors", "https://app.example/page"],
        ["http://127.0.0.1:secret/v1"],
        ["http://127.0.0.1:99999/v1"],
        ["http://[::1/v1"],
        ["http://127.0.0.1:1/\x01", "--model", "m"],
        ["http://127.0.0.1:1/v1", "--api-key", "secret\n"],
        ["http://127.0.0.1:1/v1", "--api-key", "secr\u00e9t"],
    ],
)
def test_what_cannot_run_is_a_status_of_its_own(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("chatcompat check: ")
    assert "secret" not in output.err


def test_what_fails_is_told_whole_on_a_narrow_screen(
    server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert run(f"{server}/stream-done/v1", "--only", "stream-done", "--model", "sim-1") == 1
    output = "".join(line.strip() for line in capsys.readouterr().out.splitlines())
    assert '"native_finish_reason":"end_turn"}]}' in output


@pytest.mark.parametrize(("path", "model"), [("/v1", "no-such-model"), ("/v2", "sim-1")])
def test_an_endpoint_or_a_model_that_is_not_there_is_told(
    server: str, path: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server + path, "--model", model) == 2
    assert f"{path}/chat/completions does not exist, or has no model {model}: " in capsys.readouterr().err


def test_a_refused_credential_is_told(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, "--api-key", "invalid") == 2
    assert "refuses the credential with status 401. Set OPENAI_API_KEY" in capsys.readouterr().err


@pytest.fixture
def other() -> Iterator[Callable[[bytes], str]]:
    """A server that answers each GET with this, and each POST with a refusal."""
    running: list[ThreadingHTTPServer] = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.send_response(429)
                self.send_header("retry-after", "0")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


def test_a_model_is_chosen_from_ids_alone_and_a_quota_is_told(
    other: Callable[[bytes], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(other(b'{"data": [{"id": "m"}]}')) == 2
    assert "the rate limit or quota is exceeded (status 429)" in capsys.readouterr().err


def test_a_reply_without_end_is_told(other: Callable[[bytes], str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(other(b" " * (MAX_BYTES + 1))) == 2
    assert f"wanted a reply of at most {MAX_BYTES} bytes" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"<html>", b'{"object": "list", "data": []}'])
def test_without_a_list_of_models_one_must_be_named(
    other: Callable[[bytes], str], body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(other(body)) == 2
    output = capsys.readouterr().err
    assert "/v1/models lists no model. Choose one with --model" in output
    assert f"seen: {body.decode()}" in output
