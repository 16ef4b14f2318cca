"""The `llm` command, with a model of `extra-openai-models.yaml`."""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import support
from support import SYSTEM, USE_TOOLS, USER

FOLDER = Path(tempfile.mkdtemp())
FUNCTIONS = """
def get_weather(city: str, days: int) -> str:
    "Get the weather of a city."
    return f"the weather of {city} is fine"

def get_time(zone: str) -> str:
    "Get the time in a zone."
    return f"it is noon in {zone}"
"""
MODEL = {
    "model_id": "ours",
    "model_name": support.MODEL,
    "api_base": support.URL,
    "api_key_name": "ours",
    "supports_tools": True,
    "supports_schema": True,
    "vision": True,
    "reasoning": True,
}
(FOLDER / "extra-openai-models.yaml").write_text(json.dumps([MODEL]))  # JSON is YAML
(FOLDER / "keys.json").write_text(json.dumps({"ours": support.KEY}))
(FOLDER / "a.png").write_bytes(base64.b64decode(support.PIXEL))


def llm(*arguments):
    command = [Path(sys.executable).parent / "llm", *arguments[:0], "-m", "ours", *arguments]
    environment = os.environ | {"LLM_USER_PATH": str(FOLDER)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def history():
    llm("-s", SYSTEM, USER)
    llm("--continue", support.LAST_USER)


def schema():
    llm("--schema", json.dumps(support.Answer.model_json_schema()), USER)
    llm("--no-stream", "--schema", "name, age int", USER)


support.run(
    {
        "plain": lambda: llm("--no-stream", "-s", SYSTEM, USER),
        "history": history,
        "streamed": lambda: llm("-s", SYSTEM, USER),
        "tool loop": lambda: llm("--functions", FUNCTIONS, "--no-stream", USE_TOOLS),
        "streamed tool loop": lambda: llm("--functions", FUNCTIONS, USE_TOOLS),
        "schema": schema,
        "json": lambda: llm("-o", "json_object", "1", support.JSON_PROMPT),
        "image": lambda: [
            llm("--at", str(FOLDER / "a.png"), "image/png", support.DESCRIBE),
        ],
        "reasoning": lambda: llm("-o", "reasoning_effort", "low", "--functions", FUNCTIONS, USE_TOOLS),
        "settings": lambda: llm("-o", "temperature", "0.2", "-o", "max_tokens", "256", "-o", "stop", "END", USER),
        "hints": lambda: llm("-o", "seed", "7", "-o", "presence_penalty", "0.5", USER),
    }
)
