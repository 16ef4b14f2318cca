"""`pytest --chatcompat-url`: the rules as tests, and other people's runs as they were without the plugin."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import chatcompat.check
from chatcompat.check import RULES, Endpoint, Rule

HERE = Path(__file__).parent.parent.parent
GENERAL = [rule for rule in RULES if not rule.needs_origin]
KEY = "cai_api_secret_of_ours"
PLUGIN = ("-p", "pytest_chatcompat")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest in a folder of its own, as somebody else runs it."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTEST_ADDOPTS", "OPENAI_API_KEY")}
    return subprocess.run(
        command,
        cwd=folder,
        env=kept | {"OPENAI_API_KEY": KEY, "COLUMNS": "150", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The outcome of each test, from `-v`."""
    words = [line.split() for line in done.stdout.splitlines()]
    return {line[0]: line[1] for line in words if len(line) > 1 and line[1] in ("PASSED", "FAILED", "ERROR")}


def test_the_entry_point_is_declared() -> None:
    declared = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared["pytest11"] == {"chatcompat": "pytest_chatcompat"}


@pytest.mark.skipif(
    not any(found.name == "chatcompat" for found in entry_points(group="pytest11")), reason="installed before"
)
def test_pytest_finds_it_where_chatcompat_is_installed(server: str, tmp_path: Path) -> None:
    if not any(found.name == "chatcompat" for found in entry_points(group="pytest11")):
        pytest.skip("chatcompat was installed before it had the plugin; install it again")
    done = run(tmp_path, "--chatcompat-url", server, "--chatcompat-only", "models", PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_each_rule_is_a_test_and_ours_pass(server: str, tmp_path: Path) -> None:
    done = run(tmp_path, *PLUGIN, "-v", "--chatcompat-url", f"{server}/v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == {f"chatcompat::{rule.id}": "PASSED" for rule in GENERAL}
    assert f"collected {len(GENERAL)} items" in done.stdout
    assert f"chatcompat: {len(GENERAL)} rules at {server}/v1" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_a_rule_that_fails_says_what_was_seen(server: str, tmp_path: Path) -> None:
    only = ("--chatcompat-only", "stream-done", "--chatcompat-only", "stream-text")
    done = run(
        tmp_path, *PLUGIN, "-v", "--chatcompat-url", f"{server}/stream-done/v1", "--chatcompat-model", "sim-1", *only
    )
    assert done.returncode == 1
    assert outcomes(done) == {"chatcompat::stream-done": "FAILED", "chatcompat::stream-text": "PASSED"}
    assert "chatcompat: stream-done" in done.stdout
    assert "wanted [DONE] and an empty line at the end; seen:" in done.stdout
    assert "Traceback" not in done.stdout


def test_rules_are_chosen_like_other_tests(server: str, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_mine(): pass\ndef test_reply_text(): pass\n")
    url = ("-v", "--chatcompat-url", server)
    chosen = outcomes(run(tmp_path, *PLUGIN, *url, "-k", "mine or reply-text"))
    assert chosen == {"test_a.py::test_mine": "PASSED", "chatcompat::reply-text": "PASSED"}
    marked = run(tmp_path, *PLUGIN, *url, "-m", "chatcompat", "-k", "reply-text")
    assert outcomes(marked) == {"chatcompat::reply-text": "PASSED"}


@pytest.mark.parametrize(
    ("path", "key", "reason"),
    [
        ("/missing", KEY, "/missing/models lists no model. Choose one with --chatcompat-model"),
        ("", "invalid", "the endpoint refuses the credential with status 401. Set OPENAI_API_KEY or --chatcompat-api"),
    ],
)
def test_an_endpoint_that_cannot_be_tried_fails_each_rule(
    path: str, key: str, reason: str, server: str, tmp_path: Path
) -> None:
    only = ("--chatcompat-only", "reply-text", "--chatcompat-only", "stream-text")
    done = run(tmp_path, *PLUGIN, "--chatcompat-url", server + path, "--chatcompat-api-key", key, *only)
    assert done.returncode == 1
    assert (
        done.stdout.count(f"This rule could not be tried: {server}{path}"[:40]) == 2 or done.stdout.count(reason) >= 2
    )
    assert reason in done.stdout
    assert "Traceback" not in done.stdout


def test_a_fault_of_a_rule_itself_keeps_its_traceback(tmp_path: Path, server: str) -> None:
    (tmp_path / "conftest.py").write_text(
        "import chatcompat.check as check\n"
        "async def probe(endpoint): raise RuntimeError('a fault of the rule')\n"
        "check.RULES = (check.Rule('odd', 'Fails.', probe),)\n"
    )
    done = run(tmp_path, *PLUGIN, "--chatcompat-url", server)
    assert done.returncode == 1
    assert "RuntimeError: a fault of the rule" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--chatcompat-url", "ftp://x"], "--chatcompat-url: the URL must have the form http(s)://host"),
        (["--chatcompat-url", ""], "--chatcompat-url: the URL of the endpoint is missing"),
        (["--chatcompat-url", "http://x", "--chatcompat-only", "none"], "no such rule: none"),
        (["--chatcompat-url", "http://x", "--chatcompat-api-key", "a\nb"], "may only contain printable ASCII"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors(arguments: list[str], reason: str, tmp_path: Path) -> None:
    done = run(tmp_path, *PLUGIN, *arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "httpx2.py").write_text("raise ModuleNotFoundError(\"No module named 'httpx2'\", name='httpx2')\n")
    done = run(tmp_path, *PLUGIN, "--chatcompat-url", "http://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 4
    assert "No module named 'httpx2'. Run: pip install 'chatcompat[serve]'" in done.stderr


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs pytest in this process, as somebody else would."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


@pytest.mark.parametrize(
    ("path", "outcome", "words"),
    [
        ("/v1", {"passed": 2}, "chatcompat: 2 rules at "),
        ("/stream-done/v1", {"passed": 1, "failed": 1}, "wanted [DONE] and an empty line at the end; seen:"),
        ("/missing", {"failed": 2}, "This rule could not be tried: "),
    ],
)
def test_rules_run_in_the_process_of_the_session(
    path: str, outcome: dict[str, int], words: str, server: str, session: pytest.Pytester
) -> None:
    only = ("--chatcompat-only", "stream-done", "--chatcompat-only", "stream-text")
    done = session.runpytest_inprocess(*PLUGIN, "--chatcompat-url", server + path, *only)
    done.assert_outcomes(**outcome)
    assert words in done.stdout.str()
    assert KEY not in done.stdout.str() + done.stderr.str()


def test_wrong_options_and_faulty_rules_in_the_process_of_the_session(
    server: str, session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def probe(endpoint: Endpoint) -> None:
        raise RuntimeError("a fault of the rule")

    done = session.runpytest_inprocess(*PLUGIN, "--chatcompat-url", "ftp://x")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    monkeypatch.setattr(chatcompat.check, "RULES", (Rule("odd", "Fails.", probe),))
    done = session.runpytest_inprocess(*PLUGIN, "--chatcompat-url", server)
    done.assert_outcomes(failed=1)
    assert "RuntimeError: a fault of the rule" in done.stdout.str()


# ---------------------------------------------------------------- other people's runs

ASKS = """
import sys
def test_nothing_of_it_is_there(pytestconfig):
    loaded = [name for name in sys.modules if name.split(".")[0] in ("chatcompat", "httpx2", "msgspec", "anyio")]
    assert loaded == []
    assert pytestconfig.pluginmanager.get_plugin("chatcompat-rules") is None
"""


def test_a_run_without_the_option_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(ASKS)
    done = run(tmp_path, *PLUGIN)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "chatcompat:" not in done.stdout


def test_a_run_is_the_same_with_and_without_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own(): pass\ndef test_fails(): assert 0\n")
    seen: list[Any] = []
    for plugin in (PLUGIN, ()):
        done = run(tmp_path, "-v", *plugin)
        lines = [line for line in done.stdout.splitlines() if " in " not in line and not line.startswith("plugins:")]
        seen.append((done.returncode, lines, done.stderr))
    assert seen[0] == seen[1]
