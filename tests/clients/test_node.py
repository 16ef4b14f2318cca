"""Clients for Node, the official `openai` package and the AI SDK: one scenario of a file in `node` a test."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "node"
FILES = ["openai.test.js", "ai-sdk.test.js"]
SCENARIOS = ["plain", "streamed", "tool loop", "structured output", "images", "errors", "abort"]


@pytest.fixture(scope="module")
def node() -> str:
    """The command; in CI nothing of it may be missing where npm could have installed it."""
    found = shutil.which("node")
    if found is not None and all((HERE / "node_modules" / name).is_dir() for name in ("ai", "openai")):
        return found
    reason = "needs Node 20 or later, and `npm ci` in tests/clients/node"
    if os.environ.get("CI") == "true" and shutil.which("npm") is not None:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("file", FILES)
def test_node_client(node: str, file: str, scenario: str, url: str, observed_url: str) -> None:
    command = [node, "--test", "--test-reporter=tap", "--test-timeout=60000", f"--test-name-pattern=^{scenario}$"]
    told = subprocess.run(
        [*command, HERE / file],
        env=os.environ | {"CHATCOMPAT_URL": url, "CHATCOMPAT_OBSERVED_URL": observed_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout
    assert re.search(rf"^ok \d+ - {scenario}$", told, re.MULTILINE), told
    assert "\n# pass 1\n" in told, told
