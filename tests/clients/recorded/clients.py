"""The clients that are recorded, and an environment for each of them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent.parent / "build" / "recorded"

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
    "hugging_face": ("huggingface-hub", "pydantic"),
}
"""The packages of each script `python/use_NAME.py`, the client first."""

NODE_CLIENTS = {
    "openai_node": ("openai", "zod"),
    "ai_sdk": ("@ai-sdk/openai-compatible", "ai", "zod"),
    "langchain_js": ("@langchain/openai", "langchain", "@langchain/core", "zod"),
    "openai_agents_js": ("@openai/agents", "zod"),
    "multi_llm": ("multi-llm-ts", "zod"),
    "continue": ("@continuedev/openai-adapters",),
    "pi_ai": ("@mariozechner/pi-ai",),
    "openrouter": ("@openrouter/ai-sdk-provider", "ai", "zod"),
}
"""The packages of each script `node/use_NAME.js`, the client first."""

CLIENTS = (*PYTHON_CLIENTS, *NODE_CLIENTS)


def make(client: str) -> None:
    """Install the newest releases of a client's packages, unless they are there."""
    folder = FOLDER / client
    if folder.is_dir():
        return
    if client in NODE_CLIENTS:
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        _run("npm", "install", *options, "--prefix", folder, *NODE_CLIENTS[client])
    else:
        _run("uv", "venv", "--quiet", "--python", sys.executable, folder)
        _run("uv", "pip", "install", "--quiet", "--python", folder, *PYTHON_CLIENTS[client])


def remove(client: str) -> None:
    """Remove what was installed for a client."""
    shutil.rmtree(FOLDER / client, ignore_errors=True)


def command(client: str) -> list[str | Path]:
    """The command that runs a client's script. Node finds packages beside a script only, so that is copied there."""
    folder = FOLDER / client
    if client in NODE_CLIENTS:
        for name in ("support.js", f"use_{client}.js"):
            shutil.copy(HERE / "node" / name, folder)
        return ["node", folder / f"use_{client}.js"]
    return [folder / ("Scripts" if sys.platform == "win32" else "bin") / "python", HERE / "python" / f"use_{client}.py"]


def versions(client: str) -> dict[str, str]:
    """The versions of a client's packages, and of `openai` if it has that too."""
    folder = FOLDER / client
    if client in NODE_CLIENTS:
        files = {name: folder / "node_modules" / name / "package.json" for name in (*NODE_CLIENTS[client], "openai")}
        return {name: json.loads(path.read_bytes())["version"] for name, path in files.items() if path.is_file()}
    listed = json.loads(_run("uv", "pip", "list", "--quiet", "--format", "json", "--python", folder))
    there = {package["name"]: package["version"] for package in listed}
    names = [re.sub(r"[^\w-].*", "", package) for package in PYTHON_CLIENTS[client]]
    return {name: there[name] for name in dict.fromkeys((*names, "openai")) if name in there}


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
