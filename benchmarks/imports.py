"""What importing costs: chatcompat, its three dependencies, and the peers that are installed.

    pip install --group bench -e '.[serve]' && python benchmarks/imports.py

Each is imported in fresh interpreters, compiled before, in turns; the table shows medians. "Behind a server" is what is
added where uvicorn is imported already, with most of the standard library that chatcompat needs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.report import headline, make_parser, markdown, number

DEPENDENCIES = "starlette, anyio, msgspec"
SERVER = "uvicorn.config, uvicorn.protocols.http.auto, starlette.applications"
IMPORTS = {  # the modules to import, and those imported before
    "its dependencies": (DEPENDENCIES, ""),
    "chatcompat": ("chatcompat", ""),
    "its translation": ("chatcompat.translation", ""),
    "its middleware": ("chatcompat.asgi.middleware", ""),
    "its middleware, behind a server": ("chatcompat.asgi.middleware", SERVER),
    "litellm": ("litellm", ""),
    "llm-rosetta": ("llm_rosetta", ""),
    "any-llm-sdk": ("any_llm", ""),
    "aisuite": ("aisuite", ""),
}
TIMED = "import time; {}began = time.perf_counter(); import {}; print((time.perf_counter() - began) * 1e3)"


def milliseconds_of(modules: str, before: str, environment: dict[str, str]) -> float:
    """Milliseconds that the import takes in a fresh interpreter."""
    code = TIMED.format(f"import {before}; " if before else "", modules)
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return float(output.split()[-1])


def main() -> None:
    options = make_parser(__doc__, rounds=15).parse_args()
    imports = {name: one for name, one in IMPORTS.items() if importlib.util.find_spec(one[0].partition(",")[0])}
    rounds: dict[str, list[float]] = {name: [] for name in imports}
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(options.rounds + 1):
            for name, one in imports.items():
                taken = milliseconds_of(*one, environment)
                if turn:  # the first compiles
                    rounds[name].append(taken)
    results = {name: median(taken) for name, taken in rounds.items()}
    base = results["its dependencies"]
    head = headline(["chatcompat", "starlette", "anyio", "msgspec", "uvicorn", "litellm", "llm-rosetta"])
    rows = [[name, number(ms), f"{ms / base:.1f}x"] for name, ms in results.items()]
    print(head, markdown(["", "ms", "of its dependencies"], rows), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps({"machine": head, "results": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
