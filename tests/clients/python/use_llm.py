"""The `llm` command, with a model of `extra-openai-models.yaml`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support import (
    KEY,
    MODEL,
    OBSERVED_URL,
    SYSTEM,
    URL,
    USE_TOOLS,
    USER,
    Answer,
    check_answer,
    check_left,
    observed,
    run,
)

COMMAND = Path(sys.executable).parent / "llm"
FUNCTIONS = """
def get_weather(city: str, days: int) -> str:
    "Get the weather of a city."
    return f"the weather of {len(city)} letters is fine"

def get_time(zone: str) -> str:
    "Get the time in a zone."
    return f"it is noon in {zone}"
"""


def settings(url: str, headers: dict[str, str] | None = None) -> dict[str, str]:
    """An environment whose `llm` knows the endpoint as the model `ours`."""
    folder = tempfile.mkdtemp(dir=os.environ.get("CHATCOMPAT_FOLDER"))
    model = {
        "model_id": "ours",
        "model_name": MODEL,
        "api_base": url,
        "api_key_name": "ours",
        "supports_tools": True,
        "supports_schema": True,
    }
    if headers is not None:
        model["headers"] = headers
    Path(folder, "extra-openai-models.yaml").write_text(json.dumps([model]))  # JSON is YAML
    Path(folder, "keys.json").write_text(json.dumps({"ours": KEY}))
    return os.environ | {"LLM_USER_PATH": folder, "PYTHONUNBUFFERED": "1"}


ENVIRONMENT = settings(URL)


def llm(*arguments: str) -> str:
    command = [COMMAND, "-m", "ours", *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain() -> None:
    assert "Zo\u00eb \U0001f44b" in llm("--no-stream", "-s", SYSTEM, USER)


def streamed() -> None:
    assert llm("-s", SYSTEM, USER) == llm("--no-stream", "-s", SYSTEM, USER)


def tool_loop() -> None:
    for stream in ((), ("--no-stream",)):
        said = llm("--functions", FUNCTIONS, "--chain-limit", "3", *stream, USE_TOOLS)
        assert "letters is fine" in said, said
        assert "it is noon in" in said, said


def structured_output() -> None:
    for stream in ((), ("--no-stream",)):
        said = llm("--schema", json.dumps(Answer.model_json_schema()), *stream, USER)
        check_answer(Answer.model_validate_json(said))


def abort() -> None:
    name, headers = observed()
    command = [COMMAND, "-m", "ours", USER]
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts with `&` ignores it, and its children too
    with subprocess.Popen(command, env=settings(OBSERVED_URL, headers), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        check_left(name)


run(plain, streamed, tool_loop, structured_output, abort)
