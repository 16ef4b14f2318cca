"""The gateways that `serve.py` measures beside chatcompat, each in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MODEL = "claude-sonnet-4-5"
_KEY = "sk-for-loopback-only-0123456789"  # the proxy does not start without one
# With the newest release that Portkey's own range allows, each of its streams fails (Portkey-AI/gateway#1389).
_OVERRIDES = {"@hono/node-server": "1.13.7"}


class Unavailable(Exception):
    """A peer cannot be installed or started here."""


@dataclass(frozen=True)
class Peer:
    """A gateway: how it is started on `port` in front of a messages service on `backend`, and asked."""

    name: str
    version: str
    command: list[str]
    environment: dict[str, str]
    headers: dict[str, str]


def litellm(folder: Path, port: int, backend: int) -> Peer:
    """litellm's proxy, the newest release that installs; 1.107.0 is reported as compromised."""
    place = folder / "litellm"
    python = place / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(python), "-m", "pip", "install", "--quiet", "litellm[proxy]!=1.107.0"])
    version = _run([str(python), "-c", "import importlib.metadata as m; print(m.version('litellm'))"]).strip()
    config = place / "serve.yaml"
    config.write_text(
        json.dumps(  # YAML is a superset
            {
                "model_list": [
                    {
                        "model_name": MODEL,
                        "litellm_params": {
                            "model": f"anthropic/{MODEL}",
                            "api_base": f"http://127.0.0.1:{backend}",
                            "api_key": "key",
                        },
                    }
                ]
            }
        ),
        encoding="utf-8",
    )
    logging = place / "logging.json"  # no access log, as for all
    loggers = {"uvicorn.access": {"level": "WARNING", "propagate": False}}
    logging.write_text(
        json.dumps({"version": 1, "disable_existing_loggers": False, "loggers": loggers}), encoding="utf-8"
    )
    command = [str(place / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log_config", str(logging)]
    environment = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": _KEY}
    headers = {"authorization": f"Bearer {_KEY}"}
    return Peer("litellm proxy", version, [*command, "--num_workers", "1"], environment, headers)


def portkey(folder: Path, port: int, backend: int) -> Peer:
    """Portkey's gateway, from npm."""
    place = folder / "portkey"
    package = place / "node_modules" / "@portkey-ai" / "gateway"
    if not package.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("npm is not installed")
        place.mkdir(parents=True, exist_ok=True)
        wanted = {"private": True, "dependencies": {"@portkey-ai/gateway": "latest"}, "overrides": _OVERRIDES}
        (place / "package.json").write_text(json.dumps(wanted), encoding="utf-8")
        _run([npm, "install", "--silent", "--ignore-scripts", "--prefix", str(place)])
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    node = shutil.which("node")
    if node is None:
        raise Unavailable("node is not installed")
    version += f" on Node {_run([node, '--version']).strip().removeprefix('v')}"
    command = [node, str(package / "build" / "start-server.js"), f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": f"http://127.0.0.1:{backend}/v1"}
    return Peer("Portkey gateway", version, command, {"NODE_ENV": "production"}, headers)


PEERS = {"litellm": litellm, "portkey": portkey}


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ}).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise Unavailable(said.strip().splitlines()[-1][:200]) from error
