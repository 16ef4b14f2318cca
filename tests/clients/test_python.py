"""Frameworks and a command for Python, each in an environment of its own: one scenario of a script a test."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.clients.python.environments import CLIENTS, HERE, python

pytestmark = pytest.mark.clients

SCENARIOS = ["plain", "streamed", "tool loop", "structured output", "abort"]


@cache
def output(client: str, url: str, observed_url: str, folder: Path) -> str:
    """What the script of a client says of all its scenarios."""
    interpreter = python(client)
    if interpreter is None:
        reason = "needs `python tests/clients/python/environments.py`"
        if os.environ.get("CI") == "true" and shutil.which("uv") is not None:
            pytest.fail(reason)
        pytest.skip(reason)
    urls = {"CHATCOMPAT_URL": url, "CHATCOMPAT_OBSERVED_URL": observed_url, "CHATCOMPAT_FOLDER": str(folder)}
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "COVERAGE_"))}
    return subprocess.run(
        [interpreter, HERE / f"use_{client}.py"],
        env=foreign | urls,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    ).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a client may keep its settings."""
    return tmp_path_factory.mktemp("client")


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("client", CLIENTS)
def test_python_client(client: str, scenario: str, url: str, observed_url: str, folder: Path) -> None:
    said = output(client, url, observed_url, folder)
    assert re.search(rf"^ok {scenario}$", said, re.MULTILINE), said
