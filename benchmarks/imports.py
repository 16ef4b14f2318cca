"""What importing costs: chatcompat, its three dependencies, and the peers that are installed.

    pip install -e '.[bench]' && python benchmarks/imports.py

Each is imported in a fresh interpreter, compiled before, in turns; medians of the rounds are told. "Behind a server" is
what is added where uvicorn is there already, with most of the standard library that is needed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from core_report import describe_machine, describe_versions, headline, markdown, number

DEPENDENCIES = "starlette, anyio, msgspec"
SERVER = "uvicorn.config, uvicorn.protocols.http.auto, starlette.applications"
WORKS = {  # the modules to import, and those that are there before
    "its dependencies": (DEPENDENCIES, ""),
    "chatcompat": ("chatcompat", ""),
    "its middleware": ("chatcompat.middleware", ""),
    "its middleware, behind a server": ("chatcompat.middleware", SERVER),
    "litellm": ("litellm", ""),
    "llm-rosetta": ("llm_rosetta", ""),
    "any-llm-sdk": ("any_llm", ""),
    "aisuite": ("aisuite", ""),
}
TIMED = "import time; {}began = time.perf_counter(); import {}; print((time.perf_counter() - began) * 1e3)"


def milliseconds_of(modules: str, before: str, environment: dict[str, str]) -> float:
    """Milliseconds that a fresh interpreter takes for the import."""
    code = TIMED.format(f"import {before}; " if before else "", modules)
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return float(told.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is imported (15)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    works = {name: work for name, work in WORKS.items() if importlib.util.find_spec(work[0].partition(",")[0])}
    rounds: dict[str, list[float]] = {name: [] for name in works}
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(options.rounds + 1):
            for name, work in works.items():
                taken = milliseconds_of(*work, environment)
                if turn:  # the first compiles
                    rounds[name].append(taken)
    results = {name: median(taken) for name, taken in rounds.items()}
    base = results["its dependencies"]
    machine = describe_machine() | {"allocator": "malloc as it comes"}
    versions = describe_versions(["chatcompat", "starlette", "anyio", "msgspec", "uvicorn", "litellm", "llm-rosetta"])
    print(headline(machine, versions), end="\n\n")
    print(
        markdown(
            ["", "ms", "of its dependencies"], [[name, number(ms), f"{ms / base:.1f}x"] for name, ms in results.items()]
        )
    )
    if options.json:
        told = {"machine": machine, "versions": versions, "results": results}
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
