"""Makes a virtual environment for each client, with `uv`: `python tests/clients/python/environments.py`.

`--compile` first finds the newest releases, and pins them and all that they need in `requirements/`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent.parent / "build" / "clients"
CLIENTS = {
    "langchain": ("langchain", "langchain-openai"),
    "pydantic_ai": ("pydantic-ai-slim[openai]",),
    "instructor": ("instructor",),
    "llama_index": ("llama-index-llms-openai-like",),
    "openai_agents": ("openai-agents",),
    "agno": ("agno", "openai"),
    "llm": ("llm",),
}
"""The packages of each client, by the name of its script `use_NAME.py`."""

_DONE = "requirements.txt"  # in an environment: what it was made from


def requirements(client: str) -> Path:
    """The file with the pins of a client."""
    return HERE / "requirements" / f"{client}.txt"


def python(client: str) -> Path | None:
    """The Python of a client's environment. None if it is missing, or was made from other pins."""
    done = FOLDER / client / _DONE
    if not done.is_file() or done.read_bytes() != requirements(client).read_bytes():
        return None
    return FOLDER / client / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def _uv(*arguments: str | Path, text: str | None = None) -> None:
    found = shutil.which("uv")
    if found is None:
        sys.exit("uv is needed: pip install uv")
    subprocess.run([found, *arguments, "--quiet"], input=text, text=True, check=True)


def pin(client: str) -> None:
    """Pin the newest releases for a client."""
    options = ("--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url")
    packages = "\n".join(CLIENTS[client])
    _uv("pip", "compile", "-", "--upgrade", *options, "--output-file", requirements(client), text=packages)


def make(client: str) -> None:
    """Make the environment of a client, unless it is there."""
    if python(client) is None:
        folder = FOLDER / client
        _uv("venv", "--clear", "--python", sys.executable, folder)
        _uv("pip", "sync", "--python", folder, requirements(client))
        shutil.copy(requirements(client), folder / _DONE)


if __name__ == "__main__":
    for name in CLIENTS:
        if "--compile" in sys.argv[1:]:
            pin(name)
        make(name)
