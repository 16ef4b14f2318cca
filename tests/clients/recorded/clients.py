"""The clients that are recorded, and an environment for each of them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent.parent / "build" / "recorded"
NODE = HERE / "node"

PYTHON_CLIENTS = {
    "openai_python": ("openai",),
    "langchain": ("langchain-openai", "langchain"),
    "pydantic_ai": ("pydantic-ai-slim[openai]",),
    "instructor": ("instructor",),
    "llama_index": ("llama-index-llms-openai-like",),
    "openai_agents": ("openai-agents",),
    "agno": ("agno", "openai"),
    "llm": ("llm",),
    "haystack": ("haystack-ai",),
    "litellm": ("litellm>=1.110",),
    "smolagents": ("smolagents[openai]",),
    "strands": ("strands-agents[openai]",),
    "any_llm": ("any-llm-sdk[openai]",),
    "aisuite": ("aisuite", "openai"),
    "magentic": ("magentic",),
    "mirascope": ("mirascope[openai]",),
    "dspy": ("dspy",),
    "semantic_kernel": ("semantic-kernel",),
    "autogen": ("autogen-agentchat", "autogen-ext[openai]"),
    "ag2": ("ag2[openai]",),
    "agent_framework": ("agent-framework-openai", "agent-framework-core"),
    "google_adk": ("google-adk", "litellm>=1.110"),
    "crewai": ("crewai",),
    "camel": ("camel-ai", "mcp<2"),
    "agentscope": ("agentscope",),
}
"""The packages of each script `python/use_NAME.py`, the client first."""

NODE_CLIENTS = {
    "openai_node": ("openai", "zod"),
}
"""The packages of each script `node/use_NAME.js`, the client first. `node/package.json` has them all."""

CLIENTS = (*PYTHON_CLIENTS, *NODE_CLIENTS)


def make(client: str) -> None:
    """Install the newest releases of a client's packages, unless they are there."""
    if client in NODE_CLIENTS:
        if not (NODE / "node_modules").is_dir():
            _run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", NODE)
    elif not (FOLDER / client).is_dir():
        _run("uv", "venv", "--quiet", "--python", sys.executable, FOLDER / client)
        _run("uv", "pip", "install", "--quiet", "--python", FOLDER / client, *PYTHON_CLIENTS[client])


def remove(client: str) -> None:
    """Remove what was installed for a client."""
    shutil.rmtree(NODE / "node_modules" if client in NODE_CLIENTS else FOLDER / client, ignore_errors=True)


def command(client: str) -> list[str | Path]:
    """The command that runs a client's script."""
    if client in NODE_CLIENTS:
        return ["node", NODE / f"use_{client}.js"]
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return [FOLDER / client / folder / "python", HERE / "python" / f"use_{client}.py"]


def versions(client: str) -> dict[str, str]:
    """The versions of a client's packages, and of `openai` if it has that too."""
    if client in NODE_CLIENTS:
        names = NODE_CLIENTS[client]
        files = {name: NODE / "node_modules" / name / "package.json" for name in names}
        return {name: json.loads(path.read_bytes())["version"] for name, path in files.items()}
    listed = _run("uv", "pip", "list", "--quiet", "--format", "json", "--python", FOLDER / client)
    there = {package["name"]: package["version"] for package in json.loads(listed)}
    names = tuple(re.match(r"[\w-]+", name)[0] for name in PYTHON_CLIENTS[client])
    return {name: there[name] for name in dict.fromkeys((*names, "openai")) if name in there}


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
