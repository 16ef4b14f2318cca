"""The GitHub Action: its inputs, and its own commands, run as a runner runs them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatcompat.check import RULES

HERE = Path(__file__).parent.parent.parent
GENERAL = sum(not rule.needs_origin for rule in RULES)
ACTION: Any = yaml.safe_load((HERE / "action.yml").read_text(encoding="utf-8"))
INSTALL, CHECK = ACTION["runs"]["steps"]
DEFAULTS = {name: field.get("default", "") for name, field in ACTION["inputs"].items()}


def run(step: Any, temporary: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """A step of the action, in the shell that a runner starts for `shell: bash`."""
    given = DEFAULTS | {name.replace("_", "-"): value for name, value in inputs.items()}
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
        for name, value in step.get("env", {}).items()
    }
    script = temporary / "script.sh"
    script.write_text(step["run"])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
        env=os.environ | environment | {"RUNNER_TEMP": str(temporary), "GITHUB_ACTION_PATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A runner's folder, in which chatcompat is installed."""
    commands = tmp_path / "chatcompat" / "bin"
    commands.mkdir(parents=True)
    command = commands / "chatcompat"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m chatcompat "$@"\n')
    command.chmod(0o755)
    return tmp_path


def test_it_is_an_action_that_runners_take() -> None:
    assert {"name", "description", "inputs", "runs"} <= ACTION.keys()
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        assert set(step) <= {"name", "shell", "env", "run"}
        assert step["shell"] == "bash"
    for field in ACTION["inputs"].values():
        assert field["description"].endswith(".")
        assert field.get("required", False) is not ("default" in field)
        assert isinstance(field.get("default", ""), str)


def test_each_input_is_read_and_none_is_part_of_a_script() -> None:
    read = re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", " ".join(CHECK["env"].values()))
    assert sorted(read) == sorted(ACTION["inputs"])
    assert "${{" not in INSTALL["run"] + CHECK["run"]


def test_an_endpoint_that_holds_passes(server: str, temporary: Path) -> None:
    done = run(CHECK, temporary, url=f"{server}/v1", api_key="cai_api_secret_of_ours", model="sim-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{GENERAL} of {GENERAL} rules hold at {server}/v1 for sim-1" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_an_endpoint_with_a_fault_fails_the_job(server: str, temporary: Path) -> None:
    done = run(CHECK, temporary, url=f"{server}/stream-done/v1", api_key="key", only="stream-done stream-text")
    assert done.returncode == 1
    assert "1 of 2 rules hold" in done.stdout


def test_an_input_is_never_a_command(temporary: Path) -> None:
    done = run(CHECK, temporary, url='"; echo oh >&2; exit 0; "', model="$(echo oh >&2)")
    assert done.returncode == 2
    assert "the URL must have the form" in done.stderr
    assert "oh" not in done.stderr.split()


@pytest.mark.clients
def test_its_installation_gives_the_command(tmp_path: Path) -> None:
    if shutil.which("python3") is None:
        pytest.skip("needs python3")
    assert (done := run(INSTALL, tmp_path)).returncode == 0, done.stderr
    listed = run({"run": '"$RUNNER_TEMP/chatcompat/bin/chatcompat" check --list'}, tmp_path)
    assert listed.returncode == 0
    assert "stream-done" in listed.stdout
